"""What all manifests share, as it is when a pod runs: it can write to its own folders and nowhere else."""

from pathlib import Path

import pytest

from azext_iotjobs.cli.output import kubernetes
from tests.helpers.pods import Pods, can_isolate, expanded, objects_in


def test_a_pod_writes_to_its_own_folders_alone(tmp_path: Path) -> None:
    if not can_isolate():
        pytest.skip("a mount namespace needs Linux, unshare and root")
    elsewhere = tmp_path / "elsewhere"
    words = ["sh", "-c", kubernetes.word(f'touch "$HOME/own"; touch {elsewhere} || echo "$0 cannot"'), "it"]
    spec = kubernetes.pod([kubernetes.container("any", "image", words, [], [])], restartPolicy="Never")
    manifest = kubernetes.manifest("", [{"kind": "Pod", "spec": spec}])
    pod = Pods(manifest, tmp_path, {}, {}, {}).start(objects_in(manifest)[0], "any")
    assert pod.end() == 0
    assert "it cannot" in pod.text() and not elsewhere.exists()
    assert [path.name for path in (tmp_path / "volumes").rglob("own")] == ["own"]


@pytest.mark.parametrize(
    ("text", "read"),
    [("$$(A)", "$(A)"), ("$(A)", "a"), ("$(B)", "$(B)"), ("$$$(A)", "$a"), ("$", "$"), ("$x", "$x"), ("$$", "$")],
)
def test_variables_are_replaced_as_kubernetes_does(text: str, read: str) -> None:
    assert expanded(text, {"A": "a"}) == read
    assert expanded(kubernetes.word(text), {"A": "a"}) == text
