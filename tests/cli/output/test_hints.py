"""Messages and hints name options, and commands that can be pasted: with hub and folder as typed, never a secret."""

import shlex
from collections.abc import Iterator

import pytest
from azure.cli.core.azclierror import AzCLIError

from azext_iotjobs.cli.errors import to_az_error
from azext_iotjobs.cli.output.hints import Typed, note, spelled, suggestion, typed_in
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Field, Text, command

SECRET = "HostName=h;SharedAccessKeyName=p;SharedAccessKey=AAEC"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    note(Typed())


def test_a_hint_is_a_text_for_whoever_only_shows_it() -> None:
    hint = Text("Wait: ", command("iot hub job wait", job_id="a b"), ".")
    assert hint == "Wait: az iot hub job wait job_id='a b'."
    assert spelled(hint) == 'Wait: az iot hub job wait --job-id "a b"'
    assert spelled("plain") == "plain"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "a"), ("a b", '"a b"'), ("*", '"*"'), ("", "''"), ("$a b", "'$a b'"), ('"', "'\"'"), ("50 %", "'50 %'")],
)
def test_a_value_stands_in_double_quotes_where_every_shell_leaves_it_as_it_is(value: str, shown: str) -> None:
    assert suggestion("iot hub query", query_command=value) == f"az iot hub query -q {shown}"


@pytest.mark.parametrize(
    ("field", "running", "option"),
    [
        ("poll_interval_s", "", "--poll-interval"),
        ("max_execution_s", "iot hub job create", "--ttl"),
        ("response_timeout_s", "iot hub job create", "--method-response-timeout"),
        ("response_timeout_s", "iot hub invoke-device-method", "--timeout"),
        ("connect_timeout_s", "iot hub invoke-module-method", "--connect-timeout"),
        ("limit", "iot hub job list", "--top"),
        ("limit", "iot hub fleet-job create", "--limit"),
    ],
)
def test_a_field_is_spelled_as_the_command_that_runs_spells_it(field: str, running: str, option: str) -> None:
    note(typed_in({}, running))
    assert spelled(Text.of("{wrong} {seen}: no.", wrong=Field(field), seen=3)) == f"{option} 3: no."


def test_what_somebody_typed_is_never_read_as_a_field() -> None:
    text = Text.of("{exclude} {seen}: no.", seen="{limit}")
    assert text == "exclude {limit}: no." and spelled(text) == "--exclude {limit}: no."


def test_an_error_that_passes_on_another_keeps_its_fields() -> None:
    inner = BadValue(Text.of("{exclude} is empty."))
    outer = BadValue(Text("FILE, line 3: ", inner.message))
    assert (outer.field, str(outer)) == ("exclude", "FILE, line 3: exclude is empty.")
    assert spelled(outer.message) == "FILE, line 3: --exclude is empty."
    assert BadValue("no").field is None


def test_a_command_in_a_hint_ends_its_line() -> None:
    wait, stop = command("iot hub job wait", job_id="a"), command("iot hub job cancel", job_id="a")
    assert spelled(Text("Wait: ", wait, ". Or end it: ", stop, ".")) == (
        "Wait: az iot hub job wait --job-id a\nOr end it: az iot hub job cancel --job-id a"
    )
    assert spelled(Text(wait, ", or look again.")) == "az iot hub job wait --job-id a\nor look again."


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({}, "az iot hub job wait --job-id j"),
        ({"our_hub_name": " localhost:8444 "}, "az iot hub job wait --job-id j -n localhost:8444"),
        (
            {"our_hub_name": "h", "resource_group": "g", "auth_type": "login"},
            "az iot hub job wait --job-id j -n h -g g --auth-type login",
        ),
        ({"our_login": SECRET}, "az iot hub job wait --job-id j -l CONNECTION-STRING"),
        ({"state_path": "/s"}, "az iot hub job wait --job-id j"),
    ],
)
def test_a_command_of_a_hub_names_it_as_it_was_typed(arguments: dict[str, str], shown: str) -> None:
    note(typed_in(arguments))
    assert suggestion("iot hub job wait", job_id="j") == shown


@pytest.mark.parametrize(
    ("words", "arguments", "shown"),
    [
        ("show", {"state_path": "/my $ folder"}, "az iot hub fleet-job show -j f --state-dir '/my $ folder'"),
        ("show", {"our_login": SECRET}, "az iot hub fleet-job show -j f"),
        (
            "resume",
            {"our_login": SECRET, "state_path": "s"},
            "az iot hub fleet-job resume -j f -l CONNECTION-STRING --state-dir s",
        ),
        ("run", {"our_hub_name": "localhost"}, "az iot hub fleet-job run -j f -n localhost"),
    ],
)
def test_a_command_of_fleet_jobs_names_its_folder_too(words: str, arguments: dict[str, str], shown: str) -> None:
    note(typed_in(arguments))
    assert suggestion(f"iot hub fleet-job {words}", fleet_job_id="f") == shown


def test_a_hub_that_a_hint_itself_names_is_the_one() -> None:
    note(typed_in({"our_hub_name": "this"}))
    assert suggestion("iot hub fleet-job copy", fleet_job_id="f", hub="HUB") == "az iot hub fleet-job copy -j f -n HUB"
    assert suggestion("iot local-hub start", detach=True) == "az iot local-hub start --detach"


def test_an_errors_recommendation_is_pasteable_and_holds_no_secret() -> None:
    note(typed_in({"our_hub_name": "my hub;x", "our_login": SECRET}))
    with pytest.raises(AzCLIError) as raised:
        to_az_error(BadValue("no", hint=Text("Look: ", command("iot hub job list"))))
    (shown,) = raised.value.recommendations
    assert shlex.split(shown.removeprefix("Look: "))[:6] == ["az", "iot", "hub", "job", "list", "-n"]
    assert '"my hub;x"' in shown and "AAEC" not in shown
