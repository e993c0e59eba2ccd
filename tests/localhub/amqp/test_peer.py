"""Who a client is: SASL, tokens on `$cbs`, certificates; what it may do, and until when."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.peer import MAX_CLAIMS, DeviceNeed, Peer, ServiceNeed
from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.fault import read_fault
from tests.helpers.device_certificates import Made, make
from tests.helpers.hub_in_memory import KEY, OTHER_KEY, HubInMemory
from tests.helpers.short_form import examples

PUMP, MODULE, OTHER = Address("pump-1"), Address("pump-1", "m"), Address("pump@sas.2")
C2D = ("messages", "devicebound")
SAS = "servicebus.windows.net:sastoken"


@pytest.fixture
def hub() -> Iterator[HubInMemory]:
    with HubInMemory(PUMP, MODULE, OTHER) as hub:
        yield hub


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def number_of(refused: "pytest.ExceptionInfo[HubError]") -> int:
    return refused.value.fault.number


def may_send(peer: Peer) -> bool:
    return is_let_in(peer, ServiceNeed(C2D))


def is_let_in(peer: Peer, need: DeviceNeed | ServiceNeed) -> bool:
    try:
        peer.require(need)
    except HubError:
        return False
    return True


# --- SASL


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "EXTERNAL", "MSSBCBS"])
def test_a_mechanism_without_a_password_proves_nothing(hub: HubInMemory, mechanism: str) -> None:
    peer = hub.peer()
    peer.sign_in(mechanism, b"")
    with pytest.raises(HubError, match="no valid token") as refused:
        peer.require_device(PUMP)
    assert number_of(refused) == 401003 and not may_send(peer)


def test_a_service_signs_in_by_plain_with_the_name_of_its_policy(hub: HubInMemory) -> None:
    peer = hub.peer()
    token = hub.token("localhost", policy="service")
    peer.sign_in("PLAIN", f"\0service@sas.root.local-hub\0{token}".encode())
    assert may_send(peer) and peer.name == "service@sas.root.local-hub"
    assert not is_let_in(peer, DeviceNeed(PUMP))


@pytest.mark.parametrize(
    ("user", "address"),
    [("pump-1@sas.local-hub", PUMP), ("pump-1/m@sas.local-hub", MODULE), ("pump@sas.2@sas.local-hub", OTHER)],
)
def test_a_device_signs_in_by_plain_with_its_id(hub: HubInMemory, user: str, address: Address) -> None:
    peer = hub.peer()
    peer.sign_in("PLAIN", f"\0{user}\0{hub.token('/'.join(('localhost', *address.path)))}".encode())
    assert peer.require_device(address).policy is None
    assert not may_send(peer) and not is_let_in(peer, DeviceNeed(Address("pump-2")))


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\0\0",
        b"\0service@sas.root.hub",
        b"\0service@sas.root.hub\0nonsense",
        b"\xff\0a\0b",
        b"\0somebody\0secret",
        b"\0pump-1@hub\0secret",
        b"a\0b\0c\0d",
    ],
)
def test_a_wrong_answer_of_plain_is_refused(hub: HubInMemory, response: bytes) -> None:
    peer = hub.peer()
    with pytest.raises(HubError) as refused:
        peer.sign_in("PLAIN", response)
    assert number_of(refused) == 401003 and peer.next_expiry is None


def test_plain_refuses_a_token_of_somebody_else_and_says_nothing_of_it(hub: HubInMemory) -> None:
    for user, token in (
        ("device@sas.root.hub", hub.token("localhost", policy="service")),
        ("service@sas.root.hub", hub.token("localhost", policy="service", key=OTHER_KEY)),
        ("service@sas.root.hub", hub.token("localhost/devices/pump-1")),
        ("pump-1@sas.hub", hub.token("localhost/devices/pump@sas.2")),
        ("pump-1/m@sas.hub", hub.token("localhost/devices/pump-1")),
        ("pump-3@sas.hub", hub.token("localhost", policy="device")),
        ("pump-1@sas.hub", hub.token("localhost", policy="service")),
        ("pump-1@sas.hub", hub.token("elsewhere.net/devices/pump-1")),
        ("pump-1@sas.hub", hub.token("localhost/devices/pump-1", life_s=0)),
    ):
        peer = hub.peer()
        with pytest.raises(HubError) as refused:
            peer.sign_in("PLAIN", f"\0{user}\0{token}".encode())
        assert number_of(refused) in (401002, 401003), user
        assert peer.next_expiry is None and token[-20:] not in refused.value.text


def test_a_client_of_event_hubs_signs_in_by_plain_with_a_policys_key_and_reads_events_alone(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.sign_in("PLAIN", f"\0service\0{KEY}".encode())
    assert is_let_in(peer, ServiceNeed(("local-hub",), kind=None))
    assert not may_send(peer) and not is_let_in(peer, DeviceNeed(PUMP))
    for policy, key in (("service", OTHER_KEY), ("service", ""), ("nobody", ""), ("", "")):
        with pytest.raises(HubError, match="no policy with that name and key"):
            hub.peer().sign_in("PLAIN", f"\0{policy}\0{key}".encode())
    peer = hub.peer()
    peer.sign_in("PLAIN", f"\0device\0{KEY}".encode())
    assert not is_let_in(peer, ServiceNeed(("local-hub",), kind=None))


def test_an_unknown_mechanism_is_refused_with_those_that_are_known(hub: HubInMemory) -> None:
    with pytest.raises(HubError, match="PLAIN, ANONYMOUS, EXTERNAL, MSSBCBS"):
        hub.peer().sign_in("SCRAM-SHA-1", b"")


# --- $cbs


@pytest.mark.parametrize("kind", [SAS, "azure-devices.net:sastoken", "ServiceBus.Windows.Net:SasToken"])
@pytest.mark.parametrize(
    "resource",
    [
        "localhost",
        "sb://localhost:5671/messages/DeviceBound",
        "amqps://localhost/messages",
        "127.0.0.1:443",
        "LOCALHOST",
    ],
)
def test_a_service_puts_a_token_however_it_writes_the_resource(hub: HubInMemory, kind: str, resource: str) -> None:
    peer = hub.peer()
    peer.put_token(kind, hub.token(resource, policy="service"))
    assert may_send(peer)


def test_a_token_lets_in_only_where_its_scope_and_rights_do(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost/messages/events", policy="iothubowner"))
    assert not may_send(peer)
    assert is_let_in(peer, ServiceNeed(("messages", "events", "$management")))
    assert not is_let_in(peer, ServiceNeed(("messages", "events"), Right.REGISTRY_READ & Right.REGISTRY_WRITE))
    peer.put_token(SAS, hub.token("localhost", policy="registryReadWrite"))
    assert not may_send(peer)


def test_one_connection_carries_several_devices_each_with_a_token(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1"))
    assert not is_let_in(peer, DeviceNeed(OTHER))
    peer.put_token(SAS, hub.token("localhost/devices/pump@sas.2", key=OTHER_KEY))
    assert is_let_in(peer, DeviceNeed(PUMP)) and is_let_in(peer, DeviceNeed(OTHER))
    assert not is_let_in(peer, DeviceNeed(MODULE))


def test_an_event_hubs_client_signs_with_the_keys_text_and_reads_events_alone(hub: HubInMemory) -> None:
    peer, events = hub.peer(), ServiceNeed(("local-hub", "$management"), kind=None)
    peer.put_token(SAS, hub.event_hubs_token("sb://localhost/local-hub", "iothubowner"))
    assert is_let_in(peer, events)
    assert not is_let_in(peer, ServiceNeed(("local-hub", "$management"))) and not is_let_in(peer, DeviceNeed(PUMP))
    other = hub.peer()
    other.put_token(SAS, hub.event_hubs_token("localhost", "registryRead"))
    assert not is_let_in(other, events)


@pytest.mark.parametrize("policy", ["nobody", ""])
def test_no_signature_fits_a_policy_that_there_is_not(hub: HubInMemory, policy: str) -> None:
    with pytest.raises(HubError) as refused:
        hub.peer().put_token(SAS, hub.token("localhost", policy=policy, key=""))
    assert number_of(refused) in (401002, 401003)


@pytest.mark.parametrize("kind", ["jwt", "Bearer", "amqp:jwt", "servicebus.windows.net:jwt"])
def test_entra_is_refused_and_what_would_work_is_said(hub: HubInMemory, kind: str) -> None:
    with pytest.raises(HubError, match="Entra is not supported.*SAS token") as refused:
        hub.peer().put_token(kind, "eyJ0.x.y")
    assert number_of(refused) == 401003
    with pytest.raises(HubError, match="Entra"):
        hub.peer().put_token(SAS, "Bearer eyJ0.x.y")


def test_an_unknown_type_of_token_is_refused_with_those_that_are_known(hub: HubInMemory) -> None:
    with pytest.raises(HubError, match=SAS) as refused:
        hub.peer().put_token("kerberos", "x")
    assert number_of(refused) == 400004


@pytest.mark.parametrize("resource", ["localhost/devices", "localhost/messages", "localhost", "localhost/devices/gone"])
def test_a_token_of_no_policy_has_to_be_a_known_devices(hub: HubInMemory, resource: str) -> None:
    with pytest.raises(HubError) as refused:
        hub.peer().put_token(SAS, hub.token(resource))
    assert number_of(refused) == 401003


def test_a_disabled_device_is_refused_also_with_a_token_that_was_put_before(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1"))
    peer.put_token(SAS, hub.token("localhost", policy="device"))
    identity = hub.identities.get(PUMP)
    assert identity is not None
    hub.identities.delete(PUMP)
    hub.add(PUMP, status="disabled")
    with pytest.raises(HubError, match="disabled"):
        peer.require_device(PUMP)
    with pytest.raises(HubError, match="disabled"):
        peer.put_token(SAS, hub.token("localhost/devices/pump-1"))


def test_tokens_of_one_connection_are_limited_but_may_be_renewed(hub: HubInMemory) -> None:
    peer = hub.peer()
    for number in range(MAX_CLAIMS):
        peer.put_token(SAS, hub.token(f"localhost/devices/pump-{number}", policy="device"))
    with pytest.raises(HubError, match=str(MAX_CLAIMS)):
        peer.put_token(SAS, hub.token("localhost", policy="device"))
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", policy="device", life_s=1200))


def test_the_name_for_devices_does_not_let_services_in_nor_the_other_way_round(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost", policy="iothubowner"))
    peer.host = "local-hub.device.localhost"
    assert is_let_in(peer, DeviceNeed(PUMP)) and not may_send(peer)
    assert is_let_in(peer, ServiceNeed(("local-hub",), kind=None))
    peer.host = "local-hub.service.localhost:5671"
    assert not is_let_in(peer, DeviceNeed(PUMP)) and may_send(peer)


@given(
    mechanism=st.one_of(st.sampled_from(["PLAIN", "ANONYMOUS"]), st.text(max_size=20)),
    response=st.one_of(st.binary(max_size=60), st.lists(st.text(max_size=30), max_size=4).map("\0".join).map(encoded)),
    kind=st.one_of(st.just(SAS), st.text(max_size=30)),
    token=st.one_of(
        st.text(max_size=60), st.text(max_size=40).map(lambda rest: f"SharedAccessSignature sr=localhost&{rest}")
    ),
)
@examples(200, 20_000)
def test_nothing_that_is_made_up_lets_anybody_in(mechanism: str, response: bytes, kind: str, token: str) -> None:
    with HubInMemory(PUMP) as hub:
        peer = hub.peer()
        with suppress(HubError):
            peer.sign_in(mechanism, response)
        with suppress(HubError):
            peer.put_token(kind, token)
        assert peer.next_expiry is None and not may_send(peer) and not is_let_in(peer, DeviceNeed(PUMP))


# --- the end of what was proved


def test_a_link_ends_with_its_token_unless_that_is_renewed(hub: HubInMemory) -> None:
    peer, link = hub.peer(), object()
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=60))
    peer.hold(link, ServiceNeed(C2D))
    hub.clock.advance(50)
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=60))
    hub.clock.advance(20)
    assert peer.drop_expired().links == ()
    hub.clock.advance(40)
    expired = peer.drop_expired()
    assert (expired.links, expired.ends_connection) == ((link,), False)
    assert peer.next_expiry is None and not may_send(peer)


def test_an_expired_token_lets_nobody_in_before_it_was_dropped(hub: HubInMemory) -> None:
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=60))
    hub.clock.advance(60)
    assert not may_send(peer)


def test_a_link_lives_on_another_claim_that_supports_it(hub: HubInMemory) -> None:
    peer, link, device_link = hub.peer(), object(), object()
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=60))
    peer.put_token(SAS, hub.token("localhost/messages", policy="iothubowner", life_s=600))
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=60))
    peer.hold(link, ServiceNeed(C2D))
    peer.hold(device_link, DeviceNeed(PUMP))
    hub.clock.advance(60)
    expired = peer.drop_expired()
    assert (expired.links, expired.ends_connection) == ((device_link,), False)


def test_the_connection_of_a_device_ends_with_its_last_claim(hub: HubInMemory) -> None:
    peer, link = hub.peer(), object()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=60))
    peer.hold(link, DeviceNeed(PUMP))
    hub.clock.advance(60)
    expired = peer.drop_expired()
    assert (expired.links, expired.ends_connection) == ((link,), True)


def test_a_link_that_has_ended_is_not_ended_again(hub: HubInMemory) -> None:
    peer, link = hub.peer(), object()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=60))
    peer.hold(link, DeviceNeed(PUMP))
    peer.let_go(link)
    hub.clock.advance(60)
    expired = peer.drop_expired()
    assert (expired.links, expired.ends_connection) == ((), False)


def test_whoever_watches_the_end_is_told_of_every_new_claim(hub: HubInMemory) -> None:
    peer, ends = hub.peer(), []
    peer.on_change = lambda: ends.append(peer.next_expiry)
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=60))
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=30))
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=90))
    begun = hub.clock.now()
    assert [(end - begun).total_seconds() for end in ends if end is not None] == [60, 30, 60]


def test_a_peer_has_the_name_of_its_first_claim_and_shows_no_secret(hub: HubInMemory) -> None:
    peer = hub.peer()
    assert peer.name is None
    token = hub.token("localhost/devices/pump-1/modules/m")
    peer.put_token(SAS, token)
    assert peer.name == "pump-1/m"
    signature = token.partition("sig=")[2][:20]
    assert signature not in repr(peer) + repr(peer.require_device(MODULE)) + repr(vars(peer))


# --- certificates


@pytest.fixture
def shown(hub: HubInMemory) -> Made:
    """A certificate that is good for a minute, of a device that is known by its thumbprint."""
    made = make("pump-x", now=hub.clock.now(), ends=timedelta(minutes=1))
    hub.add(Address("pump-x"), sign_in="selfSigned", primary_thumbprint=made.thumbprint(), primary_key=None)
    return made


def test_a_device_is_let_in_by_its_certificate_alone_until_that_ends(hub: HubInMemory, shown: Made) -> None:
    peer, link = hub.peer(shown.der), object()
    claim = peer.require_device(Address("pump-x"))
    assert claim.is_certificate and peer.next_expiry == claim.expires_at
    peer.hold(link, DeviceNeed(Address("pump-x")))
    hub.clock.advance(61)
    expired = peer.drop_expired()
    assert (expired.links, expired.ends_connection) == ((link,), True)
    assert not is_let_in(peer, DeviceNeed(Address("pump-x")))


def test_a_certificate_lets_no_other_device_in_and_no_service(hub: HubInMemory, shown: Made) -> None:
    peer = hub.peer(shown.der)
    assert not is_let_in(peer, DeviceNeed(PUMP)) and not may_send(peer)
    hub.add(Address("pump-y"), sign_in="selfSigned", primary_thumbprint="0" * 40, primary_key=None)
    with pytest.raises(HubError, match="thumbprint"):
        peer.require_device(Address("pump-y"))


# --- a clock that was moved


def test_a_token_is_judged_by_the_machines_clock_and_a_move_uses_up_what_it_had_left(hub: HubInMemory) -> None:
    hub.clock.move(timedelta(days=1))
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=3600))
    peer.put_token(SAS, hub.token("localhost", policy="service", life_s=7201))
    with pytest.raises(HubError, match="expired"):
        peer.put_token(SAS, hub.token("localhost/devices/pump@sas.2", life_s=-1))
    hub.clock.move(timedelta(hours=2))
    assert not is_let_in(peer, DeviceNeed(PUMP)) and may_send(peer)
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=3600))
    assert is_let_in(peer, DeviceNeed(PUMP))


def test_a_certificate_is_judged_by_the_machines_clock_too(hub: HubInMemory, shown: Made) -> None:
    hub.clock.move(timedelta(days=30))
    peer, link, need = hub.peer(shown.der), object(), DeviceNeed(Address("pump-x"))
    assert is_let_in(peer, need)
    peer.hold(link, need)
    hub.clock.move(timedelta(minutes=1))
    assert peer.drop_expired().links == (link,)
    assert is_let_in(peer, need)


# --- a clock that is wrong


def test_a_clock_that_is_behind_lets_in_what_has_expired_until_it_has_expired_by_that_clock(hub: HubInMemory) -> None:
    hub.links.faults.add(read_fault({"kind": "clock-skew", "skewSeconds": -100, "device": "pump-1"}))
    peer = hub.peer()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=-60))
    assert is_let_in(peer, DeviceNeed(PUMP))
    assert peer.next_expiry == hub.clock.now() + timedelta(seconds=40)
    with pytest.raises(HubError, match="expired"):
        peer.put_token(SAS, hub.token("localhost/devices/pump@sas.2", life_s=-60))


def test_by_a_clock_that_is_ahead_tokens_expire_early(hub: HubInMemory) -> None:
    hub.links.faults.add(read_fault({"kind": "clock-skew", "skewSeconds": 100}))
    peer = hub.peer()
    with pytest.raises(HubError, match="expired"):
        peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=60))
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=160))
    assert peer.next_expiry == hub.clock.now() + timedelta(seconds=60)


def test_a_token_of_the_last_year_never_expires_by_any_clock(hub: HubInMemory) -> None:
    hub.links.faults.add(read_fault({"kind": "clock-skew", "skewSeconds": -100}))
    peer = hub.peer()
    left = sas.LATEST_EXPIRY - hub.clock.now()
    peer.put_token(SAS, hub.token("localhost/devices/pump-1", life_s=left.total_seconds()))
    assert peer.next_expiry == sas.LATEST_EXPIRY
