"""Our errors as documents of the console's API: a code, what was seen, what to do next."""

from azext_iotjobs.console.context import Document, Spelling
from azext_iotjobs.model import errors as ours

# First match wins: children stand above their parents.
STATUSES: tuple[tuple[type[ours.IotJobsError], int], ...] = (
    (ours.NotFound, 404),
    (ours.Conflict, 409),
    (ours.BadRequest, 400),
    (ours.UserError, 400),
    (ours.StateNotAllowed, 403),
    (ours.StateError, 409),
    (ours.HubAnswer, 502),
    (ours.LinkError, 502),
    (ours.DeviceFailed, 502),
)


def status_of(error: ours.IotJobsError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def error_document(code: str, message: str, hint: str | None = None) -> Document:
    """An error. code: for programs.  hint: None: nothing can be done."""
    return {"error": {"code": code, "message": message, "hint": hint}}


def document_of(error: ours.IotJobsError, spelling: Spelling) -> Document:
    """One of our errors, in the command line's words."""
    hint = None if error.hint is None else spelling.text(error.hint)
    return error_document(error.code, spelling.text(error.message), hint)
