"""Rules of file upload: how many uploads may be open, how long they and the notifications on them live. Pure.

A device asks for a place (an upload is open), writes the file into the storage container, and says how that went. Of a
file that is there, services are notified.
Source: IoT Hub devguide "file upload": limits, and the notifications' defaults.
"""

from datetime import timedelta

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.rules.blob_names import MAX_NAME_CHARACTERS, has_forbidden_character

MAX_OPEN = 10  # of one device
UPLOAD_LIFE = timedelta(hours=1)  # of the signature; an upload that is not ended by then is forgotten
NOTIFICATION_LIFE = timedelta(hours=1)
NOTIFICATION_LOCK = timedelta(seconds=60)
MAX_DELIVERIES = 100
CONTAINER = "uploads"


def blob_name(device_id: str, given: str) -> str:
    """The name of the blob for a file that a device calls `given`. Raises HubError 400."""
    if not given.strip("/"):
        raise HubError(ARGUMENT_INVALID, "blobName is missing or empty.")
    name = f"{device_id}/{given}"
    if len(name) > MAX_NAME_CHARACTERS:
        raise HubError(
            ARGUMENT_INVALID,
            f"blobName, with the device's id in front of it, has {len(name)} characters; at most "
            f"{MAX_NAME_CHARACTERS} are allowed.",
        )
    if has_forbidden_character(name):
        raise HubError(ARGUMENT_INVALID, "blobName has a control character, or is not valid Unicode.")
    return name
