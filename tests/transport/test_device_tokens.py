"""How long a device's token lives, and when it is renewed."""

from datetime import timedelta

import pytest

from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.transport.device_tokens import DevicePassword, device_password, renew_pause
from tests.helpers.clock_double import START
from tests.transport.test_tokens import KEY, TARGET, fields


def test_a_devices_password_is_to_be_renewed_before_it_ends_and_does_not_show() -> None:
    password = device_password(TARGET, DeviceKey(device_id="d#1", key=KEY), START)
    assert fields(password.text)["sr"] == f"{TARGET.host}/devices/d#1"
    assert START + timedelta(minutes=45) < password.renew_at < START + timedelta(hours=1)
    assert password.text not in repr(password)
    assert isinstance(password, DevicePassword)


def test_renewals_are_spread_over_a_third_of_the_time_and_none_is_late() -> None:
    assert [renew_pause(3060, chance=chance) for chance in (0.0, 0.5, 1.0)] == pytest.approx([3060, 2601, 2142])
