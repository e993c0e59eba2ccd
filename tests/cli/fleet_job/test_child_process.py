"""Commands in processes of their own mean the hub that was typed."""

from types import SimpleNamespace

from azext_iotjobs.cli.fleet_job.child_process import az_command
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.team_store import TeamStore


def test_the_subscription_that_was_typed_is_passed_on() -> None:
    typed = SimpleNamespace(data={"subscription_id": "sub-2"})
    words = az_command(FleetJobContext(typed, {"our_hub_name": "h1", "our_login": "secret"}, None, None), ["iot"])
    assert words[3:] == ["iot", "--hub-name", "h1", "--subscription", "sub-2"]


def test_a_configured_store_is_passed_on_with_its_sign_in() -> None:
    team = TeamStore("postgresql://ann@db.example.com/fleet", "login", None)
    words = az_command(FleetJobContext(SimpleNamespace(data={}), {}, None, None, team=team), ["iot"])
    assert words[3:] == ["iot", "--store", team.url, "--store-auth", "login"]


def test_where_none_was_typed_az_has_its_own() -> None:
    words = az_command(FleetJobContext(SimpleNamespace(data={}), {}, None, None), ["iot"])
    assert words[3:] == ["iot"]
