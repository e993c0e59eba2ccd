"""File upload on the wire, and the storage account that it leads to: what is refused, and what is not left behind."""

import base64
import hashlib
import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import requests

from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("writes into the local hub's own storage account")
MIB = 1024 * 1024
NOTIFICATIONS = "/messages/serviceBound/filenotifications"


def begin(hub: HubProcess, device: str, name: str) -> dict[str, Any]:
    if not hub.request("GET", f"/devices/{device}").ok:
        hub.new_device(device)
    return dict(hub.ok("POST", f"/devices/{device}/files", {"blobName": name}))


def blob_url(place: dict[str, Any]) -> str:
    return f"https://{place['hostName']}/{place['containerName']}/{quote(place['blobName'])}{place['sasToken']}"


def call(hub: HubProcess, method: str, url: str, body: bytes = b"", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, data=body, headers=named, verify=hub.ca, timeout=30, proxies={"https": ""})


def put(hub: HubProcess, url: str, body: bytes, **headers: str) -> requests.Response:
    return call(hub, "PUT", url, body, x_ms_blob_type="BlockBlob", **headers)


def container_url(hub: HubProcess, name: str = "", query: str = "") -> str:
    base, _, signature = str(hub.info["containerUri"]).partition("?")
    return f"{base}{f'/{quote(name)}' if name else ''}?{query}{signature}"


def code_of(response: requests.Response) -> tuple[int, str]:
    found = ElementTree.fromstring(response.content).findtext("Code") or ""
    assert response.headers["x-ms-error-code"] == found
    return response.status_code, found


def test_a_file_is_uploaded_and_both_forms_of_the_notification_end_it(hub: HubProcess, name: str) -> None:
    while hub.ok("GET", NOTIFICATIONS):
        pass
    first, second = begin(hub, name, "a b.txt"), begin(hub, name, "c")
    assert first["blobName"] == f"{name}/a b.txt" and first["sasToken"].startswith("?sv=")
    assert first["hostName"] == f"localhost:{hub.https_port}"
    for place, body in ((first, b"one"), (second, b"two!")):
        assert put(hub, blob_url(place), body).status_code == 201
    ended = {"isSuccess": True, "statusCode": 201, "statusDescription": "done"}
    hub.ok("POST", f"/devices/{name}/files/notifications", {**ended, "correlationId": first["correlationId"]})
    hub.ok("POST", f"/devices/{name}/files/notifications/{second['correlationId']}", ended)
    taken = [hub.request("GET", NOTIFICATIONS) for _ in range(2)]
    assert [(each.json()["blobName"], each.json()["blobSizeInBytes"]) for each in taken] == [
        (f"{name}/a b.txt", 3),
        (f"{name}/c", 4),
    ]
    token = taken[0].headers["ETag"].strip('"')
    assert hub.request("POST", f"{NOTIFICATIONS}/{token}/abandon").status_code == 204
    token = hub.request("GET", NOTIFICATIONS).headers["ETag"].strip('"')
    assert hub.request("DELETE", f"{NOTIFICATIONS}/{token}").status_code == 204
    assert hub.refused("DELETE", f"{NOTIFICATIONS}/{token}") == (412, "DeviceMessageLockLost")
    assert hub.request("GET", NOTIFICATIONS).status_code == 204


def test_who_may_not_upload_is_refused(hub: HubProcess, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    module = hub.ok("PUT", f"/devices/{name}/modules/m", {"deviceId": name, "moduleId": "m"})
    path, body = f"/devices/{name}/files", {"blobName": "a"}

    own = sas(key, f"{hub.host}/devices/{name}")
    module_key = module["authentication"]["symmetricKey"]["primaryKey"]
    of_module = sas(module_key, f"{hub.host}/devices/{name}/modules/m")
    assert hub.request("POST", path, body, token=own).status_code == 200
    assert hub.refused("POST", path, body, token=of_module)[0] == 401
    assert hub.refused("POST", path, body, policy="service")[0] == 401
    assert hub.refused("POST", path, {}, token=own) == (400, "ArgumentInvalid")
    assert hub.refused("POST", f"{path}/notifications", {"correlationId": "x"}, token=own) == (400, "ArgumentInvalid")
    unknown = {"correlationId": "unknown", "isSuccess": True}
    assert hub.refused("POST", f"{path}/notifications", unknown, token=own) == (400, "IotHubFormatError")
    hub.ok("PUT", f"/devices/{name}", {"deviceId": name, "status": "disabled"}, headers={"If-Match": "*"})
    assert hub.refused("POST", path, body, token=own)[0] == 401


def test_an_eleventh_open_upload_is_refused(hub: HubProcess, name: str) -> None:
    for number in range(10):
        begin(hub, name, f"{number}")
    refused = hub.refused("POST", f"/devices/{name}/files", {"blobName": "more"})
    assert refused == (403, "DeviceMaximumActiveFileUploadLimitExceeded")


def test_a_signature_is_for_its_blob_and_permissions_alone(hub: HubProcess, name: str) -> None:
    url = blob_url(begin(hub, name, "a"))
    assert put(hub, url, b"content").status_code == 201
    address, _, query = url.partition("?")
    assert code_of(call(hub, "GET", address)) == (403, "AuthenticationFailed")
    assert code_of(call(hub, "GET", f"{address}b?{query}")) == (403, "AuthenticationFailed")
    assert code_of(call(hub, "GET", url.replace("sp=rw", "sp=rwd"))) == (403, "AuthenticationFailed")
    assert code_of(call(hub, "DELETE", url)) == (403, "AuthorizationPermissionMismatch")
    listing = address.rpartition(f"/{name}/")[0]
    assert code_of(call(hub, "GET", f"{listing}?restype=container&comp=list&{query}")) == (403, "AuthenticationFailed")
    assert call(hub, "GET", url).content == b"content"


def test_a_blob_is_read_in_ranges_and_described(hub: HubProcess, name: str) -> None:
    url = container_url(hub, f"{name}/ranges")
    digest = base64.b64encode(hashlib.md5(b"0123456789").digest()).decode()
    made = put(hub, url, b"0123456789", x_ms_meta_Site="north", x_ms_blob_content_type="text/plain", Content_MD5=digest)
    assert (made.status_code, made.headers["Content-MD5"]) == (201, digest)
    whole, head = call(hub, "GET", url), call(hub, "HEAD", url)
    assert (whole.content, whole.headers["x-ms-meta-Site"]) == (b"0123456789", "north")
    assert (head.headers["Content-Length"], head.headers["Content-Type"]) == ("10", "text/plain")
    assert head.headers["ETag"] == made.headers["ETag"] and not head.content
    ranges = {"bytes=2-4": b"234", "bytes=7-": b"789", "bytes=-3": b"789", "bytes=8-99": b"89"}
    for text, content in ranges.items():
        part = call(hub, "GET", url, x_ms_range=text)
        assert (part.status_code, part.content) == (206, content), text
    assert code_of(call(hub, "GET", url, Range="bytes=10-")) == (416, "InvalidRange")
    assert call(hub, "DELETE", url).status_code == 202
    assert code_of(call(hub, "GET", url)) == (404, "BlobNotFound")


def test_conditions_hold(hub: HubProcess, name: str) -> None:
    url = container_url(hub, f"{name}/conditions")
    assert code_of(put(hub, url, b"x", If_Match='"0x1"')) == (412, "ConditionNotMet")
    assert put(hub, url, b"old", If_None_Match="*").status_code == 201
    assert code_of(put(hub, url, b"new", If_None_Match="*")) == (409, "BlobAlreadyExists")
    assert code_of(put(hub, url, b"new", If_Match='"0x1"')) == (412, "ConditionNotMet")
    assert call(hub, "GET", url).content == b"old"


def test_blocks_are_put_together_by_their_list(hub: HubProcess, name: str) -> None:
    url = container_url(hub, f"{name}/blocks", "comp={comp}&")
    ids = [base64.b64encode(f"{number:03}".encode()).decode() for number in range(3)]
    for number, block_id in enumerate(ids):
        block = url.replace("{comp}", "block") + f"&blockid={quote(block_id, safe='')}"
        assert call(hub, "PUT", block, f"block {number};".encode()).status_code == 201
    plain = container_url(hub, f"{name}/blocks")
    assert code_of(call(hub, "GET", plain)) == (404, "BlobNotFound")
    commit = url.replace("{comp}", "blocklist")
    missing = b"<BlockList><Latest>AAAA</Latest></BlockList>"
    assert code_of(call(hub, "PUT", commit, missing)) == (400, "InvalidBlockList")
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><BlockList><Latest>&b;</Latest></BlockList>'
    assert code_of(call(hub, "PUT", commit, bomb)) == (400, "InvalidXmlDocument")
    listed = "".join(f"<Latest>{each}</Latest>" for each in (ids[0], ids[2], ids[1]))
    assert call(hub, "PUT", commit, f"<BlockList>{listed}</BlockList>".encode()).status_code == 201
    assert call(hub, "GET", plain).content == b"block 0;block 2;block 1;"


def test_blobs_are_listed_by_prefix_and_in_pages(hub: HubProcess, name: str) -> None:
    names = [f"{name}/{each}" for each in ("a", "b & <c>", "d/e", "ü")]
    for each in names:
        assert put(hub, container_url(hub, each), b"x").status_code == 201
    found, marker = [], ""
    while True:
        query = f"restype=container&comp=list&prefix={quote(name)}/&maxresults=3&marker={quote(marker)}&"
        page = ElementTree.fromstring(call(hub, "GET", container_url(hub, query=query)).content)
        found += [each.text for each in page.iter("Name")]
        if not (marker := page.findtext("NextMarker") or ""):
            break
    assert found == names


@pytest.mark.parametrize("odd", ["..%2f..%2fup", "%2e%2e/up", "a%5C..%5Cb", "con", "a%00b", "%ff", "x" * 1025, "a%0Ab"])
def test_no_name_leads_out_of_the_folder(hub: HubProcess, odd: str) -> None:
    base, _, query = str(hub.info["containerUri"]).partition("?")
    session, request = requests.Session(), requests.Request("PUT", "https://x", data=b"x")
    request.headers["x-ms-blob-type"] = "BlockBlob"
    prepared = session.prepare_request(request)
    prepared.url = f"{base}/{odd}?{query}"  # as it is: `requests` would tidy it up
    status = session.send(prepared, verify=hub.ca, timeout=30, proxies={"https": ""}).status_code
    assert status in (201, 400, 403, 404)
    folder = hub.data_dir / "storage.in-memory"
    outside = [each for each in hub.data_dir.rglob("up") if folder not in each.parents]
    assert outside == [] and {each.name for each in folder.iterdir()} == {"uploads", "registry"}


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("PUT", "", {}),
        ("PUT", "", {"x_ms_blob_type": "PageBlob"}),
        ("PUT", "comp=metadata&", {}),
        ("PUT", "comp=block&blockid=!&", {}),
        ("PUT", "", {"x_ms_blob_type": "BlockBlob", "Content_MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
        ("POST", "", {}),
        ("GET", "comp=acl&", {}),
    ],
)
def test_what_is_not_served_or_damaged_is_refused_and_leaves_nothing(
    hub: HubProcess, name: str, method: str, query: str, headers: dict[str, str]
) -> None:
    response = call(hub, method, container_url(hub, f"{name}/refused", query), b"body", **headers)
    assert response.status_code == 400 and code_of(response)[1]
    assert code_of(call(hub, "GET", container_url(hub, f"{name}/refused"))) == (404, "BlobNotFound")


class BrokenOff(Exception):
    """The client gives up."""


def pieces(count: int, error: Exception | None = None) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * MIB
    if error is not None:
        raise error


def put_pieces(hub: HubProcess, url: str, body: Iterator[bytes], size: int) -> int:
    """Put a blob piece by piece; gives the status."""
    trust = ssl.create_default_context(cafile=hub.ca)
    connection = http.client.HTTPSConnection(hub.host, hub.https_port, timeout=60, context=trust)
    with closing(connection):
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Length": str(size)}
        connection.request("PUT", url.partition(f":{hub.https_port}")[2], body, headers)
        return connection.getresponse().status


def test_an_upload_that_breaks_off_leaves_nothing_and_a_large_one_takes_no_memory(hub: HubProcess, name: str) -> None:
    url, size = container_url(hub, f"{name}/large"), 96 * MIB
    with pytest.raises(BrokenOff):
        put_pieces(hub, url, pieces(8, BrokenOff()), size)
    writing = hub.data_dir / "storage.in-memory" / "registry" / ".blobs" / "writing"
    wait_until("what came is removed", lambda: not list(writing.iterdir()))
    assert code_of(call(hub, "GET", url)) == (404, "BlobNotFound")
    before = memory_mib(hub.info["pid"])
    assert put_pieces(hub, url, pieces(96), size) == 201
    assert call(hub, "HEAD", url).headers["Content-Length"] == str(size)
    assert memory_mib(hub.info["pid"]) - before < 24  # a quarter of the file
    assert call(hub, "DELETE", url).status_code == 202


def test_a_hub_that_is_killed_while_a_file_comes_leaves_the_old_one(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub") as hub:
        assert put(hub, container_url(hub, "a"), b"old").status_code == 201
        writing = tmp_path / "hub" / "storage" / "registry" / ".blobs" / "writing"

        def body() -> Iterator[bytes]:
            yield b"x" * MIB
            wait_until("some of it is on the disk", lambda: sum(each.stat().st_size for each in writing.iterdir()))
            hub.kill()
            yield from pieces(8)

        with pytest.raises(OSError):  # the connection is gone
            put_pieces(hub, container_url(hub, "a"), body(), 96 * MIB)
        assert len(list(writing.iterdir())) == 1
    with HubProcess(tmp_path / "hub") as hub:
        assert call(hub, "GET", container_url(hub, "a")).content == b"old"
        assert list(writing.iterdir()) == []


def test_the_upload_folder_may_be_any_and_outlives_a_hub_in_memory(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub", "--in-memory", "--upload-folder", str(tmp_path / "files")) as hub:
        place = begin(hub, "pump", "logs/today.txt")
        assert put(hub, blob_url(place), b"content").status_code == 201
        assert hub.info["uploadDirectory"] == str(tmp_path / "files")
    assert (tmp_path / "files" / "uploads" / "pump" / "logs" / "today.txt").read_bytes() == b"content"


def memory_mib(process: int) -> float:
    """The most memory that a process has had; 0 where the system does not say so."""
    path = Path(f"/proc/{process}/status")
    if not path.exists():
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", path.read_text(encoding="ascii"))
    return int(found.group(1)) / 1024 if found else 0.0
