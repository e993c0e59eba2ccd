"""Whether a hub reads the conditions of a verification, asked before anything is done to a device. Changes nothing."""

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.selections import COUNT, WHERE
from azext_iotjobs.clients.verification_codec import parse_count
from azext_iotjobs.model.errors import BadRequest, BadValue
from azext_iotjobs.model.text import Field, Text
from azext_iotjobs.model.verification import TwinCondition, Verification

OF_MODULES = "SELECT * FROM devices.modules"


def try_conditions(queries: QueriesClient, verification: Verification, *, of_modules: bool = False) -> int | None:
    """How many devices of the hub meet the condition now; None for modules, which a hub does not count.

    of_modules: modules are operated.
    Raises BadValue for a condition that the hub cannot read, with the hub's words; HubAnswer, LinkError.
    """
    if verification.failed is not None:
        _try(queries, verification.failed, Field("verify_failed"), of_modules=of_modules)
    return _try(queries, verification.wanted, Field("verify"), of_modules=of_modules)


def unreadable(name: Field, error: BadRequest) -> BadValue:
    """What is wrong with a condition that the hub cannot read, with the hub's words. name: of its field."""
    return BadValue(Text(name, f": the hub cannot read this condition. {error}"), hint=error.hint)


def _try(queries: QueriesClient, condition: TwinCondition, name: Field, *, of_modules: bool) -> int | None:
    is_of_modules = of_modules or condition.is_of_modules
    collection = OF_MODULES if is_of_modules else COUNT
    try:
        row = next(queries.run(f"{collection}{WHERE}({condition.where})", top=1), None)
    except BadRequest as err:
        raise unreadable(name, err) from err
    return None if row is None or is_of_modules else parse_count(row)
