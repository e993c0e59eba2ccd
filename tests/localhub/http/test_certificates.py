"""/_local/certificates: the CAs that a hub knows."""

import re
from pathlib import Path

import pytest
import requests

from azext_iotjobs.localhub.http.certificates import MAX_CERTIFICATES
from tests.helpers.device_certificates import DAY, make
from tests.helpers.hub_process import HubProcess

ROOT = make("root", ca=True)
PATH = "/_local/certificates"


def put(hub: HubProcess, name: str, pem: object = ROOT.pem) -> tuple[int, str | None]:
    answer = hub.request("PUT", f"{PATH}/{name}", json={"certificate": pem}, api_version=None)
    return answer.status_code, answer.headers.get("iothub-errorcode")


def names(hub: HubProcess) -> list[str]:
    return [each["name"] for each in hub.ok("GET", PATH, api_version=None)]


def test_a_certificate_is_entered_shown_replaced_and_removed(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        entered = hub.ok("PUT", f"{PATH}/root", json={"certificate": ROOT.pem}, api_version=None)
        assert (entered["name"], entered["subject"]) == ("root", "CN=root")
        assert entered["thumbprint"] == ROOT.thumbprint().upper()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.0000000Z", entered["expiresAt"])
        assert hub.ok("GET", PATH, api_version=None) == [entered]
        other = make("other", ca=True)
        replaced = hub.ok("PUT", f"{PATH}/root", json={"certificate": other.pem}, api_version=None)
        assert (replaced["thumbprint"], replaced["createdAt"]) == (other.thumbprint().upper(), entered["createdAt"])
        assert replaced["updatedAt"] > entered["updatedAt"]
        assert names(hub) == ["root"]
        assert hub.request("DELETE", f"{PATH}/root", api_version=None).status_code == 204
        assert names(hub) == []
        again = hub.request("DELETE", f"{PATH}/root", api_version=None)
        assert (again.status_code, again.headers["iothub-errorcode"]) == (404, "GenericNotFound")


def test_certificates_survive_a_crash_and_end_with_a_reset(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        assert put(hub, "root") == (200, None)
        hub.kill()
    with HubProcess(tmp_path) as again:
        assert names(again) == ["root"]
        again.ok("POST", "/_local/reset", api_version=None)
        assert names(again) == []


@pytest.mark.parametrize(
    "pem",
    [None, 5, "", "text", make("device").pem, make("old", ca=True, starts=-2 * DAY, ends=-DAY).pem, ROOT.pem * 2],
    ids=["missing", "number", "empty", "text", "device", "expired", "two"],
)
def test_what_is_no_ca_certificate_is_refused_and_nothing_is_kept(hub: HubProcess, pem: object) -> None:
    assert put(hub, "bad", pem) == (400, "ArgumentInvalid")
    assert "bad" not in names(hub)


@pytest.mark.parametrize("name", ["a%20b", "a%2Fb", "%C3%BC", "x" * 65])
def test_a_bad_name_is_refused(hub: HubProcess, name: str) -> None:
    assert put(hub, name)[0] in (400, 404)
    assert names(hub) == []


def test_a_hub_takes_no_more_certificates_than_its_limit(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        for number in range(MAX_CERTIFICATES):
            assert put(hub, f"root-{number}") == (200, None)
        assert put(hub, "one-more") == (400, "ArgumentInvalid")
        assert len(names(hub)) == MAX_CERTIFICATES
        assert put(hub, "root-0") == (200, None)


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
def test_only_the_owner_may(hub: HubProcess, verb: str) -> None:
    path = PATH if verb == "GET" else f"{PATH}/root"
    body = {"certificate": ROOT.pem}
    for refused in (
        hub.request(verb, path, json=body, policy="registryReadWrite", api_version=None),
        hub.request(verb, path, json=body, token="", api_version=None),
    ):
        assert refused.status_code == 401
    assert names(hub) == []


def test_without_pyopenssl_the_hub_serves_on_and_says_that_certificates_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "OpenSSL.py").write_text("raise ImportError('it is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ahead"))
    with HubProcess(tmp_path / "data", "--in-memory") as hub:
        hub.new_device("by-ca", authentication={"type": "certificateAuthority"})
        for _ in range(3):
            with requests.Session() as session:  # each on a connection of its own, which asks for a certificate
                found = hub.ok("GET", "/devices/by-ca", session=session)
            assert found["authentication"]["type"] == "certificateAuthority"
        assert hub.stop() == 0
        said = [line for line in hub.errors.splitlines() if "pyOpenSSL" in line]
        assert len(said) == 1
        assert "ERROR" in said[0] and "it is broken" in said[0] and "certificates" in said[0]
