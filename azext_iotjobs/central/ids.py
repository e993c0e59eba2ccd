"""IoT Central's ids -> ids of fleet jobs. Pure.

Rules: small letters; what a fleet job's id may not have becomes a dash; it begins with a letter or digit, and has at
most 40 characters. Two that become the same are the caller's to refuse.
"""

import re

from azext_iotjobs.central.documents import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import FLEET_JOB_ID

MAX_CHARACTERS = 40
RULE = f"ids of fleet jobs have at most {MAX_CHARACTERS} small letters, digits, - . _, and a letter or digit first"
MAX_CENTRAL_ID = 255  # IoT Central data plane: letters, digits, dash and underscore


def fleet_job_id_of(central_id: str) -> str:
    """The id of the fleet job. Raises BadValue where nothing is left of it."""
    if len(central_id) > MAX_CENTRAL_ID:
        raise BadValue(f"id has {len(central_id)} characters, at most {MAX_CENTRAL_ID} are allowed.")
    small = re.sub(r"[^a-z0-9._-]", "-", central_id.lower()).lstrip("._-")[:MAX_CHARACTERS]
    if not FLEET_JOB_ID.fullmatch(small):
        raise BadValue(f"id {shown(central_id)} has no letter or digit that the id of a fleet job could begin with.")
    return small
