"""Tokens: known vectors, and every way in which one can be wrong."""

from datetime import datetime, timedelta, timezone

import pytest

from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.event import AuthMethod

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # bytes 0 to 31
OTHER = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
END = 1_900_000_000
# Signatures made outside this project, over the resources' percent-encoded texts.
VECTORS = [
    ("myhub.azure-devices.net", "%2FjQV53fW6kAjrCP1Ica8shA%2F%2FxPl0SV2%2Fi%2Bydt9ERmo%3D", ()),
    (
        "myhub.azure-devices.net%2Fdevices%2Fdev-1",
        "6QogG%2F5Up5jTyGi23Cr1rsV2I%2FFgcJ68OUyhLhgiopE%3D",
        ("devices", "dev-1"),
    ),
    (
        "myhub.azure-devices.net%2Fdevices%2Fdev-1%2Fmodules%2Fmod-1",
        "nazN%2FmsPAu1StxG%2F0%2BXx%2B3UT%2BFU%2FmOK1gVFTcGjHCz8%3D",
        ("devices", "dev-1", "modules", "mod-1"),
    ),
]


def token(resource: str = VECTORS[1][0], signature: str = VECTORS[1][1], end: object = END, tail: str = "") -> str:
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={end}{tail}"


@pytest.mark.parametrize(("resource", "signature", "path"), VECTORS)
def test_known_tokens_are_verified(resource: str, signature: str, path: tuple[str, ...]) -> None:
    parsed = sas.parse_token(token(resource, signature))
    sas.check_key(parsed, [OTHER, KEY])
    assert parsed.resource == ("myhub.azure-devices.net", *path)
    sas.check_expiry(parsed, datetime.fromtimestamp(END - 1, tz=timezone.utc))


def test_fields_may_come_in_any_order_with_a_policy_name() -> None:
    parsed = sas.parse_token(f"SharedAccessSignature skn=iot%20hub&se={END}&sig={VECTORS[0][1]}&sr={VECTORS[0][0]}")
    assert parsed.policy == "iot hub"
    sas.check_key(parsed, [KEY])


def test_the_signature_is_over_the_text_as_it_was_sent() -> None:
    """Clients differ in the case of percent codes; each signs its own text."""
    lower = sas.parse_token(token(VECTORS[1][0].replace("%2F", "%2f")))
    with pytest.raises(HubError) as refused:
        sas.check_key(lower, [KEY])
    assert refused.value.fault.number == 401002
    assert lower.resource == sas.parse_token(token()).resource


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SharedAccessSignature ",
        "Bearer x",
        token(end="soon"),
        token(end=""),
        token(signature="***"),
        "SharedAccessSignature sr=a",
        token().replace("sr=", "xx="),
        "SharedAccessSignature " + "a" * 5000,
        token(end="1" * 400),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    try:
        parsed = sas.parse_token(text)
    except HubError as refused:
        assert refused.fault.number == 401003
    else:
        with pytest.raises(HubError):
            sas.check_key(parsed, [KEY])


@pytest.mark.parametrize("keys", [[], [OTHER]])
def test_another_key_or_none_does_not_fit(keys: list[str]) -> None:
    with pytest.raises(HubError) as refused:
        sas.check_key(sas.parse_token(token()), keys)
    assert refused.value.fault.number == 401002


def test_a_token_ends_when_it_says() -> None:
    parsed = sas.parse_token(token())
    end = datetime.fromtimestamp(END, tz=timezone.utc)
    sas.check_expiry(parsed, end - timedelta(seconds=1))
    with pytest.raises(HubError) as refused:
        sas.check_expiry(parsed, end)
    assert refused.value.fault.number == 401003


def test_a_token_is_for_the_host_that_it_names() -> None:
    sas.check_host(sas.parse_token(token()), {"myhub.azure-devices.net"})
    with pytest.raises(HubError) as refused:
        sas.check_host(sas.parse_token(token()), {"other.net"})
    assert refused.value.fault.number == 401003


@pytest.mark.parametrize(
    ("resource", "segments"),
    [
        ("MyHub.net", ("myhub.net",)),
        ("myhub.net%2Fdevices%2FA", ("myhub.net", "devices", "A")),
        ("sb%3A%2F%2Fmyhub.net%3A5671%2Fevents%2F", ("myhub.net:5671", "events")),
        ("amqps%3A%2F%2FmyHub.net", ("myhub.net",)),
        ("myhub.net%2Fa%3A%2F%2Fb", ("myhub.net", "a:", "", "b")),
    ],
)
def test_a_resource_may_be_a_url(resource: str, segments: tuple[str, ...]) -> None:
    assert sas.parse_token(token(resource)).resource == segments


def test_no_part_of_the_signature_is_in_the_repr() -> None:
    assert VECTORS[1][1][:10] not in repr(sas.parse_token(token()))


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (token(), AuthMethod.DEVICE_KEY),
        (token(tail="&skn=device"), AuthMethod.POLICY_KEY),
        ("", AuthMethod.CERTIFICATE),
    ],
)
def test_a_token_tells_how_its_device_has_authenticated_and_none_that_it_was_a_certificate(
    text: str, method: AuthMethod
) -> None:
    assert sas.auth_method(text) is method
