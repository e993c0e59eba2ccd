import base64
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
        json.dumps({"rotatedKeys": [{"id": "d", "primaryKey": KEY, "secondaryKey": ""}]}),
        json.dumps([{"id": "d", "tags": {"a": 1}, "authentication": {"symmetricKey": {"primaryKey": KEY}}}]),
        json.dumps({"tags": {"a": [{}]}, "properties": {"desired": {}}, "primaryKey": KEY}),
        json.dumps({"properties": {"storageEndpoints": {"$default": {"connectionString": KEY}}}}),
        json.dumps({"properties": {"authorizationPolicies": [{"keyName": "o", "primaryKey": KEY}]}}),
        json.dumps({"Message": json.dumps({"primaryKey": KEY})}),
        f'{{"tags": {{"cut": {{ {{"primaryKey": {json.dumps(KEY)}}}',  # what follows must not be taken for the user's
        f'}} {{"tags": {{"a": {{"primaryKey": {json.dumps(KEY)}}}}}}}',
    ],
)
def test_no_secret_is_left_after_masking(text: str) -> None:
    assert "AAEC" not in masked(text)
    assert "wQF" not in masked(text)
    assert "***" in masked(text)


LONG_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    "document",
    [
        {"deviceId": "d", "tags": {"key": "pump-17", "list": [{"key": "a"}]}},
        {"properties": {"desired": {"key": "fan", "primaryKey": "id"}, "reported": {"deep": {"Key": "x"}}}},
        {"updateTwin": {"tags": {"key": "k"}, "properties": {"desired": {"a": {"key": "k"}}}}},
        {"methodName": "m", "payload": {"key": "k", "symmetricKey": "which"}},
        {"cloudToDeviceMethod": {"payload": [{"key": "k"}]}},
        {"outcome": {"deviceMethodResponse": {"status": 200, "payload": {"key": "k"}}}},
        {"moduleContent": {"properties.desired.a": {"key": "k"}}},
        [{"deviceId": "d", "key": "as a query named it"}],
        {"value": [{"keyName": "owner", "rights": "RegistryRead"}]},
    ],
)
def test_what_users_call_a_key_stays(document: object) -> None:
    for text in (json.dumps(document), json.dumps(document, indent=2), f"sent: {json.dumps(document)} (12 ms)"):
        assert masked(text) == text


@pytest.mark.parametrize("name", ["key", "primaryKey", "password", "sasToken", "connectionString", "accessToken"])
def test_what_can_only_be_a_secret_is_covered_among_users_data_too(name: str) -> None:
    assert masked(json.dumps({"tags": {"site": "n", name: LONG_KEY}})) == json.dumps(
        {"tags": {"site": "n", name: "***"}}
    )


def test_a_quoted_quote_ends_nothing() -> None:
    text = json.dumps({"primaryKey": 'AAEC"wQF', "tags": {"key": 'a"b', "other": "}{"}, "secondaryKey": "AAEC"})
    assert masked(text) == json.dumps(
        {"primaryKey": "***", "tags": {"key": 'a"b', "other": "}{"}, "secondaryKey": "***"}
    )


def test_which_of_two_keys_was_not_renewed_is_to_be_seen() -> None:
    text = json.dumps({"rotatedKeys": [{"id": "d", "primaryKey": LONG_KEY, "secondaryKey": ""}]})
    assert masked(text) == text.replace(LONG_KEY, "***")


def test_the_key_of_a_storage_account_is_covered() -> None:
    assert masked(f"AccountName=a;AccountKey={LONG_KEY};x=y") == "AccountName=a;AccountKey=***;x=y"


def test_what_is_no_secret_stays() -> None:
    text = '{"deviceId": "d", "primaryThumbprint": "AB", "keyName": "p"} sr=h&se=1&skn=p SharedAccessKeyName=p'
    assert masked(text) == text


def test_the_keys_of_a_storage_account_are_covered_and_other_values_are_not() -> None:
    key = base64.b64encode(bytes(64)).decode()
    listed = json.dumps({"keys": [{"keyName": "key1", "value": key}]}, indent=2)
    assert key not in masked(listed) and "key1" in masked(listed)
    assert masked(json.dumps({"value": "a reading"})) == json.dumps({"value": "a reading"})
