"""Options of the import from IoT Central."""

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, HUB, STATE

FILES: Group = (
    option(
        "from_central",
        "--from-central",
        "Files with jobs, scheduled jobs and device groups, as IoT Central's REST API gives them: one, a list or a "
        "page of them. - is standard input.",
        nargs="+",
    ),
)

CHOICES: Group = (
    option(
        "our_map",
        "--map",
        "Where names in the filters of device groups are in twins: NAME=PATH, such as Company=tags.company, "
        "light=properties.reported.light.value or '$template=tags.template'. Default: modelId for $template, "
        "properties.reported.NAME for others.",
        nargs="+",
    ),
    option(
        "assume",
        "--assume",
        "What all devices of the hub are, where filters ask for it: provisioned=true or false, simulated=true or "
        "false. Default: such a filter is refused.",
        nargs="+",
    ),
)

SAVING: Group = (
    option(
        "overwrite",
        "--overwrite",
        "Put documents in the place of fleet jobs, schedules and device groups that differ. Default: they are refused.",
        action="store_true",
    ),
    option("dry_run", "--dry-run", "Show what would become of each document; change nothing.", action="store_true"),
)

IMPORT: Options = (HUB, AUTH_TYPE, STATE, FILES, CHOICES, SAVING)
