"""Write the tables of the two pages about the local hub from the hub's own: tiers, routes, topics, links.

`make docs` calls this; a test keeps the pages equal to what it produces. What is not made stays as it was written.
"""

import re
from pathlib import Path

from azext_iotjobs.localhub.amqp.nodes.routes import ROUTES as LINKS
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.http.route import Caller
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.mqtt.topics import PUBLISH_TOPICS, SUBSCRIBE_TOPICS
from azext_iotjobs.localhub.rules.quota import TABLE, Grant, Sku, Throttle, job_slots

GUIDE, REFERENCE = (Path(__file__).parents[1] / kind / "local-hub.md" for kind in ("how-to", "reference"))
WORDS = {
    Right.REGISTRY_READ: "registry read",
    Right.REGISTRY_WRITE: "registry write",
    Right.SERVICE_CONNECT: "service connect",
    Right.DEVICE_CONNECT: "device connect",
}


def tables() -> dict[Path, dict[str, str]]:
    """The generated parts of each page, by their names."""
    return {GUIDE: {"tiers": _tiers()}, REFERENCE: {"routes": _routes(), "topics": _topics(), "links": _links()}}


def page(path: Path) -> str:
    """A page with its generated parts renewed."""
    written = path.read_text(encoding="utf-8")
    for name, table in tables()[path].items():
        part = rf"(?<=<!-- made: {name} -->\n).*?(?=<!-- end -->)"
        written, count = re.subn(part, table.replace("\\", r"\\"), written, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{path.name} must have one part that is marked as made: {name}")
    return written


def _routes() -> str:
    rows = [
        f"| {each.verb} | `{each.path}` | {_caller(each.caller)} | {_metered(each.throttle)} | {each.what} |\n"
        for each in ROUTES
    ]
    return "| verb | path | who | throttle | what |\n|---|---|---|---|---|\n" + "".join(rows)


def _tiers() -> str:
    rows = [f"| {throttle.value} | {' | '.join(map(_granted, row))} |\n" for throttle, row in TABLE.items()]
    slots = " | ".join(str(job_slots(sku)) for sku in (Sku.S1, Sku.S2, Sku.S3))
    return "| throttle | F1, S1 | S2 | S3 |\n|---|---|---|---|\n" + "".join(rows) + f"| active jobs | {slots} |\n"


def _granted(grant: Grant) -> str:
    per_unit = f"{grant.per_unit:,.0f}/unit" if grant.per_unit else ""
    least = f"{grant.least:,.0f}" if grant.least else ""
    amount = f"{per_unit}, at least {least}" if per_unit and least else per_unit or least
    return f"{amount} a {'second' if grant.period_s == 1 else 'minute'}"


def _metered(throttle: Throttle | None) -> str:
    return throttle.value if throttle else "–"


def _topics() -> str:
    up = [f"| publish | `{each.start}{each.rest}` | {each.what} |\n" for each in PUBLISH_TOPICS]
    down = [f"| subscribe | `{each.filter}` | {each.kind.value} |\n" for each in SUBSCRIBE_TOPICS]
    return "| | topic | what |\n|---|---|---|\n" + "".join(up + down)


def _links() -> str:
    rows = [
        f"| {each.side.value} | {each.direction.value} | `{each.address.replace('{*rest}', '…')}` | {each.purpose} |\n"
        for each in LINKS
    ]
    return "| who | as | address | what |\n|---|---|---|---|\n" + "".join(rows)


def _caller(caller: Right | Caller) -> str:
    if isinstance(caller, Caller):
        return caller.value
    return " or ".join(word for right, word in WORDS.items() if right in caller)


def write() -> None:
    """Renew the generated parts of the pages."""
    for path in tables():
        path.write_text(page(path), encoding="utf-8")
