"""A connection string that was typed for a process counts in those that it starts, and is in no command line."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.cli.hub_access import passed_login
from azext_iotjobs.cli.hub_access.passed_login import (
    ENVIRONMENT_VARIABLE,
    IS_TYPED,
    environment_with,
    with_passed,
    without_login,
)
from azext_iotjobs.cli.hub_access.resolve import hub_arguments

LOGIN = "HostName=localhost:8443;SharedAccessKeyName=device;SharedAccessKey=a2V5"


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "of the shell")
    monkeypatch.delenv(IS_TYPED, raising=False)
    passed_login._passed.cache_clear()
    yield
    passed_login._passed.cache_clear()


def test_what_was_typed_is_passed_on_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_with(LOGIN).items():
        monkeypatch.setenv(name, value)
    assert hub_arguments({"our_hub_name": "localhost"}).login == LOGIN
    assert with_passed({"our_login": None, "our_hub_name": "localhost"})["our_login"] == LOGIN
    assert with_passed({"our_login": "another"})["our_login"] == "another"
    assert IS_TYPED not in environment_with(None), "its own processes are told only by itself"


def test_what_is_only_in_the_environment_is_not_typed() -> None:
    assert environment_with(None)[ENVIRONMENT_VARIABLE] == "of the shell"
    assert hub_arguments({"our_hub_name": "localhost"}).login is None


@pytest.mark.parametrize(
    "typed",
    [
        ["--login", LOGIN],
        ["-l", LOGIN],
        ["--logi", LOGIN],
        [f"--login={LOGIN}"],
        [f"--lo={LOGIN}"],
        [f"-l={LOGIN}"],
        [f"-l{LOGIN}"],
    ],
)
def test_it_is_taken_out_of_a_command_line(typed: list[str]) -> None:
    words = ["iot", "device", "simulate", *typed, "--count", "3"]
    assert without_login(words) == (["iot", "device", "simulate", "--count", "3"], LOGIN)


def test_a_command_line_without_one_stays() -> None:
    words = ["iot", "device", "simulate", "-l", "@file", "--module", "--login-not", LOGIN]
    assert without_login(words) == (words, None)
