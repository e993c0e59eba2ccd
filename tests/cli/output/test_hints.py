"""Commands in hints can be pasted: they name the hub and the folder as these were typed, and never a secret."""

import shlex
from collections.abc import Iterator

import pytest
from azure.cli.core.azclierror import AzCLIError

from azext_iotjobs.cli.errors import to_az_error
from azext_iotjobs.cli.output.hints import Typed, note, pasteable, suggestion, typed_in
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.hints import Hint, command

SECRET = "HostName=h;SharedAccessKeyName=p;SharedAccessKey=AAEC"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    note(Typed())


def test_a_hint_is_a_text_for_whoever_only_shows_it() -> None:
    hint = Hint("Wait: ", command("iot hub job wait", "--job-id", "a b"), ".")
    assert hint == "Wait: az iot hub job wait --job-id 'a b'."
    assert pasteable("plain") == "plain"


def test_a_command_in_a_hint_ends_its_line() -> None:
    wait, stop = command("iot hub job wait", "--job-id", "a"), command("iot hub job cancel", "--job-id", "a")
    assert pasteable(Hint("Wait: ", wait, ". Or end it: ", stop, ".")) == (
        "Wait: az iot hub job wait --job-id a\nOr end it: az iot hub job cancel --job-id a"
    )
    assert pasteable(Hint(wait, ", or look again.")) == "az iot hub job wait --job-id a\nor look again."


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({}, "az iot hub job wait --job-id j"),
        ({"our_hub_name": " localhost:8444 "}, "az iot hub job wait --job-id j -n localhost:8444"),
        ({"our_hub_name": "h", "resource_group": "g", "auth_type": "login"},
         "az iot hub job wait --job-id j -n h -g g --auth-type login"),
        ({"our_login": SECRET}, "az iot hub job wait --job-id j -l CONNECTION-STRING"),
        ({"state_path": "/s"}, "az iot hub job wait --job-id j"),
    ],
)  # fmt: skip
def test_a_command_of_a_hub_names_it_as_it_was_typed(arguments: dict[str, str], shown: str) -> None:
    note(typed_in(arguments))
    assert suggestion("iot hub job wait", "--job-id", "j") == shown


@pytest.mark.parametrize(
    ("words", "arguments", "shown"),
    [
        ("show", {"state_path": "/my $ folder"}, "az iot hub fleet-job show -j f --state-dir '/my $ folder'"),
        ("show", {"our_login": SECRET}, "az iot hub fleet-job show -j f"),
        ("resume", {"our_login": SECRET, "state_path": "s"},
         "az iot hub fleet-job resume -j f -l CONNECTION-STRING --state-dir s"),
        ("run", {"our_hub_name": "localhost"}, "az iot hub fleet-job run -j f -n localhost"),
    ],
)  # fmt: skip
def test_a_command_of_fleet_jobs_names_its_folder_too(words: str, arguments: dict[str, str], shown: str) -> None:
    note(typed_in(arguments))
    assert suggestion(f"iot hub fleet-job {words}", "-j", "f") == shown


def test_a_hub_that_a_hint_itself_names_is_the_one() -> None:
    note(typed_in({"our_hub_name": "this"}))
    assert suggestion("iot hub fleet-job copy", "-j", "f", "-n", "HUB") == "az iot hub fleet-job copy -j f -n HUB"
    assert suggestion("iot local-hub start", "--detach") == "az iot local-hub start --detach"


def test_an_errors_recommendation_is_pasteable_and_holds_no_secret() -> None:
    note(typed_in({"our_hub_name": "my hub;x", "our_login": SECRET}))
    with pytest.raises(AzCLIError) as raised:
        to_az_error(BadValue("no", hint=Hint("Look: ", command("iot hub job list"))))
    (shown,) = raised.value.recommendations
    assert shlex.split(shown.removeprefix("Look: "))[:6] == ["az", "iot", "hub", "job", "list", "-n"]
    assert "'my hub;x'" in shown and "AAEC" not in shown
