"""What is a DTMI, by its grammar."""

import pytest

from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.errors import BadValue

RIGHT = """
    dtmi:com:example:Thermostat;1 dtmi:a;1 dtmi:foo_bar:_16:baz33:qux;12 dtmi:a:b;999999999 dtmi:com:example:Thermostat
    dtmi:com:example:Thermostat;1.2 dtmi:a__b;1 dtmi:__a;1
""".split()
WRONG = """
    Thermostat urn:example:Thermostat:1 DTMI:a;1 dtmi dtmi: dtmi:;1 dtmi:a:;1 dtmi::a;1 dtmi:1a;1 dtmi:a_;1 dtmi:_;1
    dtmi:a-b;1 dtmi:ä;1 dtmi:a; dtmi:a;0 dtmi:a;01 dtmi:a;v1 dtmi:a;1.0 dtmi:a;1. dtmi:a;1234567890 dtmi:a;1#b
    dtmi:a&api-version=1;1
""".split()
WITH_SPACES = ["", "dtmi:a b;1", " dtmi:a;1", "dtmi:a;1 ", "dtmi:a;1\n"]


@pytest.mark.parametrize("text", [*RIGHT, f"dtmi:{'a' * 4089};1"])
def test_a_dtmi_is_taken(text: str) -> None:
    check_dtmi(text, "--model-id")


@pytest.mark.parametrize("text", [*WRONG, *WITH_SPACES, f"dtmi:{'a' * 4090};1"])
def test_what_is_not_a_dtmi_is_refused_and_the_form_is_shown(text: str) -> None:
    with pytest.raises(BadValue, match="--model-id.*DTMI"):
        check_dtmi(text, "--model-id")
