"""Which columns are shown: typed, kept in az's configuration, or all; of results, and of twins."""

from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.input.columns import chosen_columns, twin_columns
from azext_iotjobs.cli.output.result_columns import ALL_COLUMNS, COLUMNS, JOB_DETAILS
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.twin_columns import FACTS, parse_twin_column

THERE = (*COLUMNS, *JOB_DETAILS)


def az(**config: str) -> Any:
    """What a handler gets of az. config: of the section iotjobs."""
    get = lambda _section, name, fallback=None: config.get(name, fallback)  # noqa: E731
    return SimpleNamespace(cli_ctx=SimpleNamespace(config=SimpleNamespace(get=get)))


def chosen(typed: str | None, **config: str) -> tuple[str, ...]:
    return chosen_columns(az(**config), typed, THERE, COLUMNS)


def test_what_nobody_has_chosen_is_all_that_is_not_asked_for() -> None:
    assert chosen(None) == COLUMNS
    assert twin_columns(az(), COLUMNS) == ()


def test_columns_are_in_the_order_in_which_they_were_asked_for() -> None:
    typed = "status, tags.site,deviceId,jobId,properties.reported.fw"
    assert chosen(typed) == ("status", "tags.site", "deviceId", "jobId", "properties.reported.fw")
    assert [each.name for each in twin_columns(az(), chosen(typed))] == ["tags.site", "properties.reported.fw"]


def test_a_comma_in_double_brackets_is_part_of_a_name() -> None:
    assert chosen("tags.[[a,b]],status,tags[[c]].d") == ("tags.[[a,b]]", "status", "tags[[c]].d")


def test_a_kept_choice_holds_for_twins_and_leaves_out_what_another_command_has() -> None:
    kept = "deviceId,batch,tags.site,connectionState,runStatus,displayName"
    assert chosen(None, columns=kept) == ("deviceId", "tags.site", "connectionState", "displayName")
    assert chosen(None, columns="batch,tries") == COLUMNS
    assert chosen("status", columns=kept) == ("status",)


@pytest.mark.parametrize(
    "typed",
    [
        "deviceId,deviceId",
        "tags.site,tags.site",
        "displayName,displayName",
        "",
        "deviceId,,status",
        "batch",
        "runStatus",
    ],
)
def test_a_column_stands_once_and_is_of_this_command(typed: str) -> None:
    with pytest.raises(BadValue, match=r"--columns .*give each column once\. Results have deviceId, .*jobEnded"):
        chosen(typed)


def test_an_unknown_column_is_refused_with_those_of_results_and_of_twins() -> None:
    with pytest.raises(BadValue, match=r"--columns: 'eror' is not a column\. Results have deviceId, ") as caught:
        chosen("deviceId,eror")
    assert "tags.site" in str(caught.value.hint) and "devices.status" in str(caught.value.hint)
    assert "az config" not in str(caught.value.hint)


def test_a_kept_choice_that_is_wrong_says_how_to_remove_it() -> None:
    with pytest.raises(BadValue, match=r"iotjobs.columns: 'tag.site' is not a column") as caught:
        chosen(None, columns="deviceId,tag.site")
    assert "Write tags.site" in str(caught.value.hint)
    assert "az config unset iotjobs.columns" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("config", "path"),
    [({}, ("tags", "displayName")), ({"display_name_tag": "names.short"}, ("tags", "names", "short"))],
)
def test_the_display_name_is_a_tag(config: dict[str, str], path: tuple[str, ...]) -> None:
    [column] = twin_columns(az(**config), chosen("deviceId,displayName", **config))
    assert (column.name, column.path) == ("displayName", path)


def test_a_configured_tag_that_none_can_be_is_refused() -> None:
    with pytest.raises(BadValue, match=r"iotjobs\.display_name_tag"):
        twin_columns(az(display_name_tag="a..b"), ("displayName",))


def test_no_column_of_results_has_the_name_of_one_of_twins() -> None:
    assert not {each.lower() for each in ALL_COLUMNS} & {each.lower() for each in (*FACTS, "displayName")}
    for name in ALL_COLUMNS:
        with pytest.raises(BadValue):
            parse_twin_column(name, "")


def test_too_many_columns_for_a_query_are_refused() -> None:
    typed = ",".join(f"tags.{'t' * 900}{number}" for number in range(5))
    with pytest.raises(BadValue, match="--columns: the paths of the columns have"):
        twin_columns(az(), chosen(typed))
