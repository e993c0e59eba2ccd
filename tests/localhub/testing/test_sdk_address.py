"""Addresses for hubs that Microsoft's SDKs reach: each test process has one of its own."""

import socket
import subprocess
import sys

import pytest

from azext_iotjobs.localhub.testing import sdk_address
from azext_iotjobs.localhub.testing.sdk_address import ADDRESSES, LAST_ADDRESS, NoAddress, own_address
from tests.helpers.az import REPOSITORY

HOLD = (
    "from azext_iotjobs.localhub.testing import sdk_address\n"
    "sdk_address.PORTS = (0,)\n"
    "with sdk_address.own_address() as address:\n"
    "    print(address, flush=True); input()\n"
)


@pytest.fixture
def any_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that everybody may listen on, so that the rest is tested for every user."""
    monkeypatch.setattr(sdk_address, "PORTS", (0,))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.mark.skipif(sys.platform == "darwin", reason="there, only 127.0.0.1 is up")
def test_two_processes_never_have_the_same_address(any_ports: None) -> None:
    with own_address() as ours:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        theirs = other.stdout.readline().strip()
        with own_address() as third:
            assert len({ours, theirs, third}) == 3 and {ours, theirs, third} <= {*ADDRESSES, LAST_ADDRESS}
        other.communicate("\n", timeout=60)


@pytest.mark.skipif(sys.platform == "darwin", reason="there, only 127.0.0.1 is up")
def test_workers_begin_at_addresses_of_their_own(any_ports: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw200")
    with own_address() as address:
        assert address in ADDRESSES[200:]


def test_where_a_port_is_taken_at_all_addresses_that_is_said(any_ports: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        monkeypatch.setattr(sdk_address, "PORTS", (everywhere.getsockname()[1],))
        with pytest.raises(NoAddress, match="Microsoft's SDKs connect to ports 443, 8883 and 5671|Only 127.0.0.1"):
            own_address().__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="there, every user may listen on every port")
def test_who_may_not_listen_on_443_is_told_what_to_do(any_ports: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket, "create_server", refused)
    with pytest.raises(NoAddress, match="may not listen on. Run as root|only root may listen on: run with sudo"):
        own_address().__enter__()
