"""Options of the modules of edge devices."""

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, DEVICE, HUB

CONTENT: Group = (
    option(
        "our_content",
        "--content -k",
        "What the modules are to be: a deployment manifest as JSON, a file or `@file`: an object with modulesContent, "
        "which may be inside of `content`.",
    ),
)

SET_MODULES: Options = (HUB, AUTH_TYPE, DEVICE, CONTENT)
EXPORT_MODULES: Options = (HUB, AUTH_TYPE, DEVICE)
