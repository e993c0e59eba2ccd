"""What signs in over AMQP."""

import base64
import hashlib
import hmac
from datetime import datetime, timezone
from urllib.parse import parse_qsl, unquote

from azext_iotjobs.model.entra import AUDIENCE, AadLogin, BearerToken
from azext_iotjobs.model.target import SasKey, SasToken
from azext_iotjobs.transport.amqp_login import event_hub_login, hub_login
from tests.helpers.clock_double import START, ClockDouble

TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY = SasKey(policy="service", key=TEXT)
ENDS = datetime(2030, 1, 1, tzinfo=timezone.utc)


def signature_of(text: str, key: bytes) -> tuple[dict[str, str], str]:
    """The fields of a token, and the signature that `key` makes of them."""
    fields = dict(parse_qsl(text.removeprefix("SharedAccessSignature "), strict_parsing=True))
    encoded = next(each for each in text.split(" ")[1].split("&") if each.startswith("sr=")).removeprefix("sr=")
    made = hmac.new(key, f"{encoded}\n{fields['se']}".encode(), hashlib.sha256).digest()
    return fields, base64.b64encode(made).decode()


def test_a_hub_is_signed_in_to_with_the_bytes_of_the_key() -> None:
    login = hub_login("hub.example.net", KEY, ClockDouble())
    token = login.fetch()
    fields, expected = signature_of(token.text, base64.b64decode(TEXT))
    assert (fields["sig"], unquote(fields["sr"]), fields["skn"]) == (expected, "hub.example.net", "service")
    assert login.audience == "hub.example.net" and token.expires_at == int(START.timestamp()) + 3600


def test_an_event_hub_is_signed_in_to_with_the_text_of_the_key() -> None:
    login = event_hub_login("eh.example.net", "hub-1", KEY, ClockDouble())
    fields, expected = signature_of(login.fetch().text, TEXT.encode())
    assert (fields["sig"], unquote(fields["sr"])) == (expected, "sb://eh.example.net/hub-1")


def test_a_new_token_is_made_each_time() -> None:
    clock = ClockDouble()
    login = hub_login("hub", KEY, clock)
    first = login.fetch()
    clock.sleep(100)
    assert login.fetch().expires_at == first.expires_at + 100


def test_a_finished_token_is_used_as_it_is() -> None:
    token = SasToken(policy="service", expires_at=ENDS, text="SharedAccessSignature sr=hub")
    assert hub_login("hub", token, ClockDouble()).fetch() == (token.text, int(ENDS.timestamp()))


def test_microsoft_entra_is_for_all_hubs() -> None:
    login = hub_login("hub", AadLogin(fetch=lambda: BearerToken(text="abc", expires_at=ENDS)), ClockDouble())
    assert (login.kind, login.audience) == ("Bearer", AUDIENCE)
    assert login.fetch() == ("Bearer abc", int(ENDS.timestamp()))


def test_no_secret_is_shown() -> None:
    login = hub_login("hub", KEY, ClockDouble())
    assert TEXT not in repr(login) and login.fetch().text not in repr(login.fetch())
