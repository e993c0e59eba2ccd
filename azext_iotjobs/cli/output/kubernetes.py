"""Manifests of Kubernetes: what those of simulations and of schedules share, and how they are written.

Every text is written in double quotes, so that no reader of YAML, of whichever version, takes `on`, `1e3` or `08` for
something else; what is odd in it is escaped. The same manifest is the same text each time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from azext_iotjobs.model.errors import BadValue, MissingChoice

CONNECTION_STRING = "IOTJOBS_CONNECTION_STRING"  # in the environment; and the key in the secret that has it
USER = 10001  # of a pod: nobody's in particular
WRITABLE = "/tmp"  # all that a container can write to, beside volumes
CONFIG_FOLDER = f"{WRITABLE}/azure"  # az's
OLDEST = "1.29"  # which has retries of each index of a Job, and its policy of failures, without being asked
IMAGE_OPTION = "--image"
DOCKERFILE = "docs/how-to/cluster.md has a Dockerfile of az with this extension."
MAX_LABEL = 63  # RFC 1123, which names of objects follow that become host names
MAX_IMAGE = 255
MAX_CONFIG_BYTES = 1 << 20  # Kubernetes, "ConfigMaps": the data of one, all together

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_IMAGE = re.compile(r"[\w][\w.:/@+-]*", re.ASCII)
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_KEYWORDS = frozenset("y n yes no on off true false null".split())  # of YAML 1.1


def image_of(typed: str | None) -> str:
    """The image that pods run. Raises MissingChoice, BadValue."""
    if typed is None:
        raise MissingChoice(
            f"Pods need an image, and none is published: give {IMAGE_OPTION}.",
            hint=f"{IMAGE_OPTION} registry.example/az-iotjobs:1. {DOCKERFILE}",
        )
    if len(typed) > MAX_IMAGE or _IMAGE.fullmatch(typed) is None:
        raise BadValue(
            f"{IMAGE_OPTION} {typed[:60]!r} is not the name of an image.", hint=f"{IMAGE_OPTION} registry.example/az:1"
        )
    return typed


def check_name(name: str, option: str, longest: int = MAX_LABEL) -> str:
    """The name of an object, if it can be one. Raises BadValue."""
    if len(name) > longest or _LABEL.fullmatch(name) is None:
        raise BadValue(
            f"{option} {name[:80]!r}: give at most {longest} lower-case letters, digits and dashes, with a letter or "
            "digit at both ends.",
            hint=f"{option} night-7",
        )
    return name


def word(text: str) -> str:
    """A word of a command line as a manifest has it: Kubernetes replaces $(NAME), and reads $$ as $."""
    return text.replace("$", "$$")


def secret_variable(variable: str, secret: str) -> dict[str, Any]:
    """A variable whose value is in a secret under its own name."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": variable}}}


def secret_command(secret: str, variables: Iterable[str]) -> str:
    """How the secret is made, for people: of a file, as what is typed is in the history of a shell."""
    lines = "".join(f"  {each}=…\n" for each in variables)
    return (
        f"Make the secret {secret} once. In a file hub.env that only you can read, one line each:\n{lines}"
        f"Then:\n  kubectl create secret generic {secret} --from-env-file=hub.env"
    )


def container(
    name: str,
    image: str,
    command: Sequence[str],
    arguments: Sequence[str],
    environment: Iterable[Mapping[str, Any]],
    mounts: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """A container that runs az as nobody in particular, with nothing that it could change but folders of its own."""
    own = [
        {"name": "AZURE_CONFIG_DIR", "value": CONFIG_FOLDER},
        {"name": "HOME", "value": WRITABLE},
        {"name": "AZURE_CORE_COLLECT_TELEMETRY", "value": "no"},
    ]
    return {
        "name": name,
        "image": image,
        "command": list(command),
        "args": list(arguments),
        "env": [*own, *environment],
        **more,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "writable", "mountPath": WRITABLE}, *mounts],
    }


def pod(
    containers: Sequence[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """The specification of a pod. more: members that differ from one to the other."""
    return {
        **more,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(containers),
        "volumes": [{"name": "writable", "emptyDir": {}}, *volumes],
    }


def labels(name: str, component: str) -> dict[str, str]:
    """Those that Kubernetes recommends."""
    return {
        "app.kubernetes.io/name": "iotjobs",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": component,
    }


def manifest(comment: str, objects: Iterable[Mapping[str, Any]]) -> str:
    """Objects as YAML. comment: lines of ours; nothing that somebody typed is in them. Raises BadValue."""
    try:
        texts = [
            yaml.dump(each, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=2**31, default_flow_style=False)
            for each in objects
        ]
        text = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines()) + "---\n".join(texts)
        text.encode()
    except UnicodeEncodeError as err:
        raise BadValue("What was typed holds bytes that are no text, which no manifest can hold.") from err
    return text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types here
    """Texts in double quotes, names of members without; lists are indented, nothing is referred to."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise UnicodeEncodeError("utf-8", text, 0, 1, "surrogates")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str:
    """A block of lines for what is one and has nothing odd in it, so that people can read it."""
    is_block = "\n" in text and text.endswith("\n") and not text.startswith((" ", "\n")) and _is_ordinary(text)
    return "|" if is_block else '"'


def _is_ordinary(text: str) -> bool:
    lines = text.split("\n")
    return all(" " <= each <= "~" for line in lines for each in line) and not any(each.endswith(" ") for each in lines)


def _members(dumper: _Dumper, members: Mapping[str, Any]) -> yaml.MappingNode:
    pairs = []
    for name, value in members.items():
        is_plain = _PLAIN_KEY.fullmatch(name) is not None and name.lower() not in _KEYWORDS
        key = dumper.represent_scalar("tag:yaml.org,2002:str", name, style=None if is_plain else '"')
        pairs.append((key, dumper.represent_data(value)))
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _members)
