"""How the way to a server is secured: verified by default, as the URL and libpq's variables say else."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.postgres.place import parse_place
from azext_iotjobs.model.errors import StateUnreachable, StateUnusable
from tests.helpers.cut_connection import CutConnection, cut_connection
from tests.helpers.postgres_server import OF_ROOT, PostgresServer, postgres_server
from tests.helpers.stores import skip_without_postgres
from tests.helpers.tls_server import self_signed

AWAY = "postgresql://ann@db.example.com/fleet"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of libpq says anything."""
    skip_without_postgres()
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)


def security(url: str, **given: str) -> tuple[str | None, bool]:
    """The mode that is chosen, and whether authorities are."""
    from azext_iotjobs.fleet_job.store.postgres.connecting import defaults

    found = defaults(parse_place(url), given)
    return found.get("sslmode"), "sslrootcert" in found


def test_a_server_elsewhere_is_verified_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert security(AWAY) == ("verify-full", True)
    assert security("postgresql://localhost/fleet") == (None, False)
    assert security(AWAY, sslmode="require") == (None, False)
    assert security(AWAY, sslmode="verify-ca") == (None, True)
    assert security(AWAY, sslrootcert="own.pem") == ("verify-full", False)
    monkeypatch.setenv("PGSSLROOTCERT", "own.pem")
    assert security(AWAY) == ("verify-full", False)
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert security(AWAY) == (None, False)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresServer, Path]]:
    """A server with TLS, and the certificate that vouches for it."""
    skip_without_postgres()
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(folder)
    with postgres_server() as server:
        server.stop()
        for each in (certificate, key):
            placed = shutil.copy(each, server.folder / "data" / each.name)
            os.chmod(placed, 0o600)
            if os.geteuid() == 0:
                shutil.chown(placed, OF_ROOT, OF_ROOT)
        settings = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n"
        with (server.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(settings)
        (server.folder / "data" / "pg_hba.conf").write_text("local all all trust\nhostssl all all all trust\n")
        server.tcp = True
        server.start()
        yield server, certificate


def opened(url: str) -> bool:
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

    store = PostgresStore.open(parse_place(url), Access.MAKE)
    try:
        return store.groups.list_all() == []
    finally:
        store.close()


def test_a_certificate_of_a_known_authority_is_taken_and_no_other(secured: tuple[PostgresServer, Path]) -> None:
    server, certificate = secured
    url = f"postgresql://me@localhost:{server.port}/postgres?sslmode=verify-full&schema=tls"
    assert opened(f"{url}&sslrootcert={certificate}")
    with pytest.raises(StateUnreachable, match="certificate") as caught:
        opened(url)
    assert "sslrootcert=FILE" in str(caught.value.hint)


def test_a_way_that_speaks_no_tls_is_refused_where_it_has_to(postgres: PostgresServer) -> None:
    way: CutConnection
    with cut_connection(postgres.socket) as way, pytest.raises(StateUnreachable) as caught:
        opened(f"postgresql://me@127.0.0.1:{way.port}/postgres?sslmode=verify-full&schema=tls")
    assert "cannot be reached: server does not support SSL" in str(caught.value), "without libpq's prefix"
    assert "Turn TLS on at the server" in str(caught.value.hint)


def test_a_database_or_a_role_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    url = postgres.url()
    with pytest.raises(StateUnusable, match=r"^There is no database no db at the server of the store ") as caught:
        opened(url.replace("/postgres?", "/no%20db?"))
    assert "CREATE DATABASE \"no db\" ENCODING 'UTF8'" in str(caught.value.hint)
    with pytest.raises(StateUnreachable, match=r'cannot be opened: role "nobody" does not exist\.$') as refused:
        opened(url.replace("//me@", "//nobody@"))
    assert "role that is there" in str(refused.value.hint)


def test_a_server_that_is_not_there_is_said_without_what_libpq_puts_before_it() -> None:
    with pytest.raises(StateUnreachable, match=r"cannot be reached: Connection refused\.$"):
        opened("postgresql://me@127.0.0.1:1/postgres")
