"""az iot device simulate --export kubernetes: a manifest on stdout; nothing is simulated, and no hub is asked."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_selection import SelectionOptions
from azext_iotjobs.cli.input.device_tables import CONNECTION_NAME
from azext_iotjobs.cli.input.json_option import json_or_file
from azext_iotjobs.cli.input.scalars import text_of_file
from azext_iotjobs.cli.input.stdin import MARK
from azext_iotjobs.cli.output import kubernetes
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.simulate import device_options, monitor
from azext_iotjobs.cli.simulate.simulation_job import (
    FILES_FOLDER,
    MAX_SHARDS,
    SimulationJob,
    objects,
    shards_for,
)
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.selection import device_ids
from azext_iotjobs.model.simulated_devices import numbered_ids
from azext_iotjobs.model.text import counted

logger = get_logger(__name__)

NAME, SECRET = "simulation", "iotjobs-hub"
LONGEST_NAME = 57  # Kubernetes puts a dash and the index behind it to name a pod's host: 63 in all
OF_EXPORT = ("--export", "--image", "--shards", "--job-name", "--secret-name")
PASSED_ON = frozenset(
    "--hub-name --query-condition --device-ids --devices-file --prefix --count --exclude --max-devices --take-over "
    "--ramp --until --expect --metrics-port --metrics-bind --behaviour --behaviour-file --method --method-delay "
    "--failure-rate --offline-rate --seed --method-response-code --method-response-payload "
    "--init-reported-properties --data --msg-count --msg-interval --properties --model-id --websocket".split()
)
CREATE_BEFORE = "Register them before, from a machine that keeps its files: --create --until 1s, without --export"
HAS_KEYS = "Pods sign in with the policy in the secret, for each device"
WHY_NOT = {
    "--login": "a manifest has no secret; the secret of Kubernetes has the connection string",
    "--auth-type": "nobody is signed in where a pod runs; the secret has a connection string",
    "--device-id": "one device needs no cluster; --device-ids takes a single id, too",
    "--shard": "each pod has its own; --shards says how many there are",
    "--create": f"a log of created devices would be lost with its pod. {CREATE_BEFORE}",
    "--delete-after": f"a log of created devices would be lost with its pod. {CREATE_BEFORE}",
    "--tags": f"pods register nothing. {CREATE_BEFORE}",
    "--events": "a pod's files are lost with it; --metrics-port shows a run, and --merge what came of it",
    "--report": "a shard has no report; --merge writes one: --merge … --report",
    "--detach": "a Job is in the background anyway",
    **dict.fromkeys(("--symmetric-key", "--certificate-file-path", "--issue-from-ca"), f"keys stay here. {HAS_KEYS}"),
}


def export(typed: TypedOptions) -> None:
    """Print the manifest, and say on stderr what is to be typed beside it. Raises UserError."""
    job = job_of(typed)
    text = kubernetes.manifest(COMMENT.format(name=job.name), objects(job))
    wrote(sys.stdout, text)
    logger.warning(
        "%s on %s, each with a part of %s.", job.name, counted(job.shards, "pod"), counted(job.device_count, "device")
    )
    logger.warning("%s", kubernetes.secret_command(job.secret, [kubernetes.CONNECTION_STRING]))


COMMENT = f"""\
A simulation by `az iot device simulate`: each pod simulates a part of the devices.
  kubectl apply -f FILE
  kubectl get job {{name}} --watch
  kubectl logs -l batch.kubernetes.io/job-name={{name}} --tail=-1 | az iot device simulate --merge -
Needs Kubernetes {kubernetes.OLDEST} or newer, and the secret that it names."""


def job_of(typed: TypedOptions) -> SimulationJob:
    """What is to be exported. Raises UserError."""
    found = typed.by_option()
    _check(typed, found)
    count = _device_count(typed)
    shards = shards_for(count) if typed.cluster.shards is None else typed.cluster.shards
    if not 1 <= shards <= MAX_SHARDS:
        raise BadValue(f"--shards {shards}: give 1 to {MAX_SHARDS}.", hint="--shards 10")
    if shards > count:
        raise BadValue(f"--shards {shards}: there are only {counted(count, 'device')}.", hint=f"--shards {count}")
    name = kubernetes.check_name(typed.cluster.job_name or NAME, "--job-name", LONGEST_NAME)
    files: dict[str, str] = {}
    words = [word for option, value in found.items() if option in PASSED_ON for word in _words(option, value, files)]
    if sum(len(each.encode()) for each in files.values()) > kubernetes.MAX_CONFIG_BYTES:
        raise BadValue(
            "The files are larger than 1 MiB together, which is what a ConfigMap holds.",
            hint="Name the devices by a condition: --query-condition \"tags.site = 'north'\" --max-devices N",
        )
    return SimulationJob(
        name=name,
        image=kubernetes.image_of(typed.cluster.image),
        secret=kubernetes.check_name(typed.cluster.secret_name or SECRET, "--secret-name"),
        shards=shards,
        device_count=count,
        words=words,
        has_seed=typed.behaviour.seed is not None,
        files=files,
        metrics_port=typed.many.metrics_port,
    )


def _check(typed: TypedOptions, found: Mapping[str, Any]) -> None:
    """Raise UserError for what cannot be exported, and for what a pod would refuse."""
    kubernetes.image_of(typed.cluster.image)
    for option in found:
        if option not in PASSED_ON and option not in OF_EXPORT:
            why = WHY_NOT.get(option, "no pod would know what to do with it")
            raise ConflictingChoice(f"--export: {option} cannot be exported: {why}.")
    if typed.hub.hub is not None and is_loopback(typed.hub.hub.partition(":")[0]):
        raise ConflictingChoice(
            f"--export: in a pod, {typed.hub.hub} is the pod itself.",
            hint="Leave -n out: the connection string in the secret says which hub it is.",
        )
    typed.many.check(None)
    if not typed.many.until and not typed.many.expect and not typed.messages.is_typed:
        raise MissingChoice("--export: nothing would end the Job.", hint="Say when: --until 1h, or --until forever")
    for option in ("--behaviour-file", "--devices-file"):
        if found.get(option) == MARK:
            raise ConflictingChoice(f"--export: {option} is read twice; give a file, not standard input.")
    if typed.many.metrics_port == 0:
        raise BadValue("--metrics-port 0: whoever reads them has to know the port.", hint="--metrics-port 9464")
    if typed.many.metrics_port is not None and typed.many.metrics_bind is None:
        raise MissingChoice(
            "--metrics-port: in a pod, nobody else reaches 127.0.0.1.",
            hint="--metrics-bind 0.0.0.0, where whoever reaches the pod may read them.",
        )
    device_options.read(None, typed.link, typed.messages, typed.sign_in, typed.behaviour)
    for each in monitor.read(typed.many).expectations:
        if each.share.count is not None:
            raise BadValue(
                f"--expect {each.text!r}: no pod sees all devices, so none can count to {each.share.count}.",
                hint="Give a percentage, or all: --merge decides it for all devices.",
            )


def _device_count(typed: TypedOptions) -> int:
    """How many devices there are at most. Raises UserError."""
    many = typed.many
    if many.prefix is not None:
        excluded = SelectionOptions(exclude=many.exclude).read_excluded()
        return len(set(numbered_ids(many.prefix, many.count or 0)) - set(excluded))
    if many.our_query_condition is not None:
        SelectionOptions(our_query_condition=many.our_query_condition, exclude=many.exclude).read()
        if many.max_devices is None:
            raise MissingChoice(
                "--export: how many devices are there? Pods ask for memory by that, and no hub is asked now.",
                hint="Give the most that the condition may match: --max-devices 10000",
            )
        return many.max_devices
    in_file = () if many.devices_file is None else tuple(_ids_in(many.devices_file))
    named = SelectionOptions(our_device_ids=many.our_device_ids, exclude=many.exclude).read(more_ids=in_file)
    return len(named.named)


def _ids_in(path: str) -> Iterator[str]:
    for row in rows_of(path, "--devices-file"):
        if CONNECTION_NAME in row:
            raise ConflictingChoice(
                f"--devices-file {path} has connection strings, and a ConfigMap is no place for keys.",
                hint=f"Give a file of ids. {HAS_KEYS}.",
            )
        yield row["deviceid"]


def _words(option: str, value: Any, files: dict[str, str]) -> Iterator[str]:
    """An option as a pod types it. files: takes those that it names."""
    if option in _AS_FILE:
        name, text = _AS_FILE[option](value)
        files[name] = text
        yield from (option, f"{FILES_FOLDER}/{name}")
    elif value is True:
        yield option
    elif option in ("--method-response-payload", "--init-reported-properties"):
        yield f"{option}={_json(value, option)}"
    else:
        for each in value if isinstance(value, list | tuple) else [value]:
            text = _method(each) if option == "--method" else str(each)
            # One that begins with a dash would be taken for an option.
            yield from (f"{option}={text}",) if text.startswith("-") else (option, text)


def _behaviour(path: str) -> tuple[str, str]:
    text = text_of_file(path, "--behaviour-file")
    return "behaviour.yaml", text if text.endswith("\n") else f"{text}\n"


def _devices(path: str) -> tuple[str, str]:
    ids: Sequence[str] = device_ids(list(_ids_in(path)), f"--devices-file {path}")
    return "devices.json", json.dumps(list(ids), indent=0) + "\n"


_AS_FILE: Mapping[str, Callable[[str], tuple[str, str]]] = {"--behaviour-file": _behaviour, "--devices-file": _devices}


def _method(text: str) -> str:
    """--method NAME=STATUS:JSON, with what a file holds in its place."""
    head, colon, payload = text.partition(":")
    return f"{head}:{_json(payload, '--method')}" if colon else text


def _json(given: Any, option: str) -> str:
    return json.dumps(json_or_file(given, option), separators=(",", ":"))
