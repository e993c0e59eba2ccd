"""What a command imports: az starts anew for each one, so that every module and dataclass on the way is paid each time.

`benchmarks/cli.py` measures it. A module that a command comes to need is entered here; one that it does not need is
imported where it is used.
"""

import importlib
import re
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Az

REPOSITORY = Path(__file__).parents[2]
EVERY = set(
    """
    _version cli cli.commands cli.errors cli.hub_access cli.hub_access.completers cli.hub_access.policy_rights
    cli.hub_access.passed_login cli.hub_access.resolve cli.hub_access.running_hubs cli.input cli.input.options
    cli.input.shared_params
    cli.loader cli.typed cli.output cli.output.characters cli.output.hints cli.output.spelling cli.output.streams
    cli.output.terminal_safe cli.output.terminals clients clients.hub clients.request_parts clients.response model
    model.clock model.connection_string model.errors model.text model.host_names model.ids model.late_dataclass
    model.target transport
    transport.auth transport.connection transport.http transport.link_errors transport.masking transport.open_files
    transport.retry transport.sessions transport.trust
    """.split()
)
OF_JOBS = set(
    """
    cli.input.option_groups cli.input.row_params cli.job cli.job.completers cli.job.params clients.job_codec
    clients.jobs model.job model.outcome model.query operations operations.job operations.job.run
    """.split()
)
OF_JOB_CREATE = set(
    """
    cli.input.device_selection cli.input.json_option cli.input.scalars cli.input.strict_json cli.input.twin_patch
    cli.input.verification_options
    cli.job.create cli.job.options cli.job.submit clients.job_request_codec model.condition
    model.condition_tokens model.job_request model.query_words model.selection model.twin model.waiting
    model.whole_condition
    """.split()
)
OF_TWINS = set("cli.twin cli.twin.params cli.twin.read clients.twin_codec clients.twins model.twin".split())
MODULES = {
    "job show": EVERY | OF_JOBS | {"cli.job.parent_links", "cli.job.read"},
    "job create": EVERY | OF_JOBS | OF_JOB_CREATE,
    "device-twin show": EVERY | OF_TWINS,
}
DATACLASSES = set(
    """
    SasKey SasToken ConnectionString Job JobTally SuccessStatus JobRequest Selection TwinPatch WaitPolicy
    """.split()
)
CREATED = "--job-type scheduleUpdateTwin --twin-patch".split()
TYPED = {
    "job show": ("--job-id", "start-1"),
    "job create": (
        *("--job-id", "start-2", *CREATED, '{"tags": {"a": 1}}'),
        *("--query-condition", "deviceId = 'nobody'"),
    ),
    "device-twin show": ("--device-id", "start-1"),
}


@pytest.fixture(scope="module")
def made(hub: ScenarioHub) -> ScenarioHub:
    """A hub with the job and the device that are looked at."""
    hub.new_device("start-1")
    made = ("--job-id", "start-1", *TYPED["job create"][2:])
    hub.az.json("iot", "hub", "job", "create", "-n", hub.name, *made)
    return hub


@pytest.mark.parametrize("command", MODULES)
def test_a_command_imports_what_it_uses_and_nothing_else(made: ScenarioHub, command: str) -> None:
    words = ("iot", "hub", *command.split(), "-n", made.name, *TYPED[command])
    ran = made.az.run(*words, environment={"PYTHONVERBOSE": "1"})
    assert ran.code == 0, ran.stderr[-1000:]
    imported = set(re.findall(r"^import 'azext_iotjobs\.(\S+)'", ran.stderr, re.MULTILINE))
    assert imported - MODULES[command] == set(), "imported, and not entered here: is it needed?"
    assert MODULES[command] - imported == set(), "entered here, and no longer imported"
    assert "azure.eventhub" not in ran.stderr


NOT_FOR = {
    "invoke-device-method": (
        "--device-id start-1 --method-name reboot",
        "cli.method.invoke_many model.fleet_job model.run",
    ),
    "fleet-job list": (
        "",
        "clients.hub transport.http fleet_job.engine fleet_job.store.leased_contract model.run_events",
    ),
}


@pytest.mark.parametrize("command", NOT_FOR)
def test_what_operates_many_devices_is_not_imported_for_one_or_for_a_list(made: ScenarioHub, command: str) -> None:
    options, unused = NOT_FOR[command]
    words = ("iot", "hub", *command.split(), "-n", made.name, *options.split())
    ran = made.az.run(*words, environment={"PYTHONVERBOSE": "1"})
    imported = set(re.findall(r"^import 'azext_iotjobs\.(\S+)'", ran.stderr, re.MULTILINE))
    assert "cli.commands" in imported and imported & set(unused.split()) == set()


def test_records_on_the_way_cost_little_to_make() -> None:
    """A dataclass takes 0.8 ms once it is used, a NamedTuple 0.1: the first is for what checks or hides parts."""
    rooms = [importlib.import_module(f"azext_iotjobs.{name}") for name in set().union(*MODULES.values())]
    made = {
        name
        for room in rooms
        for name, each in vars(room).items()
        if isinstance(each, type) and is_dataclass(each) and each.__module__ == room.__name__
    }
    assert made == DATACLASSES


def test_help_is_whole_wherever_az_shows_it(az: Az) -> None:
    group = az.run("iot", "hub", "fleet-job", "-h")
    command = az.run("iot", "hub", "job", "create", "-h")
    parts = az.run("iot", "hub", "-h")
    wrong = az.run("iot", "hub", "job", "show")
    listed = parts.stdout.partition("Commands:")[2]
    assert "Manage fleet jobs: many devices in batches" in group.stdout
    assert "Save a fleet job and, with --run, run it." in group.stdout
    assert "Manage fleet jobs: many devices in batches" in parts.stdout
    assert re.search(r"^    create +: Create an Azure IoT hub\.$", listed, re.MULTILINE)  # az's own, beside ours
    assert not re.findall(r"^    [a-z][a-z-]*$", listed, re.MULTILINE)  # each has its text
    assert "Examples" in command.stdout and "az iot hub job create -n localhost --job-id" in command.stdout
    assert wrong.code == 2 and "az iot hub job show -n localhost --job-id" in wrong.stderr


def test_who_loads_every_command_finds_its_help_in_knacks_table(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from generate import loaded_commands\n"
        "from knack.help_files import helps\n"
        "commands = loaded_commands()\n"
        "assert len(commands) > 50\n"
        "print(sorted(set(commands) - set(helps)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(REPOSITORY), str(REPOSITORY / "docs" / "generators")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=Az(tmp_path, tmp_path).environment,
    )
    assert ran.stdout.strip() == "[]"
