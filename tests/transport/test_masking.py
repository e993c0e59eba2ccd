import json

import pytest

from azext_iotjobs.transport.masking import masked

KEY = 'AAEC+/"wQF=='


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"authentication": {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}}),
        json.dumps({"value": [{"keyName": "owner", "PrimaryKey": KEY}]}, indent=2),
        "HostName=h;SharedAccessKeyName=p;SharedAccessKey=AAEC+/wQF==",
        '{"connectionString": "HostName=h;SharedAccessKey=AAEC+/wQF=="}',
        "SharedAccessSignature sr=h&sig=AAEC%2bwQF&se=1&skn=p",
        "{'Authorization': 'Bearer AAEC.wQF.x'}",
        "ProxyError('http://AAEC:wQF@proxy:3128')",
    ],
)
def test_no_secret_stays(text: str) -> None:
    assert "AAEC" not in masked(text)
    assert "wQF" not in masked(text)
    assert "***" in masked(text)


def test_what_is_no_secret_stays() -> None:
    text = '{"deviceId": "d", "primaryThumbprint": "AB", "keyName": "p"} sr=h&se=1&skn=p SharedAccessKeyName=p'
    assert masked(text) == text
