"""Connection strings of services and devices. Secrets never show in `repr`, nor in an error."""

from dataclasses import field
from datetime import datetime, timezone
from urllib.parse import parse_qsl

from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.host_names import HostKind, host_of_kind, kind_of
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import HubTarget, SasKey, SasToken, check_key, host_and_port
from azext_iotjobs.model.text import Text, command

SAS_SCHEME = "SharedAccessSignature "
LAST_SECOND = 253402300799  # of year 9999
PARTS = "HostName SharedAccessKeyName SharedAccessKey SharedAccessSignature DeviceId ModuleId GatewayHostName x509"
KNOWN_PARTS = {name.lower(): name for name in PARTS.split()}  # lower case -> as the service and its SDKs spell them


@dataclass(frozen=True, kw_only=True)
class ConnectionString:
    """A parsed connection string; what it does not hold is None."""

    host: str
    https_port: int
    policy: str | None
    device_id: str | None
    module_id: str | None
    key: str | None = field(repr=False)
    token: SasToken | None = None

    @property
    def authority(self) -> str:
        """Host with the port, when that is not 443."""
        return HubTarget(host=self.host, https_port=self.https_port).authority

    @property
    def canonical(self) -> str:
        """The one name of its hub; see HubTarget."""
        return HubTarget.named(self.host, self.https_port).canonical

    def sas_key(self) -> SasKey:
        """The policy key of a service connection string. Raises MissingChoice when it holds none."""
        if self.policy is None or self.key is None:
            raise MissingChoice("The connection string holds no SharedAccessKeyName and SharedAccessKey.")
        return SasKey(policy=self.policy, key=self.key)

    def credential(self) -> SasKey | SasToken:
        """What a service connection string signs in with. Raises MissingChoice when it holds neither key nor token."""
        return self.token or self.sas_key()


def parse_connection_string(text: str) -> ConnectionString:
    """Read a service or device connection string.

    text: `Name=value` parts separated by semicolons; names in any case, values may hold "=". Quotes and white space
    around the whole are dropped, as shells and files leave them.
    Raises BadValue or MissingChoice; the error names parts, never their values.
    """
    parts = _parts(text.strip().strip("\"'").strip())
    if not parts.get("HostName"):
        raise MissingChoice(
            "The connection string has no HostName.",
            hint="It reads HostName=…;SharedAccessKeyName=…;SharedAccessKey=…; quote it, or the shell cuts it at ';'.",
        )
    host, port = host_and_port(parts["HostName"])
    key = parts.get("SharedAccessKey")
    if key is not None:
        check_key(key, "SharedAccessKey")
    signature = parts.get("SharedAccessSignature")
    token = None
    if key is not None and signature is not None:
        raise BadValue("The connection string has a SharedAccessKey and a SharedAccessSignature: give one of them.")
    if signature is not None:
        host, token = _service_token(signature, host)
    return ConnectionString(
        host=host,
        https_port=port,
        policy=parts.get("SharedAccessKeyName"),
        device_id=parts.get("DeviceId"),
        module_id=parts.get("ModuleId"),
        key=key,
        token=token,
    )


def _service_token(text: str, host: str) -> tuple[str, SasToken | None]:
    """A policy's token for this hub, and the one of its names that it is for; no token for a device's own.

    A device's own names no policy.
    """
    fields = dict(parse_qsl(text.removeprefix(SAS_SCHEME).strip().replace("+", "%2B")))
    is_header = text.isascii() and text.isprintable()
    if (
        not is_header
        or not text.startswith(SAS_SCHEME)
        or not {"sr", "sig", "se"} <= fields.keys()
        or not fields["se"].isdecimal()
    ):
        raise BadValue(
            "SharedAccessSignature is not a shared access signature.",
            hint="It reads SharedAccessSignature sr=…&sig=…&se=…&skn=…; copy it whole.",
        )
    resource = fields["sr"].split("/")[0]
    if _classic(resource) != _classic(host):
        # Sent there, it would tell a stranger how to get into the hub that it is for.
        raise BadValue(f"SharedAccessSignature is for {resource!r}, not for HostName {host}.")
    if "skn" not in fields:
        return host, None
    if kind_of(resource) is HostKind.DEVICE:
        # It cannot be made anew here, and whoever is called under another name than it says need not take it.
        raise BadValue(
            f"SharedAccessSignature is for {resource}, which devices call; services call "
            f"{host_of_kind(resource, HostKind.SERVICE)}.",
            hint=Text("Make one for that: ", command("iot hub generate-sas-token", hostname_type="service")),
        )
    ends = datetime.fromtimestamp(min(int(fields["se"]), LAST_SECOND), tz=timezone.utc)
    return resource, SasToken(policy=fields["skn"], expires_at=ends, text=text)


def _classic(host: str) -> str:
    return (host_of_kind(host, HostKind.CLASSIC) or host).lower()


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for piece in filter(None, (each.strip() for each in text.split(";"))):
        name, equals, value = piece.partition("=")
        known = KNOWN_PARTS.get(name.strip().lower())
        if not equals or known is None:
            # Not shown: a piece that does not parse may well be a key.
            raise BadValue(
                "The connection string has a part that is none of " + ", ".join(KNOWN_PARTS.values()) + ".",
                hint="It reads HostName=…;SharedAccessKeyName=…;SharedAccessKey=…",
            )
        if known in parts:
            raise BadValue(f"The connection string has {known} twice.")
        parts[known] = value.strip()
    return parts
