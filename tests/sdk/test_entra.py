"""Microsoft Entra credentials: what is asked of them, and what reaches the hub."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from azext_iotjobs.sdk import BadValue, JobClient
from tests.helpers.tls_server import answer_with, serving

JOB = b'{"jobId": "j", "type": "scheduleUpdateTwin", "status": "queued"}'
SECRET = "HostName=h;SharedAccessKeyName=owner;SharedAccessKey=c2VjcmV0"


@dataclass
class Token:
    token: str
    expires_on: int


class Credential:
    """Gives numbered tokens that last `life_s`."""

    def __init__(self, life_s: float = 3600) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._life_s = life_s

    def get_token(self, *scopes: str) -> Token:
        self.asked.append(scopes)
        return Token(f"token-{len(self.asked)}", int(time.time() + self._life_s))


@pytest.mark.parametrize(("life_s", "sent"), [(3600, ["token-1", "token-1"]), (59, ["token-1", "token-2"])])
def test_a_token_is_sent_as_bearer_and_renewed_when_a_minute_is_left(
    tmp_path: Path, life_s: float, sent: list[str]
) -> None:
    credential = Credential(life_s)
    with serving(tmp_path, answer_with(200, JOB)) as hub:
        with JobClient(f"localhost:{hub.port}", credential, ca_file=str(hub.ca_file)) as client:
            assert credential.asked == []
            client.get_job("j")
            client.get_job("j")
        assert [seen.headers["authorization"] for seen in hub.seen] == [f"Bearer {token}" for token in sent]
    assert set(credential.asked) == {("https://iothubs.azure.net/.default",)}


def test_the_us_government_cloud_has_a_scope_of_its_own() -> None:
    class Stop(Exception):
        pass

    class Asked:
        def get_token(self, *scopes: str) -> Token:
            raise Stop(*scopes)

    with pytest.raises(Stop, match=r"^https://iothubs\.azure\.us/\.default$"):  # what it raises passes through
        JobClient("MyHub.azure-devices.us", Asked()).get_job("j")


def test_what_is_no_credential_is_refused_and_not_shown() -> None:
    with pytest.raises(BadValue, match="credential is a str") as refused:
        JobClient("h.azure-devices.net", SECRET)  # type: ignore[arg-type]
    assert "c2VjcmV0" not in f"{refused.value!r} {refused.value.hint}"
    with pytest.raises(BadValue, match="host name"):
        JobClient("https://h.azure-devices.net", Credential())
