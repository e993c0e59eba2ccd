"""`simulate --export kubernetes`: manifests that Kubernetes takes, whatever was typed, and that hold no secret."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.hub_access.resolve import HubArguments
from azext_iotjobs.cli.output import kubernetes
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.cli.simulate.device_options import LinkOptions, MessageOptions
from azext_iotjobs.cli.simulate.export_kubernetes import COMMENT, export, job_of
from azext_iotjobs.cli.simulate.options import ClusterOptions, SimulateOptions
from azext_iotjobs.cli.simulate.simulation_job import largest_shard, memory_mib, objects
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.simulated_devices import Shard
from tests.helpers.pods import check_schema, one_of_kind, words_of

IMAGE = "registry.example/az-iotjobs:1"
MANY: dict[str, Any] = {"prefix": "pump-", "count": 100, "until": ["1h"]}


class Default(str):
    """A value that az marks as a default."""

    is_default = True


class DefaultNumber(int):
    is_default = True


NO_MESSAGES = MessageOptions(
    our_data=Default("Ping"), our_msg_count=DefaultNumber(100), our_msg_interval=DefaultNumber(3)
)


def typed(
    many: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
    behaviour: dict[str, Any] | None = None,
    **groups: Any,
) -> TypedOptions:
    made: dict[str, Any] = {
        "device": None,
        "link": LinkOptions(),
        "messages": NO_MESSAGES,
        "sign_in": SignInOptions(),
        "behaviour": BehaviourOptions(**(behaviour or {})),
        "many": SimulateOptions(**(MANY if many is None else many)),
        "cluster": ClusterOptions(**{"export": "kubernetes", "image": IMAGE, **(cluster or {})}),
    }
    return TypedOptions(**{**made, **groups})


def manifest_of(options: TypedOptions) -> str:
    job = job_of(options)
    return kubernetes.manifest(COMMENT.format(name=job.name), objects(job))


def container_of(manifest: str) -> dict[str, Any]:
    (found,) = one_of_kind(manifest, "Job")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def options_of(manifest: str) -> list[str]:
    """The words behind `az iot device simulate` that a process gets, but those that every pod has."""
    words = list(words_of(container_of(manifest), {"IOTJOBS_SIMULATION_RUN": "uid"}))
    start = words.index("simulate") + 1
    return words[start : words.index("--seed", start) if "uid" in words else words.index("--output", start)]


def test_kubernetes_takes_the_manifest(tmp_path: Path) -> None:
    pytest.importorskip("kubernetes_validate")
    behaviour = tmp_path / "b.yaml"
    behaviour.write_text("methods:\n  reboot:\n    status: 200\n")
    many = {**MANY, "metrics_port": 9464, "metrics_bind": "0.0.0.0"}
    check_schema(manifest_of(typed(many, behaviour={"behaviour_file": str(behaviour)})))


def test_each_pod_has_a_shard_of_its_own_and_the_seed_of_its_job(tmp_path: Path) -> None:
    """The shell that a pod runs is run here, with an az that prints its words."""
    az = tmp_path / "az"
    az.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n')
    az.chmod(0o755)
    container = container_of(manifest_of(typed(cluster={"shards": 3})))
    shards = []
    for index in range(3):
        variables = {"JOB_COMPLETION_INDEX": str(index), "IOTJOBS_SIMULATION_RUN": "2c5e"}
        environment = {**variables, "PATH": f"{tmp_path}:/usr/bin:/bin"}
        command = words_of(container, variables)
        words = subprocess.check_output(command, env=environment, text=True).splitlines()
        assert words[:3] == ["iot", "device", "simulate"] and words[words.index("--seed") + 1] == "2c5e"
        shards.append(words[words.index("--shard") + 1])
    assert shards == ["1/3", "2/3", "3/3"]


ODD = tuple(
    "on no 1e3 0o17 08 ~ null 12:30:45 2026-11-30 @f %TAG ' \" \\ *x &x !x | > $(HOME) $$(A) $ $( $((1)) `id` ${x} --- "
    "... = a=@b -x --until [x".split()
) + ("- a", "a: b", "# c", "\n", "a\nb\n", " lead", "trail ", "\t", "{a: b}", "é☃😀", "\u2028", "\x7f", "\ufeff")
TEXTS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


def values_of(words: list[str], option: str) -> list[str]:
    """As argparse reads them."""
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            found.append(following)
        elif word.startswith(f"{option}="):
            found.append(word.removeprefix(f"{option}="))
    return found


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_was_typed_arrives_in_the_pod_as_it_was(data: str, seed: str, name: str) -> None:
    many = {**MANY, "expect": [f"method {json.dumps('m' + name)} on all", "connected on 50%"]}
    messages = MessageOptions(our_data=data, our_msg_count=DefaultNumber(100), our_msg_interval=DefaultNumber(3))
    methods = ['reboot=200:{"level": "${random.int(0, 5)}", "$(HOME)": "\u00e9"}']
    options = typed(many, behaviour={"seed": seed, "method": methods}, messages=messages)
    manifest = manifest_of(options)
    assert manifest == manifest_of(options), "the same each time"
    words = list(words_of(container_of(manifest), {"HOME": "expanded", "A": "expanded", "x": "expanded"}))
    assert values_of(words, "--data") == [data]
    assert values_of(words, "--seed") == [seed]
    assert values_of(words, "--expect") == many["expect"]
    ((head, _, payload),) = [each.partition(":") for each in values_of(words, "--method")]
    assert (head, json.loads(payload)) == ("reboot=200", {"level": "${random.int(0, 5)}", "$(HOME)": "é"})


FILE_TEXTS = st.sampled_from(
    ["a\n", "a", "  a: 1\n", "\na\n", "a \n", "a\n\n\n", "a\tb\n", "é\n", "a: |\n  b\n", "# c\n---\n...\n", "x\r\ny\n"]
)


@given(FILE_TEXTS)
def test_a_file_arrives_in_the_pod_as_it_was(text: str) -> None:
    job = job_of(typed())._replace(files={"behaviour.yaml": text})
    manifest = kubernetes.manifest("", objects(job))
    assert one_of_kind(manifest, "ConfigMap")["data"]["behaviour.yaml"] == text


@given(st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)))
def test_every_reader_of_yaml_reads_what_was_written(value: Any) -> None:
    """Also those in which more texts than in PyYAML are numbers or switches: all are in quotes."""
    text = kubernetes.manifest("", [{"value": value}])
    assert yaml.safe_load(text) == {"value": value}
    assert text.isascii() and all(each in "\n" or each.isprintable() for each in text)
    for event in yaml.parse(text):
        if isinstance(event, yaml.ScalarEvent) and event.style is None:
            assert event.value == "value" or event.value[0].isalpha() and event.value not in ODD


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadValue, match="bytes that are no text"):
        manifest_of(typed(behaviour={"seed": "a\udcff"}))


def test_files_go_into_a_config_map_and_are_named_in_the_command(tmp_path: Path) -> None:
    behaviour, devices = tmp_path / "my b.yaml", tmp_path / "d.csv"
    behaviour.write_text("methods:\n  reboot:\n    status: 500")
    devices.write_text("pump-1\npump-2\n")
    many = {"devices_file": str(devices), "until": ["1h"]}
    manifest = manifest_of(typed(many, behaviour={"behaviour_file": str(behaviour)}))
    data = one_of_kind(manifest, "ConfigMap")["data"]
    assert json.loads(data["devices.json"]) == ["pump-1", "pump-2"]
    assert yaml.safe_load(data["behaviour.yaml"]) == {"methods": {"reboot": {"status": 500}}}
    words = list(words_of(container_of(manifest), {}))
    assert values_of(words, "--behaviour-file") == ["/simulation/behaviour.yaml"]
    assert values_of(words, "--devices-file") == ["/simulation/devices.json"]
    assert str(tmp_path) not in manifest


def test_a_file_of_json_is_in_the_command(tmp_path: Path) -> None:
    payload = tmp_path / "p.json"
    payload.write_text('{"a": 1}')
    words = list(
        words_of(
            container_of(
                manifest_of(
                    typed(
                        behaviour={
                            "method": [f"x=200:@{payload}"],
                            "our_method_response_payload": [f"@{payload}"],
                            "our_init_reported_properties": ["a.b=5", "c=text"],
                        }
                    )
                )
            ),
            {},
        )
    )
    assert values_of(words, "--method") == ['x=200:{"a":1}']
    assert values_of(words, "--method-response-payload") == ['{"a":1}']
    assert values_of(words, "--init-reported-properties") == ['{"a":{"b":5},"c":"text"}']


def test_a_pod_runs_as_nobody_and_changes_nothing_but_its_own_folder() -> None:
    spec = one_of_kind(manifest_of(typed()), "Job")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {each["name"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert [each["name"] for each in spec["volumes"] if "emptyDir" in each] == list(writable)


def test_a_pod_that_crashed_is_started_again_and_a_verdict_stands() -> None:
    spec = one_of_kind(manifest_of(typed()), "Job")["spec"]
    assert spec["backoffLimitPerIndex"] > 0 and spec["template"]["spec"]["restartPolicy"] == "Never"
    final = spec["podFailurePolicy"]["rules"][0]
    assert final["action"] == "FailIndex" and 4 in final["onExitCodes"]["values"]
    assert not {1, 137} & set(final["onExitCodes"]["values"])
    assert spec["ttlSecondsAfterFinished"] >= 3600


@pytest.mark.parametrize(("count", "shards"), [(1, 1), (10_000, 1), (10_001, 2), (95_000, 10)])
def test_there_is_a_shard_for_each_ten_thousand_devices(count: int, shards: int) -> None:
    spec = one_of_kind(manifest_of(typed({**MANY, "count": count})), "Job")["spec"]
    assert (spec["completions"], spec["parallelism"]) == (shards, shards)


def test_a_pod_asks_for_the_memory_of_the_largest_shard() -> None:
    names = [f"pump-{number:05}" for number in range(1, 30_001)]
    sizes = [sum(Shard(number, 7).has(each) for each in names) for number in range(1, 8)]
    assert max(sizes) <= largest_shard(30_000, 7) < 1.1 * 30_000 / 7
    assert largest_shard(100, 1) == 100 and largest_shard(3, 3) <= 3
    container = container_of(manifest_of(typed({**MANY, "count": 30_000}, {"shards": 7})))
    assert container["resources"]["requests"]["memory"] == f"{memory_mib(largest_shard(30_000, 7))}Mi"


REFUSED: tuple[tuple[type[Exception], str, dict[str, Any]], ...] = (
    (MissingChoice, "none is published: give --image", {"cluster": {"image": None}}),
    (BadValue, "is not the name of an image", {"cluster": {"image": "a b"}}),
    (BadValue, "is not the name of an image", {"cluster": {"image": "-x"}}),
    (BadValue, "--job-name", {"cluster": {"job_name": "Night_7"}}),
    (BadValue, "--job-name", {"cluster": {"job_name": "a" * 58}}),
    (BadValue, "--secret-name", {"cluster": {"secret_name": "a\nb"}}),
    (BadValue, "--shards 0", {"cluster": {"shards": 0}}),
    (BadValue, "there are only 100 devices", {"cluster": {"shards": 101}}),
    (ConflictingChoice, "--login cannot be exported", {"hub": HubArguments(None, "HostName=h;…", None, None)}),
    (ConflictingChoice, "localhost:5 is the pod itself", {"hub": HubArguments("localhost:5", None, None, None)}),
    (ConflictingChoice, "--auth-type cannot", {"hub": HubArguments(None, None, None, "login")}),
    (ConflictingChoice, "--device-id cannot", {"device": "pump-1"}),
    (ConflictingChoice, "--symmetric-key cannot", {"sign_in": SignInOptions(symmetric_key="c2VjcmV0")}),
    (ConflictingChoice, r"--create cannot be exported: .*without --export\.$", {"many": {**MANY, "create": True}}),
    (ConflictingChoice, "--shard cannot", {"many": {**MANY, "shard": "1/2"}}),
    (ConflictingChoice, "--events cannot", {"many": {**MANY, "events": "a"}}),
    (ConflictingChoice, "--detach cannot", {"many": {**MANY, "detach": True}}),
    (MissingChoice, "nothing would end the Job", {"many": {"prefix": "p", "count": 3}}),
    (MissingChoice, "how many devices", {"many": {"our_query_condition": "tags.a = 1", "until": ["1h"]}}),
    (MissingChoice, "--metrics-port: in a pod", {"many": {**MANY, "metrics_port": 9464}}),
    (BadValue, "no pod sees all devices", {"many": {**MANY, "expect": ["connected on 7"]}}),
    (BadValue, "--until", {"many": {**MANY, "until": ["later"]}}),
    (BadValue, "--failure-rate", {"behaviour": {"failure_rate": "2"}}),
    (ConflictingChoice, "not standard input", {"behaviour": {"behaviour_file": "-"}}),
)


@pytest.mark.parametrize(("kind", "match", "options"), REFUSED, ids=[match for _, match, _ in REFUSED])
def test_what_no_pod_could_do_is_refused(
    kind: type[Exception], match: str, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kind, match=match) as refusal:
        export(typed(**options))
    assert capsys.readouterr().out == ""
    assert "c2VjcmV0" not in str(refusal.value)


def test_keys_in_a_file_of_devices_do_not_get_into_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("HostName=h.azure-devices.net;DeviceId=a;SharedAccessKey=c2VjcmV0c2VjcmV0\n")
    with pytest.raises(ConflictingChoice, match="a ConfigMap is no place for keys"):
        job_of(typed({"devices_file": str(path), "until": ["1h"]}))


def test_files_that_no_config_map_holds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("".join(f"a-device-with-a-long-name-{number:06}\n" for number in range(40_000)))
    with pytest.raises(BadValue, match="larger than 1 MiB"):
        job_of(typed({"devices_file": str(path), "until": ["1h"]}))
