"""Where a team's store is: what a URL may say."""

import pytest

from azext_iotjobs.fleet_job.store.postgres.place import is_place, parse_place
from azext_iotjobs.model.errors import BadValue


@pytest.mark.parametrize(
    ("url", "schema", "near"),
    [
        ("postgresql://ann@db.example.com/fleet", "iotjobs", False),
        ("postgres://ann@db.example.com:6432/fleet?schema=north&sslmode=require", "north", False),
        ("postgresql://localhost/fleet", "iotjobs", True),
        ("postgresql://127.0.0.1:5433/fleet", "iotjobs", True),
        ("postgresql://[::1]:5433/fleet", "iotjobs", True),
        ("postgresql://%2Frun%2Fpostgresql/fleet", "iotjobs", True),
        ("postgresql:///fleet?host=/run/postgresql", "iotjobs", True),
        ("postgresql:///fleet?host=db.example.com", "iotjobs", False),
        ("postgresql://localhost,db.example.com/fleet", "iotjobs", False),
        ("postgresql://localhost/fleet?hostaddr=192.0.2.7", "iotjobs", False),
        ("postgresql://%2Frun%2Cdb.example.com/fleet", "iotjobs", False),
        ("postgresql:///fleet?service=team", "iotjobs", False),
        ("postgresql:///fleet", "iotjobs", True),
    ],
)
def test_a_url_has_a_schema_and_is_near_or_not(url: str, schema: str, near: bool) -> None:
    place = parse_place(url)
    assert (place.schema, place.is_near, "schema" in place.url) == (schema, near, False)
    assert place.url.startswith(url.partition("?")[0])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:sesame@db/fleet",
        "postgresql://ann@db/fleet?password=sesame",
        "postgresql://ann@db/fleet?sslmode=require&sslpassword=sesame",
        "postgresql://ann@db/fleet?scram_client_key=sesame",
    ],
)
def test_a_password_in_it_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadValue, match="holds a password") as caught:
        parse_place(url)
    assert "sesame" not in f"{caught.value} {caught.value.hint}" and "PGPASSWORD" in str(caught.value.hint)


@pytest.mark.parametrize("password", ["sesame/1", "12/sesame", "sesame?1", "12?sesame", "sesame#1", "12#sesame"])
def test_a_password_that_splits_it_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(BadValue, match="cannot be read") as caught:
        parse_place(f"postgresql://ann:{password}@db/fleet")
    assert "sesame" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://db/fleet", "begins with postgresql://"),
        ("postgresql://db/fleet?schema=a-b", "schema is 'a-b'"),
        ("postgresql://[db/fleet", "no URL"),
    ],
)
def test_what_cannot_be_read_is_refused(url: str, why: str) -> None:
    with pytest.raises(BadValue, match=why):
        parse_place(url)


def test_a_folder_is_no_url() -> None:
    assert is_place("postgresql://db/fleet") and is_place(" postgres://db")
    assert not is_place("/var/lib/fleet") and not is_place("C:\\fleet") and not is_place("postgresql")
