"""Which store a command opens: what is typed, the environment, az's configuration; who signs in; the driver."""

import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import team_store as module
from azext_iotjobs.cli.fleet_job.context import STORE_OPTIONS, team_store_of
from azext_iotjobs.cli.fleet_job.team_store import TeamStore, open_team_store
from azext_iotjobs.cli.output import hints
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.entra import BearerToken
from azext_iotjobs.model.errors import (
    BadValue,
    ConflictingChoice,
    IotJobsError,
    MissingChoice,
    OldDependency,
    StateUnreachable,
)
from azext_iotjobs.model.text import Text, command
from tests.helpers.postgres_server import PostgresServer, postgres_server
from tests.helpers.stores import skip_without_postgres

URL = "postgresql://ann@db.example.com/fleet"


class Config(dict[str, str]):
    """az's configuration."""

    def get(self, section: str, name: str, fallback: Any = None) -> Any:  # type: ignore[override]
        return super().get(f"{section}.{name}", fallback)

    def has_option(self, section: str, name: str) -> bool:
        return f"{section}.{name}" in self


@dataclass
class Cli:
    """What of az is asked for."""

    config: Config = field(default_factory=Config)
    data: dict[str, Any] = field(default_factory=dict)


def chosen(cli: Cli, folder: str | None = None, **typed: str) -> TeamStore | None:
    return team_store_of(cli, {name: typed.get(name) for name in STORE_OPTIONS}, folder)


def test_what_is_typed_counts_before_the_environment_and_that_before_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cli = Cli()
    assert chosen(cli) is None and chosen(cli, folder="here") is None
    cli.config["iotjobs.store"] = f"{URL}-configured"
    found = chosen(cli)
    assert found == TeamStore(f"{URL}-configured", "password", None)
    assert found.options() == ["--store", f"{URL}-configured", "--store-auth", "password"]
    monkeypatch.setenv("IOTJOBS_STORE", f"{URL}-environment")
    monkeypatch.setenv("IOTJOBS_STORE_AUTH", "login")
    assert chosen(cli) == TeamStore(f"{URL}-environment", "login", None)
    typed = chosen(cli, store=URL, store_auth="password", store_password_file="secret")
    assert typed == TeamStore(URL, "password", "secret")
    auth = ["--store-auth", "password"]
    assert typed.options() == ["--store", URL, *auth, "--store-password-file", str(Path("secret").absolute())]
    assert chosen(cli, folder="here") is None, "a folder that is typed means the file in it"


def test_what_is_typed_of_the_sign_in_holds_for_a_store_that_is_configured() -> None:
    cli = Cli(Config({"iotjobs.store": URL, "iotjobs.store_auth": "login"}))
    found = chosen(cli, store_auth="password", store_password_file="secret")
    assert found == TeamStore(URL, "password", "secret")
    words = found.options()
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--store": URL,
        "--store-auth": "password",
        "--store-password-file": str(Path("secret").absolute()),
    }


def test_a_configured_url_with_a_password_goes_into_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOTJOBS_STORE", URL.replace("ann", "ann:sesame"))
    with pytest.raises(BadValue, match="holds a password") as caught:
        chosen(Cli())
    assert "sesame" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("typed", "folder", "error", "why"),
    [
        ({"store": URL}, "here", ConflictingChoice, "name two stores"),
        ({"store_auth": "login"}, None, MissingChoice, "--store-auth goes with --store"),
        ({"store_password_file": "f"}, "here", MissingChoice, "--store-password-file goes with --store"),
        ({"store": URL, "store_auth": "magic"}, None, BadValue, "'magic'; it is one of password, login"),
        ({"store": URL, "store_auth": "login", "store_password_file": "f"}, None, ConflictingChoice, "exclude"),
    ],
)
def test_what_does_not_go_together_is_refused(
    typed: dict[str, str], folder: str | None, error: type[IotJobsError], why: str
) -> None:
    with pytest.raises(error, match=why):
        chosen(Cli(), folder, **typed)


def test_hints_name_the_store_that_was_typed_but_never_a_password() -> None:
    try:
        for url, shown in ((URL, f"az iot hub fleet-job list --store {URL}"), (URL.replace("ann", "ann:sesame"), None)):
            hints.note(hints.typed_in({"store": url}))
            said = hints.spelled(Text(command("iot hub fleet-job list")))
            assert said == (shown or "az iot hub fleet-job list")
    finally:
        hints.note(hints.Typed())


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Python that has no psycopg, and a configuration folder of its own."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    imported = builtins.__import__

    def without(name: str, *given: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *given, **more)

    for name in [each for each in sys.modules if each.startswith("azext_iotjobs.fleet_job.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)


@pytest.mark.usefixtures("hidden")
def test_without_the_driver_the_error_has_the_line_to_type() -> None:
    with pytest.raises(OldDependency, match="needs psycopg") as caught:
        open_team_store(Cli(), TeamStore(URL, "password", None), Access.READ)
    line = (
        f'"{sys.executable}" -m pip install --upgrade --target "{module.packages_folder()}" "psycopg[binary]>=3.2,<4"'
    )
    assert line in hints.spelled(caught.value.hint or "")


@pytest.mark.usefixtures("hidden")
def test_a_password_in_the_url_is_refused_before_anything_else() -> None:
    with pytest.raises(BadValue, match="holds a password") as caught:
        open_team_store(Cli(), TeamStore(URL.replace("ann", "ann:sesame"), "password", None), Access.READ)
    assert "sesame" not in str(caught.value)


# -- who signs in ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgresServer]:
    """A server that asks for a password of 4,000 characters, as long as a token."""
    skip_without_postgres()
    with postgres_server() as server:
        server.sql(f"ALTER ROLE me PASSWORD '{'x' * 4000}'")
        (server.folder / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        server.stop()
        server.start()
        yield server


@pytest.fixture
def none_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")


def opened(cli: Any, named: TeamStore | None) -> bool:
    assert named is not None
    store = open_team_store(cli, named, Access.MAKE)
    try:
        return store.definitions.list_all() == []
    finally:
        store.close()


@pytest.mark.usefixtures("none_found")
def test_the_password_is_that_of_the_environment_or_of_a_file(
    guarded: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = guarded.url()
    with pytest.raises(StateUnreachable, match="cannot be opened: no password supplied") as caught:
        opened(Cli(), TeamStore(url, "password", None))
    assert "PGPASSWORD" in str(caught.value.hint) and "--store-auth login" in hints.spelled(caught.value.hint or "")
    (tmp_path / "password").write_text(f"{'x' * 4000}\n")
    assert opened(Cli(), TeamStore(url, "password", str(tmp_path / "password")))
    (tmp_path / "password").write_text("sesame\n")
    with pytest.raises(StateUnreachable, match="password authentication failed") as caught:
        opened(Cli(), TeamStore(url, "password", str(tmp_path / "password")))
    assert "sesame" not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r}"
    monkeypatch.setenv("PGPASSWORD", "x" * 4000)
    assert opened(Cli(), TeamStore(url, "password", None))


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), ("", "is empty"), (b"\xff\xfe", "not text in UTF-8")]
)
def test_a_password_file_that_has_none_is_refused(tmp_path: Path, content: Any, why: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadValue, match=why):
        open_team_store(Cli(), TeamStore(URL, "password", str(file)), Access.READ)


@pytest.mark.parametrize("password", ["sesame", "sesame\nsecond", "ses\0ame", "s" * 5000])
def test_a_password_in_place_of_its_file_is_not_repeated(password: str) -> None:
    try:
        with pytest.raises(BadValue, match="The file of --store-password-file cannot be read") as caught:
            opened(Cli(), chosen(Cli(), store=URL, store_password_file=password))
        assert "without @" in str(caught.value.hint)
        hints.note(hints.typed_in({"store": URL, "store_password_file": password}))
        suggested = hints.spelled(Text(command("iot hub fleet-job list")))
        assert suggested == f"az iot hub fleet-job list --store {URL}"
        for said in (f"{caught.value} {caught.value.hint}", suggested):
            assert password[:4] not in said
    finally:
        hints.note(hints.Typed())


def test_a_password_file_that_nobody_typed_is_named_by_what_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(Config({"iotjobs.store": URL, "iotjobs.store_password_file": "none"}))
    with pytest.raises(
        BadValue, match=r"^The file of iotjobs.store_password_file in az's configuration cannot be read"
    ):
        opened(cli, chosen(cli))
    monkeypatch.setenv("IOTJOBS_STORE_PASSWORD_FILE", str(tmp_path))
    with pytest.raises(BadValue, match=f"^IOTJOBS_STORE_PASSWORD_FILE {tmp_path} cannot be read: Is a directory"):
        opened(cli, chosen(cli))
    with pytest.raises(
        BadValue,
        match="^The file of --store-password-file cannot be read: No such file .* not repeated: it may be a password",
    ):
        opened(cli, chosen(cli, store_password_file="none"))


class Login:
    """az's login, which gives another token each time."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch(self, audience: str) -> BearerToken:
        self.asked.append(audience)
        return BearerToken(text="x" * 4000, expires_at=datetime(2030, 1, 1, tzinfo=timezone.utc))


@pytest.mark.usefixtures("none_found")
def test_az_s_login_gives_the_token_of_each_connection(
    guarded: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = Login()
    monkeypatch.setattr("azext_iotjobs.cli.hub_access.az_login.az_login", lambda _: login)
    cli = Cli()
    cli.cloud = type("Cloud", (), {"endpoints": type("E", (), {"ossrdbms_resource_id": "https://databases"})})  # type: ignore[attr-defined]
    store = open_team_store(cli, TeamStore(guarded.url(), "login", None), Access.MAKE)
    guarded.stop()
    guarded.start()
    assert store.definitions.list_all() == []
    store.close()
    assert login.asked == ["https://databases"] * 2


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://db.example.com/fleet", "needs the role in the store's URL"),
        (f"{URL}?sslmode=require", "whose certificate is verified"),
    ],
)
def test_a_token_is_sent_to_nobody_who_might_be_another(url: str, why: str) -> None:
    with pytest.raises(BadValue, match=why):
        open_team_store(Cli(), TeamStore(url, "login", None), Access.READ)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        (URL, ""),
        ("postgresql://ann@/fleet", "PGHOST"),
        ("postgresql://ann@localhost/fleet", "PGHOSTADDR"),
        ("postgresql://ann@localhost/fleet", "PGSERVICE"),
    ],
)
def test_the_environment_sends_no_token_elsewhere(url: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    if variable:
        monkeypatch.setenv(variable, "192.0.2.7")
    with pytest.raises(BadValue, match="whose certificate is verified"):
        open_team_store(Cli(), TeamStore(url, "login", None), Access.READ)
