"""What a page says that commands show is found in what they have shown, and what they have not shown is named."""

import pytest

from tests.documents.shown_output import missing_lines

SHOWN = """WARNING: Batch 1 ended: 5 devices.
Hub              Devices
---------------  ---------
localhost:40123  100
{
  "status": 201
}
====== 1 passed in 0.41s ======
"""


@pytest.mark.parametrize(
    "text",
    [
        SHOWN,
        "Batch 1 ended: 5 devices.\n",
        "Hub   Devices\n-----   ----\nlocalhost:8443   100\n",
        '{"status": 201}'.replace("{", "{\n").replace("}", "\n}"),
        "Batch … devices.\n1 passed in 2.30s\n",
        "…\n",
    ],
)
def test_what_was_shown_is_found(text: str) -> None:
    assert missing_lines(text, SHOWN) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Batch 1 ended: 6 devices.\n", ["Batch 1 ended: 6 devices."]),
        ("Batch 1 ended\n", ["Batch 1 ended"]),
        ("localhost:8443  99\n", ["localhost:8443  99"]),
        ("localhost:8443  100\nHub  Devices\n", ["Hub  Devices"]),
        ("3 passed in 0.41s\n", ["3 passed in 0.41s"]),
        ("Hub Devices\nPort\n", ["Port"]),
    ],
)
def test_what_was_not_shown_is_named(text: str, missing: list[str]) -> None:
    assert missing_lines(text, SHOWN) == missing
