"""HubClient: how a device is acted as."""

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Transport
from tests.helpers.transport_double import TransportDouble, answering

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WITH_KEY = {"deviceId": "d", "authentication": {"type": "sas", "symmetricKey": {"primaryKey": KEY}}}
WITH_CERTIFICATE = {"deviceId": "d", "authentication": {"type": "certificateAuthority"}}


class Opened:
    """A client, and as whom it went in."""

    def __init__(self, document: object, *, may_act_as_device: bool) -> None:
        self.as_service, self.as_device = TransportDouble(answering(document)), TransportDouble(answering(status=204))
        self.entered: list[tuple[str, str | None]] = []

        def enter(device: str, key: str | None) -> Transport:
            self.entered.append((device, key))
            return self.as_device

        self.client = HubClient(HubTarget(host="h"), self.as_service, enter, may_act_as_device=may_act_as_device)


def test_entra_acts_as_a_device_with_the_key_that_the_registry_has() -> None:
    opened = Opened(WITH_KEY, may_act_as_device=False)
    opened.client.device("d").receive(60)
    assert [request.path for request in opened.as_service.requests] == ["/devices/d"]
    assert (opened.entered, len(opened.as_device.requests)) == ([("d", KEY)], 1)


def test_a_policy_or_a_given_key_needs_no_registry() -> None:
    opened = Opened(WITH_KEY, may_act_as_device=True)
    opened.client.device("d").receive(60)
    Opened(WITH_KEY, may_act_as_device=False).client.device("d", KEY).receive(60)
    assert (opened.entered, opened.as_service.requests) == ([("d", None)], [])


def test_a_device_without_keys_says_how_it_signs_in() -> None:
    with pytest.raises(BadValue, match="certificateAuthority"):
        Opened(WITH_CERTIFICATE, may_act_as_device=False).client.device("d")
