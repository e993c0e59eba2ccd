"""Thumbprints and chains: which certificates open, and which do not."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509 as cx509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.auth.x509 import MAX_SHOWN, check_chain, check_thumbprint, read_authority
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, UNAUTHORIZED, HubError
from tests.helpers.device_certificates import DAY, Made, key_usage, make

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)


def made(name: str, issuer: Made | None = None, **more: Any) -> Made:
    return make(name, issuer, **{"now": NOW, **more})


ROOT = made("root", ca=True)
MIDDLE = made("middle", ROOT, ca=True)
PUMP = made("pump-1", MIDDLE)
SIGNED = PUMP.certificate.tbs_certificate_bytes


def refused(asked: Callable[[], object]) -> HubError:
    with pytest.raises(HubError) as caught:
        asked()
    return caught.value


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_a_certificate_is_known_by_either_thumbprint_in_any_case(digest: str, spelling: Callable[[str], str]) -> None:
    known = ["00" * 20, spelling(PUMP.thumbprint(digest))]
    assert check_thumbprint(PUMP.der, known, NOW) == NOW + DAY


def test_another_certificate_is_not_known_though_it_says_the_same() -> None:
    error = refused(lambda: check_thumbprint(made("pump-1").der, [PUMP.thumbprint()], NOW))
    assert error.fault is UNAUTHORIZED


@pytest.mark.parametrize("at", [NOW - 2 * DAY, NOW + 2 * DAY])
def test_a_certificate_out_of_its_time_does_not_open(at: datetime) -> None:
    assert refused(lambda: check_thumbprint(PUMP.der, [PUMP.thumbprint()], at)).fault is UNAUTHORIZED
    assert refused(lambda: check_chain([PUMP.der, MIDDLE.der], [ROOT.der], "pump-1", at)).fault is UNAUTHORIZED


@pytest.mark.parametrize(
    ("shown", "anchors"),
    [
        ([PUMP, MIDDLE], [ROOT]),
        ([PUMP, MIDDLE, ROOT], [ROOT]),
        ([PUMP, ROOT, made("stranger"), MIDDLE], [made("other", ca=True), ROOT]),
        ([PUMP], [MIDDLE]),
        ([PUMP, MIDDLE], [MIDDLE]),
    ],
    ids=["with its middle", "with all", "out of order", "known middle", "known middle, sent too"],
)
def test_a_chain_to_a_known_ca_opens(shown: list[Made], anchors: list[Made]) -> None:
    end = check_chain([each.der for each in shown], [each.der for each in anchors], "pump-1", NOW)
    assert end == NOW + DAY


def test_a_chain_ends_when_the_first_of_it_does() -> None:
    soon = made("soon", ROOT, ca=True, ends=timedelta(hours=1))
    assert check_chain([made("pump-1", soon).der, soon.der], [ROOT.der], "pump-1", NOW) == NOW + timedelta(hours=1)


def test_of_two_certificates_of_one_issuer_name_the_one_that_signed_counts() -> None:
    namesake = made("middle", ROOT, ca=True)
    assert check_chain([PUMP.der, namesake.der, MIDDLE.der], [ROOT.der], "pump-1", NOW)


FALSE_ROOT = made("root", ca=True)
OLD = made("old", ROOT, ca=True, starts=-3 * DAY, ends=-DAY)
LEAF_AS_CA = made("leaf", ROOT, ca=False)
NO_CONSTRAINTS = made("plain", ROOT)
NO_SIGNER = made("no-signer", ROOT, ca=True, extensions=((key_usage(signs_certificates=False), True),))
SHALLOW = made("shallow", ca=True, path_length=0)
BELOW_SHALLOW = made("below", SHALLOW, ca=True)
NAMES = cx509.NameConstraints([cx509.DNSName("localhost")], None)
CONSTRAINED = made("constrained", ROOT, ca=True, extensions=((NAMES, True),))
SERVER_USE = cx509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENT_USE = cx509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@pytest.mark.parametrize(
    ("shown", "anchors"),
    [
        ([PUMP, MIDDLE], []),
        ([PUMP], [ROOT]),
        ([PUMP, MIDDLE], [made("other", ca=True)]),
        ([PUMP, MIDDLE], [FALSE_ROOT]),
        ([made("pump-1")], [ROOT]),
        ([made("pump-2", MIDDLE), MIDDLE], [ROOT]),
        ([made("PUMP-1", MIDDLE), MIDDLE], [ROOT]),
        ([made("pump-1", MIDDLE, more_names=("pump-2",)), MIDDLE], [ROOT]),
        ([made("pump-2", MIDDLE), PUMP, MIDDLE], [ROOT]),
        ([made("pump-1", OLD), OLD], [ROOT]),
        ([made("pump-1", OLD)], [OLD]),
        ([made("pump-1", LEAF_AS_CA), LEAF_AS_CA], [ROOT]),
        ([made("pump-1", NO_CONSTRAINTS), NO_CONSTRAINTS], [ROOT]),
        ([made("pump-1", NO_SIGNER), NO_SIGNER], [ROOT]),
        ([made("pump-1", BELOW_SHALLOW), BELOW_SHALLOW], [SHALLOW]),
        ([made("pump-1", CONSTRAINED), CONSTRAINED], [ROOT]),
        ([made("pump-1", ROOT, extensions=((SERVER_USE, False),))], [ROOT]),
        ([made("pump-1", ROOT, extensions=((NAMES, True),))], [ROOT]),
    ],
    ids=[
        "no CA known",
        "middle missing",
        "unknown CA",
        "CA of the same name",
        "self-signed",
        "another's",
        "other case",
        "two names",
        "another's ahead of its own",
        "old middle",
        "old CA",
        "device as CA",
        "no constraints",
        "may not sign",
        "too deep",
        "critical names",
        "server's",
        "critical names of its own",
    ],
)
def test_what_is_no_good_chain_does_not_open(shown: list[Made], anchors: list[Made]) -> None:
    asked = [each.der for each in shown]
    error = refused(lambda: check_chain(asked, [each.der for each in anchors], "pump-1", NOW))
    assert error.fault is UNAUTHORIZED


def test_uses_and_depths_that_fit_open() -> None:
    assert check_chain([made("pump-1", SHALLOW).der], [SHALLOW.der], "pump-1", NOW)
    fit = made("pump-1", ROOT, extensions=((CLIENT_USE, True), (key_usage(signs_certificates=False), True)))
    assert check_chain([fit.der], [ROOT.der], "pump-1", NOW)


def test_many_certificates_that_sign_each_other_are_refused_before_they_cost_time() -> None:
    key = ROOT.key
    knot = [made("knot", ca=True, key=key) for _ in range(MAX_SHOWN)]
    leaf = made("pump-1", knot[0])
    assert "More than" in refused(lambda: check_chain([leaf.der, *(k.der for k in knot)], [], "pump-1", NOW)).text
    shown = [leaf.der, *(each.der for each in knot[1:])]
    assert "does not lead" in refused(lambda: check_chain(shown, [], "pump-1", NOW)).text


@settings(max_examples=300)
@example(10, 128)  # a negative serial number, which is warned of
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_certificate_with_one_signed_byte_changed_is_refused_and_never_crashes(place: int, change: int) -> None:
    place += PUMP.der.index(SIGNED)
    broken = PUMP.der[:place] + bytes([PUMP.der[place] ^ change]) + PUMP.der[place + 1 :]
    assert refused(lambda: check_chain([broken, MIDDLE.der], [ROOT.der], "pump-1", NOW)).fault is UNAUTHORIZED


def test_a_ca_certificate_is_read() -> None:
    read = read_authority("Bag Attributes\n" + ROOT.pem, NOW)
    assert (read.der, read.subject, read.ends_at) == (ROOT.der, "CN=root", NOW + DAY)
    assert read.thumbprint == ROOT.thumbprint().upper()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", NOW),
        ("no certificate", NOW),
        (ROOT.pem.replace("M", "!"), NOW),
        (ROOT.pem + MIDDLE.pem, NOW),
        (PUMP.pem, NOW),
        (LEAF_AS_CA.pem, NOW),
        (NO_SIGNER.pem, NOW),
        (CONSTRAINED.pem, NOW),
        (ROOT.pem, NOW + 2 * DAY),
        (ROOT.pem, NOW - 2 * DAY),
    ],
    ids=["empty", "text", "damaged", "two", "device's", "not a CA's", "may not sign", "critical names", "old", "early"],
)
def test_what_is_no_ca_certificate_is_refused(text: str, at: datetime) -> None:
    assert refused(lambda: read_authority(text, at)).fault is ARGUMENT_INVALID
