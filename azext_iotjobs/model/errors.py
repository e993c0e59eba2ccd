"""Every error we raise, by whose fault it is.

    IotJobsError(message, hint)
      UserError     what was typed           BadValue, MissingChoice, ConflictingChoice
      HubAnswer     what the hub said no to  NotFound, Unauthorized, Forbidden, Conflict, Throttled, HubFault
      LinkError     the way to the hub       CannotConnect (NotTrusted), LinkLost, AnswerTooLate
      StateError    not in this state        WrongState, RunUnfinished, NotResumed, OldDependency, LeaseHeld, LeaseLost,
                                             StateBusy, StateFull, StateTooNew, StateDamaged, StateUnusable,
                                             StateNotAllowed

A message says what was seen and what is allowed; `hint` says what to do next. No secret is ever in either. Fields
and commands that they name are data (model/text.py): `str(err)` has Python's names, and each door spells its own.
"""

from azext_iotjobs.model.text import Field, parts_of

# A hub's words beside DeviceNotOnline for a device that was called, and disconnected before it answered.
# Source: a maintainer of azure-iot-sdk-csharp on the messages of DeviceNotFoundException, 2018.
HAS_LEFT = "device unavailable"


class IotJobsError(Exception):
    """Parent of all; `code` is stable and may be used by programs."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        """What was seen and what is allowed, with its parts: a Text where it names fields."""
        return self.args[0]  # type: ignore[no-any-return]

    @property
    def field(self) -> str | None:
        """The field that is wrong, the first that the message names; None where it names none."""
        return next((str(each) for each in parts_of(self.message) if isinstance(each, Field)), None)


class UserError(IotJobsError):
    """What was typed does not fit."""

    code = "user"


class BadValue(UserError):
    """A value that is not allowed."""

    code = "bad-value"


class MissingChoice(UserError):
    """Something that must be given was not."""

    code = "missing"


class ConflictingChoice(UserError):
    """Two things that cannot both be meant."""

    code = "conflict"


class HubAnswer(IotJobsError):
    """The hub refused.

    status: HTTP status.  hub_code: the hub's own word, such as DeviceNotOnline; None when it gave none.
    tracking_id: for support; None when it gave none.  retry_after_s: what the hub asked for, if it did.
    """

    code = "hub"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        hub_code: str | None = None,
        tracking_id: str | None = None,
        retry_after_s: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.hub_code = hub_code
        self.tracking_id = tracking_id
        self.retry_after_s = retry_after_s


class BadRequest(HubAnswer):
    """400 and other answers that say the request itself does not fit."""

    code = "hub-bad-request"


class NotFound(HubAnswer):
    """404: no such device, job or path; also raised for what does not exist on this machine."""

    code = "hub-not-found"

    def __init__(self, message: str, *, status: int = 404, **more: str | float | None) -> None:
        super().__init__(message, status=status, **more)  # type: ignore[arg-type]


class DeviceFailed(IotJobsError):
    """The device is known, but was not reached, was silent, or answered what is none."""

    code = "device-failed"


class Unauthorized(HubAnswer):
    """401: who you are is not known, or your policy lacks the right."""

    code = "hub-unauthorized"


class Forbidden(HubAnswer):
    """403: known, but not allowed."""

    code = "hub-forbidden"


class Conflict(HubAnswer):
    """409 and 412: it exists already, or has changed since it was read."""

    code = "hub-conflict"


class Throttled(HubAnswer):
    """429: too much, too fast, or no free slot."""

    code = "hub-throttled"


class HubFault(HubAnswer):
    """5xx: the hub's own trouble, or a device's silence (504)."""

    code = "hub-fault"


class LinkError(IotJobsError):
    """The hub was not reached, or the link to it broke."""

    code = "link"


class CannotConnect(LinkError):
    """No connection: name, port, proxy or trust; nothing was sent. `may_pass`: it was begun, and broke."""

    code = "cannot-connect"

    def __init__(self, message: str, *, hint: str | None = None, may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass


class NotTrusted(CannotConnect):
    """The TLS certificate was refused; trying again does not help."""

    code = "not-trusted"


class LinkLost(LinkError):
    """The connection broke in the middle; what was asked may or may not have been done."""

    code = "link-lost"


class AnswerTooLate(LinkError):
    """No answer in time; `waited_s` seconds were waited."""

    code = "too-late"

    def __init__(self, message: str, *, waited_s: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.waited_s = waited_s


class StateError(IotJobsError):
    """Not possible in the state that things are in."""

    code = "state"


class WrongState(StateError):
    """Something is asked of a job that it cannot do now."""

    code = "wrong-state"


class RunUnfinished(WrongState):
    """Another run of a fleet job has not ended."""

    code = "run-unfinished"


class NotResumed(StateError):
    """A run is as it was: its hub refused, or was not reached, before anything was done."""

    code = "not-resumed"


class OldDependency(StateError):
    """A third-party package is missing, or older than we need."""

    code = "dependency"


class LeaseHeld(StateError):
    """Somebody else carries it on."""

    code = "lease-held"


class LeaseLost(StateError):
    """Somebody else has taken it over; whoever had it must not go on."""

    code = "lease-lost"


class StateBusy(StateError):
    """The state file is locked by another process for longer than we wait."""

    code = "state-busy"


class StateFull(StateError):
    """There is no room to write the state file."""

    code = "state-full"


class StateTooNew(StateError):
    """The state file was written by a newer version."""

    code = "state-too-new"


class StateDamaged(StateError):
    """The state file is not a database, or is damaged."""

    code = "state-damaged"


class StateUnreachable(StateError):
    """The server of a team's store cannot be reached, or the connection to it was lost."""

    code = "state-unreachable"


class StateUnusable(StateError):
    """The state file cannot be opened or written."""

    code = "state-unusable"


class StateNotAllowed(StateUnusable):
    """The role that a team's store is used with may not do that there."""

    code = "state-not-allowed"
