"""Fixtures of the documents: the machine that pages are gone through on."""

import shutil
from collections.abc import Iterator

import pytest

from tests.documents.machine import Machine
from tests.helpers.az import EXTENSIONS


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """One machine for all pages of a worker, one after the other."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not here")
    assert (EXTENSIONS / "iotjobs").is_dir(), "the extension is not installed: run `make test`, or `make demo` once"
    made = Machine()
    yield made
    made.close()
