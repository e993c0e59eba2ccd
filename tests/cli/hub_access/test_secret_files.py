"""A file with a secret that others can read is used, and somebody is told so, once."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job.team_store import PASSWORD_FILE, _read
from azext_iotjobs.cli.hub_access import secret_files
from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.hub_access.secret_files import _is_mounted_secret, warn_if_others_read
from azext_iotjobs.cli.simulate.certificates import CertificateFolder, IssuedCertificates
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.errors import BadValue

pytestmark = pytest.mark.skipif(os.name == "nt", reason="files have no modes")
TOLD = "other users of this machine may read it or write to it"


@pytest.fixture(autouse=True)
def nobody_was_warned() -> Iterator[None]:
    secret_files._warned.clear()
    yield
    secret_files._warned.clear()


def a_file(folder: Path, mode: int, name: str = "my password", content: str = "sesame\n") -> str:
    path = folder / name
    path.write_text(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o622, 0o666])
def test_a_password_file_that_others_can_read_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    path = a_file(tmp_path, mode)
    assert _read(path, PASSWORD_FILE) == _read(path, PASSWORD_FILE) == "sesame"
    (said,) = caplog.messages
    assert said.startswith(f"{PASSWORD_FILE} {path}: {TOLD} (mode 0{mode:o})")
    assert said.endswith(f"chmod 600 '{path}'") and "sesame" not in said


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_nothing_is_said_of_one_that_is_its_owners(tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int) -> None:
    assert _read(a_file(tmp_path, mode), PASSWORD_FILE) == "sesame"
    assert not caplog.messages


@pytest.mark.parametrize(("owner", "is_told"), [(0, False), (1000, True)])
def test_the_group_of_a_file_of_roots_may_read_it(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    owner: int,
    is_told: bool,
) -> None:
    path = a_file(tmp_path, 0o640)
    real = os.stat

    def owned(given: Any, **more: Any) -> Any:
        found = real(given, **more)
        return SimpleNamespace(st_uid=owner, st_mode=found.st_mode) if str(given) == path else found

    monkeypatch.setattr(os, "stat", owned)
    warn_if_others_read(path, "--key-file-path")
    assert bool(caplog.messages) is is_told


def test_nothing_is_said_of_a_secret_that_kubernetes_or_docker_has_mounted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Kubernetes' kubelet writes all files of a secret into a folder with the time in its name, and links to them."""
    (tmp_path / "..2026_05_01_08_00_00.123").mkdir()
    a_file(tmp_path / "..2026_05_01_08_00_00.123", 0o644, "password")
    (tmp_path / "..data").symlink_to("..2026_05_01_08_00_00.123")
    (tmp_path / "password").symlink_to("..data/password")
    warn_if_others_read(str(tmp_path / "password"), PASSWORD_FILE)
    assert not caplog.messages
    warn_if_others_read(a_file(tmp_path, 0o644, "beside"), PASSWORD_FILE)
    assert TOLD in caplog.text, "a file beside it is no part of the secret"
    assert _is_mounted_secret("/run/secrets/store/password") and not _is_mounted_secret("/run/secrets-of-ann/password")


def test_what_is_no_file_is_not_judged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o666)
    for path in (str(pipe), str(tmp_path / "none"), "/dev/null"):
        warn_if_others_read(path, path)
    assert not caplog.messages


def test_on_windows_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_file(tmp_path, 0o644)
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        warn_if_others_read(path, PASSWORD_FILE)
    assert not caplog.messages


# -- private keys ------------------------------------------------------------------------------------------------------


def keys(folder: Path) -> tuple[str, str]:
    return a_file(folder, 0o644, "p-1-cert.pem"), a_file(folder, 0o644, "p-1-key.pem")


def test_the_key_of_a_device_is_told_of_once_and_none_with_a_passphrase(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    certificate, key = keys(tmp_path)
    locked = SignInOptions(certificate_file_path=certificate, key_file_path=key, our_passphrase="x")
    locked.credential(None, "p-1")  # type: ignore[arg-type]
    CredentialPlan.read("p-1", locked, SimulateOptions())
    assert not caplog.messages
    plain = SignInOptions(certificate_file_path=certificate, key_file_path=key)
    plain.credential(None, "p-1")  # type: ignore[arg-type]
    CredentialPlan.read("p-1", plain, SimulateOptions())
    (said,) = caplog.messages
    assert said.startswith(f"--key-file-path {key}: {TOLD}"), "its certificate is for everybody"


def test_of_a_folder_of_keys_one_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("p-1.pem", "p-2.pem"):
        a_file(tmp_path, 0o644, name)
    folder = CertificateFolder(str(tmp_path), None)
    for device in ("p-1", "p-2"):
        folder.of(device, tmp_path)
    (said,) = caplog.messages
    assert said.startswith(f"--certificate-file-path {tmp_path / 'p-1.pem'}: {TOLD}")


def test_the_key_of_a_test_ca_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = keys(tmp_path)
    with pytest.raises(BadValue):
        IssuedCertificates(certificate, key, None)
    assert f"--ca-key {key}: {TOLD}" in caplog.text
