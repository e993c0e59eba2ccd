"""Options of twins, of devices and modules."""

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, DEVICE, EDITS, HUB, IF_MATCH, JSON_FORMS, MODULE, edge, top

TWIN_UPDATE: Group = (
    option("desired_patch", "--desired", f"Desired properties to merge: {JSON_FORMS}.", nargs="+"),
    option("tags_patch", "--tags", f"Tags to merge: {JSON_FORMS}.", nargs="+"),
)


TWIN_REPLACE: Group = (
    option(
        "twin_json",
        "--json -j",
        f"Tags and properties.desired as they are to be, or a whole twin: {JSON_FORMS}.",
        nargs="+",
    ),
)


SHOW: Options = (HUB, AUTH_TYPE, DEVICE)
UPDATE: Options = (HUB, AUTH_TYPE, DEVICE, TWIN_UPDATE, IF_MATCH, EDITS)
REPLACE: Options = (HUB, AUTH_TYPE, DEVICE, TWIN_REPLACE, IF_MATCH)
LIST: Options = (HUB, AUTH_TYPE, edge("Only IoT Edge devices."), top(1000))
SHOW_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE)
UPDATE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, TWIN_UPDATE, IF_MATCH, EDITS)
REPLACE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, TWIN_REPLACE, IF_MATCH)
