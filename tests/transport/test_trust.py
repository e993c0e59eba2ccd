"""Which hint fits a certificate that was refused."""

import ssl

import pytest

from azext_iotjobs.transport.trust import untrusted


def refusal(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "refused"
    return error


@pytest.mark.parametrize("where", ["device.localhost", "device.localhost:8443", "pump.localhost:443"])
def test_a_local_name_that_no_certificate_has_is_answered_with_those_it_has(where: str) -> None:
    hint = str(untrusted(where, refusal(62)).hint)
    assert "local-hub.localhost" in hint and "iot hub show" not in hint


@pytest.mark.parametrize("where", ["myhub.azure-devices.net", "myhub.azure-devices.net:8443"])
def test_another_name_is_to_be_checked_in_azure(where: str) -> None:
    assert "iot hub show" in str(untrusted(where, refusal(62)).hint)
