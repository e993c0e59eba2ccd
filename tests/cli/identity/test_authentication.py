"""How a device's authentication changes by the options that were typed: as in azure-iot, or stricter."""

from typing import Any

import pytest

from azext_iotjobs.cli.identity.authentication import AuthenticationOptions, changed_authentication
from azext_iotjobs.clients.identity_codec import parse_identity
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.identity import Identity

OLD, NEW = "AAECAwQFBgcICQoLDA0ODw==", "Dw4NDAsKCQgHBgUEAwIBAA=="


def signing_in(kind: str, **members: Any) -> Identity:
    return parse_identity({"deviceId": "d", "etag": "e", "authentication": {"type": kind, **members}})


KEYED = signing_in("sas", symmetricKey={"primaryKey": OLD, "secondaryKey": OLD})
THUMBPRINTED = signing_in("selfSigned", x509Thumbprint={"primaryThumbprint": "AA", "secondaryThumbprint": "BB"})
CERTIFIED = signing_in("certificateAuthority")


def changed(now: Identity, method: str | None, **typed: str) -> dict[str, Any]:
    names = {
        "pk": "our_primary_key",
        "sk": "our_secondary_key",
        "ptp": "our_primary_thumbprint",
        "stp": "our_secondary_thumbprint",
    }
    options = AuthenticationOptions(method, **{names[name]: value for name, value in typed.items()})
    return changed_authentication(now, options)


def test_keys_that_were_typed_are_in_no_repr() -> None:
    assert NEW not in repr(AuthenticationOptions("shared_private_key", NEW, NEW))


@pytest.mark.parametrize("now", [KEYED, THUMBPRINTED, CERTIFIED], ids=["keys", "thumbprints", "CA"])
@pytest.mark.parametrize("half", [{"pk": NEW}, {"sk": NEW}])
def test_with_the_method_both_keys_are_given(now: Identity, half: dict[str, str]) -> None:
    with pytest.raises(MissingChoice, match="Only one key"):
        changed(now, "shared_private_key", **half)
    both = changed(now, "shared_private_key", pk=NEW, sk=NEW)
    assert both == {"type": "sas", "symmetricKey": {"primaryKey": NEW, "secondaryKey": NEW}}


def test_without_the_method_one_key_is_changed_and_the_other_stays() -> None:
    assert changed(KEYED, None, pk=NEW)["symmetricKey"] == {"primaryKey": NEW, "secondaryKey": OLD}
    assert changed(KEYED, None, sk=NEW)["symmetricKey"] == {"primaryKey": OLD, "secondaryKey": NEW}


def test_the_method_alone_keeps_the_keys_or_has_the_hub_make_them() -> None:
    assert changed(KEYED, "shared_private_key")["symmetricKey"] == {"primaryKey": OLD, "secondaryKey": OLD}
    assert changed(CERTIFIED, "shared_private_key") == {"type": "sas"}


@pytest.mark.parametrize("now", [KEYED, THUMBPRINTED, CERTIFIED], ids=["keys", "thumbprints", "CA"])
def test_with_the_method_a_thumbprint_is_given(now: Identity) -> None:
    with pytest.raises(MissingChoice, match="--primary-thumbprint"):
        changed(now, "x509_thumbprint")
    assert changed(now, "x509_thumbprint", ptp="CC")["x509Thumbprint"]["primaryThumbprint"] == "CC"


def test_a_second_thumbprint_needs_a_first() -> None:
    thumbprints = changed(THUMBPRINTED, "x509_thumbprint", stp="CC")["x509Thumbprint"]
    assert thumbprints == {"primaryThumbprint": "AA", "secondaryThumbprint": "CC"}
    for now in (KEYED, CERTIFIED, signing_in("selfSigned", x509Thumbprint={})):
        with pytest.raises(MissingChoice, match="--primary-thumbprint"):
            changed(now, "x509_thumbprint", stp="CC")


@pytest.mark.parametrize(
    ("now", "method", "more"),
    [
        (KEYED, None, {"ptp": "AA"}),
        (KEYED, "shared_private_key", {"stp": "AA"}),
        (THUMBPRINTED, None, {"pk": NEW}),
        (CERTIFIED, None, {"pk": NEW, "sk": NEW}),
        (KEYED, "x509_ca", {"ptp": "AA"}),
        (CERTIFIED, None, {"ptp": "AA"}),
        (KEYED, "x509_ca", {"pk": NEW, "sk": NEW}),
        (THUMBPRINTED, "x509_thumbprint", {"pk": NEW, "sk": NEW, "ptp": "A"}),
    ],
)
def test_what_belongs_to_another_method_is_refused(now: Identity, method: str | None, more: dict[str, str]) -> None:
    with pytest.raises(ConflictingChoice):
        changed(now, method, **more)
