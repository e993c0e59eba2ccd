"""Whether the machine's clock can be right: compared with the hub's, when nobody has looked at a schedule for long."""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.request_parts import path_part
from azext_iotjobs.fleet_job.due import ClockDoubt, clock_doubt
from azext_iotjobs.model.ids import JOB
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.transport.http import Request

CLOSE_S = 3_600.0  # a machine that takes its local time for UTC is further off

Confirm = Callable[[StoredSchedule, datetime | None], None]


def check_clock(stored: StoredSchedule, now: datetime, open_hub: Callable[[], HubClient], confirm: Confirm) -> bool:
    """Compare the clock with the hub's, where it is ahead of the last poll by more than a day.

    now: by the clock.  open_hub: it is only called then.
    confirm: is called with the hub's time, None where the hub does not say it, unless that is close; it raises where
    nobody agrees.
    Gives whether the clock was set back since the last poll. Raises HubAnswer, LinkError.
    """
    doubt = clock_doubt(stored, now)
    if doubt is ClockDoubt.AHEAD:
        at = hub_now(open_hub())
        if at is None or abs((at - now).total_seconds()) > CLOSE_S:
            confirm(stored, at)
    return doubt is ClockDoubt.BACK


def hub_now(client: HubClient) -> datetime | None:
    """The hub's time to the second, as its answers say it; None: they do not."""
    asked = Request(method="GET", path=f"/jobs/v2/{path_part(JOB, 'clock')}", may_repeat=True)
    text = client.transport.send(asked).headers.get("date")
    try:
        at = None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else at
