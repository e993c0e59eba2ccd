"""Files and folders with secrets."""

import os
from pathlib import Path

import pytest

from azext_iotjobs.localhub.process.private_files import make_private_folder, write_private, write_public


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_folders_are_private_with_their_new_parents_and_others_stay_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path / "a" / "b" / "c")
    make_private_folder(tmp_path / "a" / "b")
    modes = [each.stat().st_mode & 0o777 for each in (tmp_path, *sorted(tmp_path.rglob("*")))]
    assert modes == [0o755, 0o700, 0o700, 0o700]


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OSError):
        make_private_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a").read_text() == "a file"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_who_may_read_a_file_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_private(tmp_path / "key", b"")
        write_public(tmp_path / "ca.pem", b"")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("key", "ca.pem")] == [0o600, 0o644]
