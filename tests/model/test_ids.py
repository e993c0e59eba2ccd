"""What may be an id, and what an etag."""

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import CERTIFICATE, DEVICE, JOB, LOCK_TOKEN, MODULE, IdKind, can_be, check_etag, check_id
from azext_iotjobs.model.simulated_devices import shown_ids

KINDS = (DEVICE, MODULE, JOB, LOCK_TOKEN, CERTIFICATE)
UUID = "3f2c0b5e-6f0a-4c39-9d2f-6f5e0a7d9b11"


IN_NO_PATH = ". .. a/b / ../a a\\b ä 🙂 %2e%2e/ %2e %2E%2e .%2e".split()
UNPRINTABLE = ["", " ", "a b", " a", "a ", "a\r\nb", "a\x00", "\x7f", "\udcff"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("text", [*IN_NO_PATH, *UNPRINTABLE, "x" * 300])
def test_what_could_become_another_path_is_no_id_of_any_kind(kind: IdKind, text: str) -> None:
    assert not can_be(kind, text)
    with pytest.raises(BadValue, match="^--option"):
        check_id(kind, text, "--option")


@pytest.mark.parametrize("kind", [DEVICE, MODULE], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "text", ["a..b", "...", "....", ".x", "x.", "a%2e", "%2e%2e%2e", "$edgeAgent", "urn:x:1;y,=@$'", "-", "x" * 128]
)
def test_dots_among_others_and_all_documented_signs_are_an_id(kind: IdKind, text: str) -> None:
    assert can_be(kind, text)
    check_id(kind, text, "--option")


def test_a_jobs_id_is_shorter_and_has_fewer_signs() -> None:
    assert can_be(JOB, "Reboot-7") and can_be(JOB, "a'b") and can_be(JOB, "x" * 64)
    assert not any(can_be(JOB, each) for each in ("a.b", "a_b", "x" * 65, "a%62"))


@pytest.mark.parametrize("word", ["query", "Query", "QUERY"])
def test_a_job_cannot_have_the_word_under_which_the_hub_lists_all_of_them(word: str) -> None:
    with pytest.raises(BadValue, match="the hub reserves that word"):
        check_id(JOB, word, "--job-id")
    assert can_be(DEVICE, word) and can_be(JOB, f"{word}-1")


def test_the_errors_say_what_was_seen_and_what_is_allowed() -> None:
    with pytest.raises(BadValue, match=r"--module-id: '\.\.' is not a module id: in a path it means the level above"):
        check_id(MODULE, "..", "--module-id")
    with pytest.raises(BadValue, match="--job-id: 'a b' is not a job id") as caught:
        check_id(JOB, "a b", "--job-id")
    assert caught.value.hint == "A job id has 1 to 64 of A-Z, a-z, 0-9 and - '"
    with pytest.raises(BadValue, match="It has 129 characters"):
        check_id(DEVICE, "x" * 129)
    with pytest.raises(BadValue, match="The device id is empty"):
        check_id(DEVICE, "")


def test_a_connection_string_is_never_shown() -> None:
    with pytest.raises(BadValue) as caught:
        check_id(MODULE, "HostName=h;SharedAccessKey=c2VjcmV0", "--module-id")
    assert "c2VjcmV0" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("text", ["*", "MQ==", '"MQ=="', "AAAAAAAAAAE=", UUID])
def test_what_a_hub_shows_is_an_etag(text: str) -> None:
    check_etag(text, "--etag")


@pytest.mark.parametrize(
    "text", ["", '""', "a b", "a\r\nX-Evil: 1", "a\n", "🙂", "é", '"', 'a"b', 'W/"a"', "\x00", "\udcff", "x" * 300]
)
def test_what_no_header_carries_is_no_etag(text: str) -> None:
    with pytest.raises(BadValue, match="^--etag"):
        check_etag(text, "--etag")


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        (["x,y:z=w", "t1"], '2 devices ("x,y:z=w", t1)'),
        (["a"], "1 device (a)"),
        ([","], '1 device (",")'),
        (["a=b", "c"], "2 devices (a=b, c)"),
    ],
)
def test_an_id_that_holds_a_comma_is_one_among_others_too(ids: list[str], shown: str) -> None:
    assert shown_ids(ids) == shown
