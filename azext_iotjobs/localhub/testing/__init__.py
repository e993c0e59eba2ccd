"""A local hub for tests: `LocalHub`, a process, and the pytest fixtures `local_hub` and `local_hub_session`.

In a conftest.py: `pytest_plugins = ["azext_iotjobs.localhub.testing"]`. The fixtures are imported on first use, so that
`LocalHub` needs no pytest.
"""

from typing import Any

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubFailed, LocalHubRefused

__all__ = ["LocalHub", "LocalHubFailed", "LocalHubRefused", "local_hub", "local_hub_session"]

FIXTURES = ("local_hub", "local_hub_session")


def __getattr__(name: str) -> Any:
    if name not in FIXTURES:
        raise AttributeError(name)
    from azext_iotjobs.localhub.testing import fixtures

    return getattr(fixtures, name)


def __dir__() -> list[str]:
    return [*globals(), *FIXTURES]
