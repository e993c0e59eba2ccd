"""What to do about a hub that lets nobody in, or not for this: clocks, keys, policies, roles. Pure.

Commands name what the door may know, such as who is signed in, as facts: below it placeholders stand for them.
"""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from azext_iotjobs.clients.access import ACTION_PREFIX, DATA_CONTRIBUTOR, POLICIES, access_of
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.entra import AadLogin
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import SasKey, SasToken
from azext_iotjobs.model.text import Fact, Field, Part, Text, command
from azext_iotjobs.transport.http import SentRequest

NO_TIME = timedelta(0)
CLOCK_LIMIT_S = 300.0  # the service's documents name clocks that differ by more as a cause of 401
NETWORK = "A network rule of the hub (IP filter, private endpoint, no public access) may keep this machine out."
ACCOUNT = Fact("the account that is signed in")
ASSIGNEE = Fact("WHO")  # in place of the whole argument: the door may know an object id, or a name
HUB_ID = Fact("HUB-ID")  # its resource id
HUB_NAME = Fact("HUB-NAME")  # as Azure Resource Manager has it
POLICY_COLUMNS = "[].{name:keyName, rights:rights}"  # and no keys


@dataclass(frozen=True)
class Advice:
    """What more can be said of a refusal than the hub does; None where nothing can."""

    fact: str | None = None
    hint: str | None = None

    def fact_beside(self, words: str) -> str:
        """The fact, to be put behind the hub's own words; empty where these say it."""
        return f" {self.fact}" if self.fact and self.fact not in words else ""


def not_let_in(sent: SentRequest | None, date: str | None) -> Advice:
    """What to say of a 401.

    sent: what was refused; None: not known.  date: the answer's Date header, by which the hub's clock is known.
    """
    if sent is None:
        return Advice(hint="Check that the key or token belongs to this hub and has the right for this.")
    hub_at = _instant(date)
    ahead_s = 0.0 if hub_at is None else (sent.answered_at - hub_at).total_seconds()
    clock = f" This machine's clock is {duration(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} the hub's."
    credential, differs = sent.credential, abs(ahead_s) > CLOCK_LIMIT_S
    if isinstance(credential, SasToken) and (past := (hub_at or sent.answered_at) - credential.expires_at) >= NO_TIME:
        whose = "this machine's" if hub_at is None else "the hub's"
        return Advice(
            f"The SAS token expired {duration(past.total_seconds())} ago by {whose} clock.{clock if differs else ''}",
            "Make a new one, or give the policy's key, with which a new token is made whenever one is needed.",
        )
    if differs:
        return Advice(clock.strip(), "Set this machine's clock: the hub checks tokens by its own.")
    match credential:
        case AadLogin():
            return Advice(hint=_role(sent))
        case DeviceKey():
            return Advice(
                hint=Text(
                    f"The key is not that of device {credential.device_id}, or the device is disabled: ",
                    command("iot hub device-identity show", device_id=credential.device_id),
                )
            )
        case SasKey() | SasToken():
            return _policy(credential.policy, sent)


def forbidden(sent: SentRequest | None) -> Advice:
    """What to say of a 403 that has no code of its own; arguments as for `not_let_in`."""
    if sent is None or not isinstance(sent.credential, AadLogin):
        return Advice(hint=NETWORK)
    return Advice(hint=Text(_role(sent), f". {NETWORK}"))


def duration(seconds: float) -> str:
    """A length of time for people: its largest unit alone."""
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _policy(name: str, sent: SentRequest) -> Advice:
    access = access_of(sent.method, sent.path)
    if access is None:
        either = f"Policy {name} lacks the right for this, or its key is a different one. Its key: "
        return Advice(hint=Text(either, *_key_of(name, sent)))
    needed = " and ".join(access.rights)
    request = f"{sent.method} {sent.path} needs {needed}"
    may = f"{request}, as {' or '.join(access.policies())} has it"
    if name not in POLICIES:
        return Advice(
            hint=Text(
                f"{may}. Either policy {name} lacks that, or its key is a different one. ",
                *_rights_of_policies(sent),
                f"The key of {name}: ",
                *_key_of(name, sent),
            )
        )
    missing = [right for right in access.rights if right not in POLICIES[name]]
    if missing:
        best, *_ = access.policies(sent.needed)
        enough = f"The connection string of {best}, which is enough for the whole command: "
        lacks = f"Policy {name} lacks {' and '.join(missing)}."
        return Advice(lacks, Text(f"{may}. {enough}", *_key_of(best, sent)))
    return Advice(
        hint=Text(
            f"Policy {name} has the right for this ({needed}) unless someone took it away, so the key is not this "
            "policy's: it was renewed, or belongs to another hub. Its key now: ",
            *_key_of(name, sent),
        )
    )


def _key_of(policy: str, sent: SentRequest) -> tuple[Part, ...]:
    """How a policy's key is found, and how to do without it: a local hub's key is on this machine."""
    show = command("iot hub connection-string show", policy_name=policy, hub=sent.hub or HUB_NAME)
    without = "Or give no key" if _is_local(sent) else "Or sign in to az and give no key"
    return show, f". {without}, only ", Field("hub"), " with the hub's name."


def _is_local(sent: SentRequest) -> bool:
    return is_loopback(sent.hub.partition(":")[0])


def _rights_of_policies(sent: SentRequest) -> tuple[Part, ...]:
    """How to see them; none for a local hub, which Azure does not know, and whose policies are those of a new hub."""
    if _is_local(sent):
        return ()
    policies = command("iot hub policy list", hub_name=HUB_NAME, query=POLICY_COLUMNS)
    return "The policies' rights: ", policies, ". "


def _role(sent: SentRequest) -> Text:
    """Which role is missing, and how it is assigned."""
    access = access_of(sent.method, sent.path)
    if access is None or access.action is None:
        role, reason = DATA_CONTRIBUTOR, f"A data role such as {DATA_CONTRIBUTOR} on the hub is needed"
    else:
        role = access.role_for(sent.needed)
        roles = " or ".join(access.roles())
        reason = f"{sent.method} {sent.path} needs {ACTION_PREFIX}{access.action}, which {roles} has"
    return Text(
        f"{reason}; Owner and Contributor do not. Somebody who may assign roles on the hub can assign one to ",
        ACCOUNT,
        ": ",
        command("role assignment create", role=role, assignee=ASSIGNEE, scope=HUB_ID),
        ". It takes effect after some minutes. If it is assigned, check that az is signed in to the hub's tenant: ",
        command("account show"),
    )


def _instant(date: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
