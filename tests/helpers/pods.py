"""Pods of a manifest as plain processes: what a container would be given, without a cluster.

A container's command line, variables and files are those that the manifest says; folders that it mounts are folders of
the test, to which paths in its words are changed. What the image has is given by the test: az on PATH, its extensions.
Where Linux lets us, the process has no capabilities, and a file system that it can only read but for what it mounts. It
stays the same user, who owns the Python of these tests.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# Of a mount namespace of its own: what is mounted here is seen nowhere else, and is gone with the process.
ISOLATING = """
set -e
mount --make-rprivate /
mount --bind / /
mount -o remount,ro,bind /
IFS=:
for folder in $WRITABLE; do
    mount --bind "$folder" "$folder"
    mount -o remount,rw,bind "$folder"
done
unset IFS WRITABLE
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""
VARIABLE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


@cache
def can_isolate() -> bool:
    """Whether this user may do what ISOLATING does."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    environment = {"PATH": os.defpath, "WRITABLE": ""}
    tried = subprocess.run(_isolated(["true"]), env=environment, capture_output=True, check=False, timeout=30)
    return tried.returncode == 0


def _isolated(words: Sequence[str]) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", ISOLATING, "sh", *words]


def objects_in(manifest: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifest))


def one_of_kind(manifest: str, kind: str) -> dict[str, Any]:
    (found,) = [each for each in objects_in(manifest) if each["kind"] == kind]
    return found


def check_schema(manifest: str) -> None:
    """Have Kubernetes' own schemas, as kubernetes-validate ships them, look at every object, strictly."""
    import kubernetes_validate

    for each in objects_in(manifest):
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) replaced as Kubernetes does: $$ is $, and a name that there is not stays as it is."""
    return VARIABLE.sub(lambda found: "$" if found[1] else variables.get(found[2], found[0]), text)


@dataclass
class Pods:
    """Those of one workload. folder: where mounts and logs go.  secrets: by name, what they hold."""

    manifest: str
    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    image: Mapping[str, str]  # variables that the image has
    labels: Mapping[str, str]  # that controllers put on pods
    is_isolated: bool = True  # else they are plain processes

    def start(self, pod: Mapping[str, Any], name: str, **variables: str) -> "Pod":
        """Start the container of a pod. variables: that a controller adds."""
        spec = pod["spec"]
        (container,) = spec["containers"]
        mounts = {each["mountPath"]: self._volume(each["name"], spec, name) for each in container["volumeMounts"]}
        writable = [mounts[each["mountPath"]] for each in container["volumeMounts"] if not each.get("readOnly")]
        environment = dict(variables)
        for each in container["env"]:
            environment[each["name"]] = self._value(each)
        words = [expanded(each, environment) for each in (*container["command"], *container.get("args", ()))]
        environment = {key: _moved(value, mounts) for key, value in environment.items()}
        environment = {**environment, "PATH": f"{Path(sys.executable).parent}:{os.defpath}", **self.image}
        words = [_moved(each, mounts) for each in words]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        if self.is_isolated and can_isolate():
            environment |= {"TMPDIR": str(mounts["/tmp"]), **self._stand_ins(writable)}
            words = _isolated(words)
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Pod(process, log)

    def _stand_ins(self, writable: list[Path]) -> dict[str, str]:
        """What may be written to: mounts, and az's folder where the image's variables name another one."""
        folders = [*map(str, writable), *(self.image[each] for each in ("AZURE_CONFIG_DIR",) if each in self.image)]
        return {"WRITABLE": ":".join(folders)}

    def _volume(self, name: str, spec: Mapping[str, Any], pod: str) -> Path:
        (volume,) = [each for each in spec["volumes"] if each["name"] == name]
        is_shared = "persistentVolumeClaim" in volume
        folder = self.folder / "volumes" / (volume["persistentVolumeClaim"]["claimName"] if is_shared else pod) / name
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            maps = [each for each in objects_in(self.manifest) if each["kind"] == "ConfigMap"]
            (data,) = [each["data"] for each in maps if each["metadata"]["name"] == volume["configMap"]["name"]]
            for file, text in data.items():
                (folder / file).write_text(text)
        return folder

    def _value(self, variable: Mapping[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        source = variable["valueFrom"]
        if "secretKeyRef" in source:
            return self.secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        found = re.fullmatch(r"metadata\.labels\['(.*)'\]", source["fieldRef"]["fieldPath"])
        assert found is not None
        return self.labels[found[1]]


@dataclass
class Pod:
    """A started one."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def text(self) -> str:
        return self.log.read_text()

    def peak_mib(self) -> float:
        """The most memory that it had so far."""
        return max(map(_peak_mib, self.processes()))

    def processes(self) -> list[int]:
        """What runs in it: a shell, and az."""
        return [
            int(each.name)
            for each in Path("/proc").iterdir()
            if each.name.isdecimal() and _group_of(int(each.name)) == self.process.pid
        ]

    def kill(self) -> None:
        """As a node's kernel does that has no memory left."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def end(self, seconds: float = 120) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:  # it has ended meanwhile
        return None


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0) / 1024


def _moved(text: str, mounts: Mapping[str, Path]) -> str:
    for path, folder in sorted(mounts.items(), key=lambda each: -len(each[0])):
        if text == path or text.startswith(f"{path}/"):
            return str(folder) + text[len(path) :]
    return text


def words_of(container: Mapping[str, Any], variables: Mapping[str, str]) -> Sequence[str]:
    """The words of a container's command line, as its process gets them."""
    return [expanded(each, variables) for each in (*container["command"], *container.get("args", ()))]
