"""What a verified token lets its owner do, and nothing else."""

from datetime import datetime, timezone

import pytest

from azext_iotjobs.localhub.auth.claims import Claim
from azext_iotjobs.localhub.auth.policies import OWNER, RIGHTS, Right
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod

END = datetime(2030, 1, 1, tzinfo=timezone.utc)
PUMP, MODULE = Address("pump-1"), Address("pump-1", "m")
WRONG_SCOPE, NO_RIGHT = 401003, 401002


def claim(*scope: str, policy: str | None = None) -> Claim:
    return Claim(scope=scope, expires_at=END, policy=policy)


@pytest.mark.parametrize("scope", [(), ("messages",), ("messages", "devicebound")])
def test_a_policy_lets_a_service_in_at_and_below_its_scope(scope: tuple[str, ...]) -> None:
    claim(*scope, policy="service").check_service(("messages", "devicebound"), Right.SERVICE_CONNECT)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (claim("messages", "events", policy="service"), WRONG_SCOPE),
        (claim("messages", "devicebound", "more", policy="service"), WRONG_SCOPE),
        (claim("mess", policy="service"), WRONG_SCOPE),
        (claim("messages"), WRONG_SCOPE),
        (claim("devices", "pump-1"), WRONG_SCOPE),
        (claim(policy="device"), NO_RIGHT),
        (claim(policy="registryRead"), NO_RIGHT),
    ],
)
def test_another_scope_or_right_does_not_let_a_service_in(given: Claim, number: int) -> None:
    with pytest.raises(HubError) as refused:
        given.check_service(("messages", "devicebound"), Right.SERVICE_CONNECT)
    assert refused.value.fault.number == number


@pytest.mark.parametrize("policy", RIGHTS)
def test_what_is_the_owners_is_for_its_policy_alone(policy: str) -> None:
    try:
        claim(policy=policy).check_service(("_local",), Right.REGISTRY_WRITE, owner_only=True)
    except HubError as refused:
        assert policy != OWNER and refused.fault.number == NO_RIGHT
    else:
        assert policy == OWNER


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (claim("devices", "pump-1"), PUMP),
        (claim("devices", "pump-1", "messages", "events"), PUMP),
        (claim("devices", "pump-1", "modules", "m"), MODULE),
        (claim(policy="device"), PUMP),
        (claim("devices", policy=OWNER), MODULE),
        (claim("devices", "pump-1", "messages", policy="device"), PUMP),
    ],
)
def test_a_device_is_let_in_by_its_own_claim_or_a_policys(given: Claim, address: Address) -> None:
    given.check_device(address)


@pytest.mark.parametrize(
    ("given", "address", "number"),
    [
        (claim("devices", "pump-2"), PUMP, WRONG_SCOPE),
        (claim("devices", "pump-10"), PUMP, WRONG_SCOPE),
        (claim("devices", "PUMP-1"), PUMP, WRONG_SCOPE),
        (claim("devices"), PUMP, WRONG_SCOPE),
        (claim(), PUMP, WRONG_SCOPE),
        (claim("devices", "pump-1"), MODULE, WRONG_SCOPE),
        (claim("devices", "pump-1", "modules", "n"), MODULE, WRONG_SCOPE),
        (claim("devices", "pump-2", policy="device"), PUMP, WRONG_SCOPE),
        (claim(policy="service"), PUMP, NO_RIGHT),
    ],
)
def test_another_devices_claim_does_not_let_a_device_in(given: Claim, address: Address, number: int) -> None:
    with pytest.raises(HubError) as refused:
        given.check_device(address)
    assert refused.value.fault.number == number


def test_a_claim_tells_how_its_device_has_authenticated() -> None:
    certificate = Claim(scope=PUMP.path, expires_at=END, is_certificate=True)
    given = (claim(*PUMP.path), claim(policy="device"), certificate)
    assert [each.auth_method for each in given] == [
        AuthMethod.DEVICE_KEY,
        AuthMethod.POLICY_KEY,
        AuthMethod.CERTIFICATE,
    ]
