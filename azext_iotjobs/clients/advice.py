"""What to do about a refusal: from the hub's code, and from what was asked, by whom and when. Pure.

What is said of 401 and 403 is in access_advice.py.
Source: IoT Hub devguide "troubleshoot errors", "quotas and throttling" and "control access".
"""

import re
from urllib.parse import unquote

from azext_iotjobs.clients.access import Access, access_of
from azext_iotjobs.clients.access_advice import Advice, forbidden, not_let_in
from azext_iotjobs.model.errors import HAS_LEFT
from azext_iotjobs.model.text import Command, Text, command
from azext_iotjobs.transport.http import SentRequest

QUERY_PATHS = ("/devices/query", "/jobs/v2/")
DEVICE = "ID"  # in a hint's command: the device that was asked about
DEVICE_PATH = r"/(?:devices|twins)/([^/]+)"

BY_CODE: dict[str, str] = {
    "InvalidProtocolVersion": "The hub does not know the API version 2021-04-12. Is this an IoT Hub?",
    "DeviceMaximumQueueDepthExceeded": Text(
        "50 messages wait for this device, the most that a hub keeps. Let the device receive them, or remove them: ",
        command("iot device c2d-message purge", device_id=DEVICE),
    ),
    "DeviceMaximumInflightMethodExceeded": "Too many calls wait for an answer from this device: call it again "
    "when some of them have ended.",
    "IotHubQuotaExceeded": Text(
        "The messages of this day are used up. Wait until 00:00 UTC, when counting starts again, or add units. See: ",
        command("iot hub show-quota-metrics"),
    ),
    "JobQuotaExceeded": Text(
        "A hub runs one import or export job at a time. List the jobs: ", command("iot hub job list")
    ),
    "OperationNotAvailableInCurrentTier": "The Basic tier has no jobs, twins, methods or cloud-to-device messages; "
    "use a hub of the Standard or Free tier.",
    "DeviceDisabled": Text(
        "Enable it: ", command("iot hub device-identity update", device_id=DEVICE, status="enabled")
    ),
    "DeviceNotFound": Text("Is it registered on this hub? ", command("iot hub device-identity list")),
    "ModuleNotFound": "Is the module registered on this device? Its id is case-sensitive.",
    "JobNotFound": Text("A hub forgets jobs after 30 days. List the ones there are: ", command("iot hub job list")),
    "DeviceNotOnline": Text.of(
        "The device is not connected, or does not listen for methods. A longer {response_timeout_s} lets the hub wait "
        "for it."
    ),
    "GatewayTimeout": Text.of(
        "The device is connected but did not answer in time; {response_timeout_s} may be 300 seconds at most. Only the "
        "device knows whether it carried the method out."
    ),
    "GenericBadGateway": "The device's answer is not JSON, or is larger than 128 KB: correct the device's program.",
    "OperationNotAllowedInCurrentState": "Only a job that has not begun can be cancelled.",
    "DeviceAlreadyExists": Text("Change it with: ", command("iot hub device-identity update", device_id=DEVICE)),
    "ModuleAlreadyExistsOnDevice": "Choose another module id, or change the one that is there.",
    "JobAlreadyExists": Text.of("A job id stays taken for 30 days: choose another {job_id}."),
    "PreconditionFailed": Text.of("The hub's copy has changed since it was read: read it again, or leave {etag} out."),
    "DeviceMessageLockLost": Text.of(
        "The lock on the message has ended, and the message waits again: receive it again, perhaps with a longer "
        "{lock_timeout_s}."
    ),
    "MessageTooLarge": "The limits are 256 KB for telemetry, 64 KB for a message to a device, and 128 KB for a "
    "method's payload and its answer.",
    "TooManyDevices": "A bulk change takes 100 devices at most.",
    "ThrottlingMaxActiveJobCountExceeded": Text.of(
        "A hub runs 1 job at once in F1 and S1, 5 in S2, 10 in S3. Wait until a job has ended, cancel one that has not "
        "begun, or let {queue} wait."
    ),
}
HUBS_TROUBLE = (
    "The hub itself has a problem: try again later. If the problem persists, Azure support can find it by the tracking "
    "id."
)
WELL_FORMED = (
    "Is the query or condition well-formed? Write text in 'single quotes', and names that are words of the language in "
    "[[double brackets]]."
)
QUERY = Text(
    f"{WELL_FORMED} Try it out: ",
    command("iot hub query", query_command="SELECT * FROM devices WHERE …"),
)
LEFT = "It disconnected before it answered. Only the device knows whether it carried the method out."
# A hub says only that a new job is wrong. What it says in words of its own is looked at for which part it means.
JOB_PARTS = (
    (
        r"start\s*time",
        Text.of(
            "The start must be within 168 hours from now, by the hub's clock: correct {start_at}, or leave it out to "
            "start now."
        ),
    ),
    (r"max\s*execution|execution\s*time|\bttl\b", Text.of("{max_execution_s} must be 1 second or more.")),
    (
        r"time-?\s?out",
        Text.of("{response_timeout_s} must be 5 to 300 s, and {connect_timeout_s} 0 to 300 s and no longer than that."),
    ),
    (r"job\s*id", "A job id has 1 to 64 of a-z, 0-9 and dash."),
)
JOB = Text(*QUERY.parts, ". A start may be 168 hours ahead at most.")


def advice(status: int, hub_code: str | None, sent: SentRequest | None, date: str | None, words: str = "") -> Advice:
    """What to say beside the hub's own words, `words`.

    sent: what was refused; None: not known.  date: the answer's Date header, by which the hub's clock is known.
    """
    if hub_code == "DeviceNotOnline" and HAS_LEFT in words.lower():
        return Advice(hint=LEFT)
    if hub_code in BY_CODE:
        return Advice(hint=_about(BY_CODE[hub_code], sent))
    if status == 401:
        return not_let_in(sent, date)
    if status == 403:
        return forbidden(sent)
    if status == 429:
        return Advice(hint=_throttle(None if sent is None else access_of(sent.method, sent.path)))
    if status >= 500 and status != 501:  # a hub that has not got something says so itself, and will not get it
        return Advice(hint=HUBS_TROUBLE)
    if status == 400 and sent is not None and sent.method != "GET" and sent.path.startswith(QUERY_PATHS):
        return Advice(hint=QUERY if sent.path.startswith("/devices/") else _about_job(words))
    return Advice()


def _about(hint: str, sent: SentRequest | None) -> str:
    """A hint whose commands name the device that was asked about, where that is known."""
    found = None if sent is None else re.match(DEVICE_PATH, sent.path)
    if found is None or not isinstance(hint, Text):
        return hint
    device = unquote(found[1])
    return Text(*(each.replacing(DEVICE, device) if isinstance(each, Command) else each for each in hint.parts))


def _about_job(words: str) -> str:
    return next((hint for pattern, hint in JOB_PARTS if re.search(pattern, words, re.IGNORECASE)), JOB)


def _throttle(access: Access | None) -> str:
    if access is None or access.throttle is None:
        return "The hub limits the number of requests: slow down, or buy more units or a larger tier."
    limit = f"The hub limits {access.throttle.what}: {access.throttle.limit}."
    return f"{limit} Send fewer at once, or buy more units or a larger tier."
