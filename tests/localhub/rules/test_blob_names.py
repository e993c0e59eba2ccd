"""Which files blobs have: plain names are kept, and no name leads out of the folder."""

import pytest

from azext_iotjobs.localhub.rules.blob_names import hashed_name, is_blob_name, plain_path

PLAIN = ["devices.txt", "pump-1/logs/of today.txt", "süd/größe.bin", "a(1)+b,c=d@e.tar.gz"]
ODD = [
    *".. ../up a/../b /absolute a//b a/ .hidden a\\b c:evil con COM1.txt a/nul/b trail. what? * a|b <x> ~user".split(),
    *("trail ", " lead", "e\u0301", "\u212b", "x" * 300, "/".join("abcdefghijklmnopqrstuvwxyz")),
]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_name_is_the_files(name: str) -> None:
    assert str(plain_path(name)) == name


@pytest.mark.parametrize("name", ODD)
def test_any_other_name_is_hashed(name: str) -> None:
    assert is_blob_name(name)
    assert plain_path(name) is None
    assert len(hashed_name(name)) == 64


@pytest.mark.parametrize("name", ["", "a\x00b", "a\nb", "\ud800", "x" * 1025])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert not is_blob_name(name)
