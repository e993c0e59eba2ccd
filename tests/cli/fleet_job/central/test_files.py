"""Files of IoT Central's documents, as typed: what is read of them, and what is refused with the option's name."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.central.documents import MAX_DOCUMENTS
from azext_iotjobs.cli.fleet_job.central.files import MAX_FILES, filter_choices, read_documents
from azext_iotjobs.cli.output.hints import spelled
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

JOB = {"id": "light", "group": "g", "data": []}


def saved(folder: Path, content: Any, name: str = "jobs.json", encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    return str(path)


def test_documents_of_several_files_stand_in_their_order(tmp_path: Path) -> None:
    one, page = saved(tmp_path, JOB), saved(tmp_path, {"value": [{"id": "a"}, {"id": "b"}]}, "page.json", "utf-16")
    found = read_documents([page, one])
    assert [each.place for each in found] == [f"{page}[1]", f"{page}[2]", one]
    assert found[2].content == JOB


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps([JOB]).encode())))
    assert [each.place for each in read_documents(["-"])] == ["standard input[1]"]
    with pytest.raises(ConflictingChoice, match="can be read only once"):
        read_documents(["-"])


def test_content_that_az_has_put_in_the_place_of_a_file_is_read() -> None:
    assert [each.content for each in read_documents([json.dumps([JOB])])] == [JOB]


def test_a_page_that_is_not_the_last_is_told_of_without_its_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_documents([saved(tmp_path, {"value": [JOB], "nextLink": "https://x/?sig=s3cret"})])
    assert "its nextLink leads to more documents" in caplog.text and "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"id": "a", "id": "b"}', "the key 'id' is given twice"),
        ("[" * 101 + "]" * 101, "nested more than 100 levels"),
        ("5", "is JSON, but no document"),
        ("[]", "no document is in what was given"),
        ('{"value": []}', "no document is in what was given"),
        (json.dumps([{}] * (MAX_DOCUMENTS + 1)), f"more than {MAX_DOCUMENTS} documents"),
    ],
)
def test_a_file_without_documents_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(BadValue, match="--from-central") as caught:
        read_documents([saved(tmp_path, content)])
    assert said in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="--from-central: there is no file"):
        read_documents([str(tmp_path / "none.json")])
    with pytest.raises(BadValue, match="is a folder"):
        read_documents([str(tmp_path)])


def test_too_many_files_are_refused() -> None:
    with pytest.raises(BadValue, match=f"at most {MAX_FILES} are read at once"):
        read_documents(["x.json"] * (MAX_FILES + 1))


def test_choices_are_read_with_and_without_the_dollar_sign() -> None:
    choices = filter_choices(
        ["$template=tags.template", "Company = tags.company"], ["$provisioned=True", "simulated=false"]
    )
    assert choices.paths == {"$template": "tags.template", "Company": "tags.company"}
    assert choices.states == {"$provisioned": True, "$simulated": False}


@pytest.mark.parametrize(
    ("paths", "states", "said"),
    [
        (["Company"], None, "--map 'Company' is not NAME=VALUE"),
        (["=tags.a"], None, "--map '=tags.a' is not NAME=VALUE"),
        (["a=tags.a", "a=tags.b"], None, "--map: 'a' is given twice"),
        (["a=b"], None, "--map a: 'b' is not a path in a twin"),
        (None, ["enabled=true"], "--assume 'enabled=true': give provisioned or simulated"),
        (None, ["provisioned=1"], "--assume 'provisioned=1': give"),
        (None, ["provisioned"], "--assume 'provisioned' is not NAME=VALUE"),
    ],
)
def test_choices_that_mean_nothing_are_refused(paths: Any, states: Any, said: str) -> None:
    with pytest.raises(BadValue) as caught:
        filter_choices(paths, states)
    assert said in spelled(caught.value.message)
