"""What signatures of blobs allow, and what they do not."""

from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl

import pytest

from azext_iotjobs.localhub.rules.blob_sas import BadSas, Resource, StorageAccount

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
ACCOUNT = StorageAccount("localhost:8443", b"k" * 32)
BLOB, CONTAINER = Resource("uploads", "pump/ü & x.txt"), Resource("uploads")


def fields(
    place: Resource, permissions: str = "rw", life: timedelta = timedelta(hours=1), **other: str
) -> dict[str, str]:
    return {**dict(parse_qsl(ACCOUNT.sign(place, permissions, NOW + life))), **other}


def test_a_blobs_signature_allows_what_it_says() -> None:
    for permission in "rw":
        ACCOUNT.check(fields(BLOB), BLOB, permission, NOW)


def test_a_containers_signature_is_for_its_blobs_too() -> None:
    ACCOUNT.check(fields(CONTAINER, "rl"), BLOB, "r", NOW)
    ACCOUNT.check(fields(CONTAINER, "rl"), CONTAINER, "l", NOW)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, BLOB),
        (fields(BLOB), Resource("uploads", "pump/other.txt")),
        (fields(BLOB), Resource("registry", BLOB.blob)),
        (fields(BLOB), CONTAINER),
        (fields(BLOB, sp="rwd"), BLOB),
        (fields(BLOB, se="2099-01-01T00:00:00Z"), BLOB),
        (fields(BLOB, sr="c"), BLOB),
        (fields(BLOB, sv="2015-04-05"), BLOB),
        (fields(BLOB, sig="AAAA"), BLOB),
        (fields(BLOB, sip="10.0.0.1"), BLOB),
        (fields(BLOB, life=timedelta(0)), BLOB),
    ],
    ids="none other-blob other-container container sp se sr sv sig sip expired".split(),
)
def test_what_was_not_signed_is_refused(given: dict[str, str], place: Resource) -> None:
    with pytest.raises(BadSas) as caught:
        ACCOUNT.check(given, place, "r", NOW)
    assert not caught.value.is_denied


def test_a_permission_that_is_not_given_is_denied() -> None:
    with pytest.raises(BadSas) as caught:
        ACCOUNT.check(fields(BLOB), BLOB, "d", NOW)
    assert caught.value.is_denied


def test_another_accounts_key_signs_nothing_here_and_no_key_is_shown() -> None:
    other = StorageAccount("localhost:8443", b"x" * 32)
    with pytest.raises(BadSas):
        other.check(fields(BLOB), BLOB, "r", NOW)
    assert "kkk" not in repr(ACCOUNT)


@pytest.mark.parametrize(
    ("version", "signature"),
    [
        ("2021-04-10", "ausqlWabuDany+H2iX9Rj/1Q48hnU8AXJg/hxYYV79E="),
        ("2020-04-08", "cy+LXyksthcpQblpFlzWl+to07WWeJx7WPvVsOO6wqg="),
    ],
)
def test_signatures_are_those_of_microsofts_sdk(version: str, signature: str) -> None:
    """As azure-storage-blob 12.31 and @azure/storage-blob 12.8 make them; the older has no encryption scope."""
    account = StorageAccount("localhost:8443", bytes(range(32)))
    given = {"sv": version, "sr": "c", "se": "2030-01-02T03:04:05Z", "sp": "rwdl", "spr": "https", "sig": signature}
    account.check(given, Resource("devices"), "l", NOW)
