"""--twin-patch, or --desired and --tags: text -> the patch that is merged into twins."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.model.twin import PATCH_ROOTS, TwinPatch

logger = get_logger(__name__)

OPTION = "--twin-patch"


def read_twin_patch(given: Given) -> TwinPatch:
    """The patch, without the members that only the hub writes; a warning names those.

    Raises BadValue for a document that is not a patch, and for misspelled members, which twins do not have.
    """
    document = json_object_or_file(given, OPTION)
    if document.keys() <= PATCH_ROOTS:
        return TwinPatch(document=document)
    from azext_iotjobs.clients.twin_codec import TWIN_ROOTS  # here, so that most jobs start without it

    left_out = sorted(document.keys() & TWIN_ROOTS - PATCH_ROOTS)
    if left_out:
        selects = " It does not select devices." if "deviceId" in left_out else ""
        logger.warning("%s: %s left out: only the hub writes that.%s", OPTION, ", ".join(left_out), selects)
    return TwinPatch(document={name: value for name, value in document.items() if name not in left_out})


def read_desired_and_tags(desired: Given | None, tags: Given | None) -> dict[str, Any]:
    """The patch, as a document; {} when neither was typed. Raises BadValue for what is no JSON object."""
    document: dict[str, Any] = {}
    if desired is not None:
        document["properties"] = {"desired": json_object_or_file(desired, "--desired")}
    if tags is not None:
        document["tags"] = json_object_or_file(tags, "--tags")
    return document
