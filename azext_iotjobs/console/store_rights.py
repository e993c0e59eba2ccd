"""What may be done in the store of fleet jobs by the role that it is used with. Buttons for more are left out."""

from azext_iotjobs.console.context import Document
from azext_iotjobs.fleet_job.store.contract import StoreRights
from azext_iotjobs.model.errors import StateNotAllowed

SEES = "The role that the console signs in to the store with may see fleet jobs, and neither run nor define them."
RUNS = "The role that the console signs in to the store with may run fleet jobs, and not define or schedule them."
HINT = "Whoever administers the store can grant it more: docs/how-to/team-store.md has the SQL."


def rights_document(rights: StoreRights) -> Document:
    """The same for pages. text: what is not possible, for people; "": everything is."""
    return {"run": rights.may_run, "define": rights.may_define, "text": _text(rights)}


def check_rights(rights: StoreRights, *, defines: bool) -> None:
    """Raise StateNotAllowed where the role may not run fleet jobs, or define them."""
    if not (rights.may_define if defines else rights.may_run):
        raise StateNotAllowed(f"{_text(rights)} Nothing was changed.", hint=HINT)


def _text(rights: StoreRights) -> str:
    if not rights.may_run:
        return SEES
    return "" if rights.may_define else RUNS
