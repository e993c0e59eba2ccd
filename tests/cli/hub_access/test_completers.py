"""Tab offers the names of hubs that a command accepts."""

from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.hub_access import completers, running_hubs


@pytest.mark.parametrize(
    ("running", "offered"),
    [
        ((), ["localhost"]),
        (("localhost:8443",), ["localhost", "localhost:8443"]),
        (("localhost:8443", "localhost:9443"), ["localhost:8443", "localhost:9443"]),
        (("localhost:8443", "127.0.0.2:8443"), ["localhost:8443"]),
    ],
)
def test_localhost_is_offered_while_it_can_mean_one_hub_only(
    monkeypatch: pytest.MonkeyPatch, running: tuple[str, ...], offered: list[str]
) -> None:
    monkeypatch.setattr(running_hubs, "running_hubs", lambda: [SimpleNamespace(selector=each) for each in running])
    tab: Any = completers.hub_names  # as az has it
    assert list(tab.func(None, "local", None)) == offered
