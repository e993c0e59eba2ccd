"""Which answers deserve another try, and after how many seconds. Pure: chance and time are arguments.

A 429 was refused before anything was done, so any request may be repeated; the hub's own advice is ten seconds.
Anything else may have reached its end, so only requests that may be repeated are.
"""

from enum import Enum

RIDE_OUT_LIMIT_S = 120.0  # for one request; a hub that is throttled longer has a quota problem, not a burst
THROTTLE_PAUSE_S = 10.0  # what the hub's 429 text advises; it sends no Retry-After
FAULT_PAUSES_S = (1.0, 2.0, 4.0)  # for 5xx and lost links; more tries would only hide an outage
SERVER_BUSY, BAD_CREDENTIALS, NOT_AUTHORISED = 3, 4, 5  # CONNACK codes, MQTT 3.1.1 3.2.2.3
FIRST_TRIES, FIRST_TRIES_S = 3, 3.0  # to reach a hub at all; a device's own three take about so long
SHORT_LINKS = 3  # so many in a row that ended early are more than chance
SLOT_TAKEN = "ThrottlingMaxActiveJobCountExceeded"  # waiting seconds does not help: a job must end first
STEADY_AFTER_S = 30.0  # a link that held so long starts the back-off anew: two devices of one id end each other's
RECONNECT_LIMIT_S = 60.0  # between two tries of a device to connect again
KEEP_ALIVE_S = 60  # the official SDKs' default is of this order; the hub allows up to 1177
FAULTS = (500, 502, 503, 504)


def pause_after_answer(
    *, status: int, hub_code: str | None, retry_after_s: float | None, tries: int, may_repeat: bool, chance: float
) -> float | None:
    """Seconds until the next try, or None for "this answer stands".

    tries: how many were made, 1 or more.  chance: 0..1, spreads clients that were throttled together.
    """
    if status == 429 and hub_code != SLOT_TAKEN:
        return retry_after_s if retry_after_s is not None else THROTTLE_PAUSE_S * (1 + 0.5 * chance)
    if status in FAULTS:
        return pause_after_fault(tries=tries, may_repeat=may_repeat, chance=chance)
    return None


def pause_after_fault(*, tries: int, may_repeat: bool, chance: float) -> float | None:
    """Seconds until the next try after a server fault or a lost link, or None for "give up"."""
    if not may_repeat or tries > len(FAULT_PAUSES_S):
        return None
    return FAULT_PAUSES_S[tries - 1] * (1 + 0.5 * chance)


def reconnect_pause(*, tries: int, chance: float) -> float:
    """Seconds until a device's next try to connect: 1, 2, 4 … at most RECONNECT_LIMIT_S, each made shorter by chance.

    tries: how many failed in a row, 1 or more.  chance: 0..1; devices that lost one hub must not all come back at once.
    """
    return min(RECONNECT_LIMIT_S, 2.0 ** min(tries - 1, 16)) * (1 - 0.5 * chance)


def keep_alive_s(chance: float) -> int:
    """Seconds of silence after which a device pings, KEEP_ALIVE_S or up to a quarter less.

    chance: 0..1, the device's own: a job that all have answered at once must not be followed by all pings at once.
    """
    return int(KEEP_ALIVE_S * (1 - 0.25 * chance))


class AfterRefusal(Enum):
    """What a device does that was refused in CONNACK."""

    GIVE_UP = "give-up"
    TRY_AGAIN = "try-again"  # with a fresh token
    BACK_OFF = "back-off"  # the hub is there and busy


def after_refusal(code: int, *, refusals: int, was_in: bool) -> AfterRefusal:
    """What to do after CONNACK said no.

    code: as in MQTT 3.1.1.  refusals: in a row, this one included.  was_in: the hub has taken this device before, so
    that its key was right then: it gets one more try, with a fresh token.
    """
    if code == SERVER_BUSY:
        return AfterRefusal.BACK_OFF
    if code in (BAD_CREDENTIALS, NOT_AUTHORISED) and was_in and refusals == 1:
        return AfterRefusal.TRY_AGAIN
    return AfterRefusal.GIVE_UP


def is_unreachable(*, own_tries: int, all_tries: int, failing_s: float) -> bool:
    """Whether a hub that no device has ever reached is given up: a host is more often misspelt than busy.

    own_tries: that one device made and that failed.  all_tries: of all devices.  failing_s: since the first of them.
    """
    return own_tries >= FIRST_TRIES or (all_tries >= FIRST_TRIES and failing_s >= FIRST_TRIES_S)


def busy_pause(*, tries: int, chance: float) -> float:
    """Seconds until a device's next try after "server unavailable"."""
    return max(THROTTLE_PAUSE_S * (1 + 0.5 * chance), reconnect_pause(tries=tries, chance=chance))


def is_short(link_s: float) -> bool:
    """Whether a connection that held `link_s` seconds ended early."""
    return link_s < STEADY_AFTER_S


def is_perhaps_taken_over(short_links: int) -> bool:
    """Whether so many connections in a row that ended early look like a second client of the same id."""
    return short_links >= SHORT_LINKS
