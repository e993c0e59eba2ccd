"""Tokens: the published way of signing, and how long they are used."""

import base64
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from azext_iotjobs.model.entra import AadLogin, BearerToken
from azext_iotjobs.model.target import HubTarget, SasKey, SasToken
from azext_iotjobs.transport.auth import RequestAuth, sas_token
from tests.helpers.clock_double import START, ClockDouble

KEY = base64.b64encode(bytes(range(32))).decode()
TARGET = HubTarget(host="myhub.azure-devices.net", https_port=8443)


def fields(token: str) -> dict[str, str]:
    kind, _, rest = token.partition(" ")
    assert kind == "SharedAccessSignature"
    return {name: values[0] for name, values in parse_qs(rest.replace("+", "%2B")).items()}


def test_a_policys_token_has_the_known_signature() -> None:
    token = sas_token(resource=TARGET.host, key=KEY, expires_at=1900000000, policy="iothubowner")
    assert fields(token) == {
        "sr": "myhub.azure-devices.net",
        "sig": "/jQV53fW6kAjrCP1Ica8shA//xPl0SV2/i+ydt9ERmo=",
        "se": "1900000000",
        "skn": "iothubowner",
    }


def test_a_devices_token_has_the_known_signature_and_an_encoded_resource() -> None:
    token = sas_token(resource=f"{TARGET.host}/devices/dev-1", key=KEY, expires_at=1900000000)
    assert "sr=myhub.azure-devices.net%2Fdevices%2Fdev-1&" in token
    assert fields(token)["sig"] == "6QogG/5Up5jTyGi23Cr1rsV2I/FgcJ68OUyhLhgiopE="
    assert "skn" not in token


def test_a_service_token_names_the_host_without_port_and_is_renewed_a_minute_before_its_end() -> None:
    clock = ClockDouble()
    auth = RequestAuth(TARGET.host, SasKey(policy="p", key=KEY), clock)
    first = auth.header()
    assert fields(first)["sr"] == TARGET.host
    assert int(fields(first)["se"]) == START.timestamp() + 600
    clock.passed_s = 539
    assert auth.header() == first
    clock.passed_s = 541
    assert int(fields(auth.header())["se"]) == int(START.timestamp()) + 541 + 600


def test_a_token_that_was_given_is_used_as_it_is_also_after_its_end() -> None:
    """Whether it has ended is for the hub's clock to say."""
    clock = ClockDouble()
    given = SasToken(policy="p", expires_at=START - timedelta(hours=1), text="SharedAccessSignature sr=x")
    auth = RequestAuth(TARGET.host, given, clock)
    assert [auth.header(), auth.header()] == [given.text, given.text]


def test_an_entra_token_is_fetched_when_needed_and_again_a_minute_before_its_end() -> None:
    clock = ClockDouble()
    fetched: list[BearerToken] = []

    def fetch() -> BearerToken:
        fetched.append(BearerToken(text=f"t{len(fetched)}", expires_at=clock.now() + timedelta(hours=1)))
        return fetched[-1]

    login = AadLogin(fetch=fetch)
    auth = RequestAuth(TARGET.host, login, clock)
    assert fetched == []
    assert auth.header() == "Bearer t0"
    clock.passed_s = 3539
    assert auth.header() == "Bearer t0"
    clock.passed_s = 3541
    assert auth.header() == "Bearer t1"


@pytest.mark.parametrize("set_s", [-86400, 86400])
def test_a_token_is_renewed_in_time_whatever_the_clock_is_set_to(set_s: float) -> None:
    clock = ClockDouble()
    ends = START + timedelta(seconds=3600)
    asked: list[float] = []

    def fetch() -> BearerToken:
        asked.append(clock.passed_s)
        return BearerToken(text=f"t{len(asked)}", expires_at=ends + timedelta(seconds=clock.passed_s + clock.set_s))

    auth = RequestAuth("h", AadLogin(fetch=fetch), clock)
    assert auth.header() == "Bearer t1"
    clock.set_s = set_s
    clock.passed_s = 3000
    auth.header()
    clock.passed_s = 3541
    auth.header()
    assert asked == ([0.0, 3541] if set_s < 0 else [0.0, 3000])
