"""Options of the twins of devices and modules."""

from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    DEVICE,
    EDITS,
    HUB,
    IF_MATCH,
    JSON_FORMS,
    MODULE,
    PATCH_FORMS,
    TAG_FORMS,
    edge,
    top,
)

TWIN_UPDATE: Group = (
    extra("our_desired", "--desired", f"Desired properties to merge: {JSON_FORMS}.", nargs="+"),
    extra("our_tags", "--tags", f"Tags to merge: {TAG_FORMS}.", nargs="+"),
)

TWIN_REPLACE: Group = (
    option(
        "json",
        "--json -j",
        f"The new tags and properties.desired, or a whole twin: {PATCH_FORMS}.",
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
