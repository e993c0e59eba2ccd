"""Files of fleet jobs: what `show` prints is what they hold, and what is wrong with one is said with its place."""

import json
import re
from datetime import datetime, time, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from knack.output import format_json, format_yaml

from azext_iotjobs import model
from azext_iotjobs.cli.fleet_job.documents import render_fleet_job
from azext_iotjobs.cli.fleet_job.job_file.changes import changes
from azext_iotjobs.cli.fleet_job.job_file.form import FLEET_JOB, SCHEDULE
from azext_iotjobs.cli.fleet_job.job_file.mistakes import MEMBERS_OF_FIELDS
from azext_iotjobs.cli.fleet_job.job_file.read import FileJob, parse_file
from azext_iotjobs.cli.fleet_job.schedule.documents import render_schedule
from azext_iotjobs.cli.input.parameters import Parameters
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.model.condition_tokens import tokens_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Action, Definition, FleetJob
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.schedule import LAST_DAY, Frequency, Rule, Schedule
from tests.helpers.any_definition import definitions, optional, schedules

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
PRINTED = {"yaml": format_yaml, "json": format_json}
MODEL = Path(model.__file__).parent
# Values in templates, and fields that only commands have.
NO_MEMBERS = set("connect create devices_file hours least most response seconds time".split())
LEAST = """\
id: fw-7
action: {methodName: update}
targets: {queryCondition: "*"}
"""


PAYLOAD = """\
id: fw-7
targets: {queryCondition: "*"}
action:
  methodName: update
  payload: """


def parsed(text: str, **values: str) -> list[FileJob]:
    """The fleet jobs of a file, with values for its parameters."""
    return parse_file(text, "job.yaml", Parameters(values, "--set"), Problems())


def one(text: str, **values: str) -> FileJob:
    (job,) = parsed(text, **values)
    return job


def refused(text: str, **values: str) -> list[str]:
    """The problems of a file, each on its line."""
    with pytest.raises(BadValue) as caught:
        parsed(text, **values)
    return str(caught.value).split("\n")


def saved(definition: Definition) -> FleetJob:
    return FleetJob(
        fleet_job_id="a-job",
        host="h.example",
        version=3,
        definition=definition,
        created_at=NOW,
        created_by="ann",
        edited_at=NOW,
        edited_by="ann",
    )


# -- what is shown is what is taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PRINTED)
@settings(max_examples=60)
@given(definition=definitions(), schedule=optional(schedules()))
def test_what_is_shown_of_a_fleet_job_is_a_file_that_changes_nothing_and_makes_an_equal_one(
    form: str, definition: Definition, schedule: Schedule | None
) -> None:
    job = saved(definition)
    document = {**render_fleet_job(job, schedule), "status": "pending", "lastRun": None}
    text = PRINTED[form](SimpleNamespace(result=document))
    assume(form == "json" or yaml.safe_load(text) == document)  # az's YAML loses U+0085 and its like
    read = one(text)
    assert changes(job, schedule, read) == []
    assert read.definition == definition and (read.schedule, read.says_schedule) == (schedule, True)
    assert (read.fleet_job_id, read.hub) == ("a-job", "h.example")


def test_all_that_show_prints_is_taken_or_not_read() -> None:
    shown_members = render_fleet_job(saved(one(LEAST).definition)).keys() | {"status", "lastRun"}
    assert shown_members - FLEET_JOB.members.keys() - set(FLEET_JOB.ignored) == set()
    assert set(FLEET_JOB.ignored) - shown_members == {"$schema"}, "not read, and not printed"


def test_the_schedule_may_be_what_schedule_show_prints() -> None:
    schedule = Schedule(rule=Rule(frequency=Frequency.MONTHLY, at=time(2), month_days=(1, LAST_DAY)), zone="UTC")
    stored = StoredSchedule(
        fleet_job_id="a", host="h", schedule=schedule, set_at=NOW, set_by="ann", store_key="k", polled_at=NOW
    )
    document = render_schedule(stored, [NOW], timezone.utc)
    assert one(LEAST + json.dumps({"schedule": document})[1:-1]).schedule == schedule
    assert document.keys() - SCHEDULE.members.keys() <= set(SCHEDULE.ignored)


def test_what_show_prints_of_the_past_is_not_read_whatever_it_is() -> None:
    past = "lastRun: {reason: '${not a parameter', batchList: !x [*nothing]}\nstatus: {}\n".replace("*nothing", "1")
    assert one(LEAST + past).definition == one(LEAST).definition


def test_a_file_says_the_least_and_the_rest_is_as_in_a_new_fleet_job() -> None:
    job = one(LEAST)
    method = MethodCall(name="update", response_timeout_s=30, connect_timeout_s=30)
    assert job.definition == Definition(action=Action(method=method), targets=job.definition.targets)
    assert (job.hub, job.schedule, job.says_schedule) == (None, None, False)


def test_a_schedule_that_is_left_out_stays_and_one_that_is_null_goes() -> None:
    schedule = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2)), zone="UTC")
    job = saved(one(LEAST).definition)
    assert changes(job, schedule, one(LEAST)) == []
    (gone,) = changes(job, schedule, one(f"{LEAST}schedule: null\n"))
    assert (gone.member, gone.after) == ("schedule", None) and gone.before["rule"]["at"] == "02:00"


def test_changes_are_said_member_by_member_and_true_is_not_1() -> None:
    def with_payload(payload: str) -> FileJob:
        return one(LEAST.replace("update}", f"update, payload: {payload}}}"))

    job = saved(with_payload("{a: 1, b: [1, {c: true}], d: 5}").definition)
    assert changes(job, None, with_payload("{a: 1.0, b: [1, {c: true}], d: 5}")) == []
    found = changes(job, None, with_payload("{a: true, b: [1, {c: 1}], e: null}"))
    assert [(each.member.removeprefix("action.payload."), each.before, each.after) for each in found] == [
        ("a", 1, True),
        ("b", [1, {"c": True}], [1, {"c": 1}]),
        ("d", 5, None),
        ("e", None, None),
    ]


def test_shares_are_written_as_options_have_them_or_as_show_prints_them() -> None:
    sizes = one(f"{LEAST}batch: [1, 2.5%, {{type: percentage, value: 20}}, {{value: 7}}]\n").definition.rollout.sizes
    assert str(sizes) == "1,2.5%,20%,7"
    assert str(one(f"{LEAST}batch: 20%\n").definition.rollout.sizes) == "20%"
    assert str(one(f"{LEAST}batch: ${{b:-5}}\n").definition.rollout.sizes) == "5"


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value", "payload"),
    [
        ("${n}", "5", 5),
        ("${n}", "-1.5", -1.5),
        ("${n}", "true", True),
        ("${n}", "null", None),
        ("${n}", "", ""),
        ("${n}", " 5", " 5"),
        ("${n}", "1e5", "1e5"),
        ("${n}", "{a: 1}", "{a: 1}"),
        ("${n}", "a\nb: c # d", "a\nb: c # d"),
        ("'${n}'", "5", "5"),
        ('"${n}"', "true", "true"),
        ("1${n}", "5", "15"),
        ("a ${n} b ${n}", "${n}", "a ${n} b ${n}"),
        ("'$${n} ${n}'", "x", "${n} x"),
        ("$$${n} ${n}", "x", "$${n} x"),
        ("[{a: '${n}'}]", "x", [{"a": "x"}]),
        ("{'${n}': '${n}'}", "x", {"${n}": "x"}),
    ],
)
def test_values_are_filled_in_where_a_parameter_stands_and_change_nothing_else(
    written: str, value: str, payload: Any
) -> None:
    method = one(f"{PAYLOAD}{written}\n", n=value).definition.action.method
    assert method is not None
    assert method.payload == payload and type(method.payload) is type(payload)


def test_members_that_are_texts_take_whatever_is_filled_in_and_numbers_need_no_quotes() -> None:
    job = one(f"{LEAST}displayName: ${{n}}\nlabels: {{ring: '${{n}}', on: true}}\nbatchPauseSeconds: '${{n}}'\n", n="7")
    assert (job.definition.display_name, job.definition.labels) == ("7", {"ring": "7", "on": "true"})
    assert job.definition.rollout.pause_s == 7


@given(value=st.text(max_size=12), quote=st.sampled_from("'\""))
def test_a_value_within_the_quotes_of_a_condition_stays_a_text_whatever_is_in_it(value: str, quote: str) -> None:
    written = f"tags.a = {quote}it\\{quote}s ${{v}}{quote} AND tags.b = 1"
    filled = Parameters({"v": value}, "--set").filled_condition(written)
    first, *rest = [each.text for each in tokens_of(filled) if each.kind == "string"]
    assert not rest and filled == f"tags.a = {first} AND tags.b = 1"
    assert re.sub(r"\\(.)", r"\1", first, flags=re.DOTALL) == f"{quote}it{quote}s {value}{quote}"


def test_a_value_outside_of_quotes_may_be_a_whole_condition() -> None:
    job = one(
        LEAST.replace('{queryCondition: "*"}', "\n  queryCondition: ${where} AND ${more:-tags.b = 'x'}"),
        where='tags.a = "O\'Brien"',
    )
    selection = job.definition.targets.selection
    assert selection is not None and selection.condition == "tags.a = \"O'Brien\" AND tags.b = 'x'"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("${version}", "5:12: action.payload: the parameter version has no value (did you mean verson?): give --set"),
        ("'${1a}'", "5:12: action.payload: ${1a} is not a parameter"),
        ("'${}'", "5:12: action.payload: ${} is not a parameter"),
        ("'${a'", "5:12: action.payload: ${ is not closed"),
        ("'${a:-${b}}'", "5:12: action.payload: ${ is not closed"),
    ],
)
def test_what_is_no_parameter_or_has_no_value_is_refused(written: str, said: str) -> None:
    first, last = refused(PAYLOAD + written, verson="1")
    assert first.startswith(f"job.yaml:{said}")
    assert last.startswith("--set verson: the file has no ${verson}")


def test_a_document_can_say_that_it_has_no_parameters() -> None:
    text = f"{PAYLOAD}'${{n}} $${{'\nparameters: false\n"
    method = one(text).definition.action.method
    assert method is not None and method.payload == "${n} $${"
    assert "the file has no ${n}; it has no parameter" in refused(text, n="1")[0]


# -- what is wrong -----------------------------------------------------------------------------------------------------


def test_every_problem_is_said_with_its_place_in_the_order_of_the_file() -> None:
    text = """\
id: Fw-7
acton: {methodName: update}
action: {kind: twin, methodName: update, responseTimeoutInSeconds: 3}
targets:
  queryCondition: tags.site = 'x
  limt: 5
  deviceIds: [a, "b c", {}]
delivery: {concurrency: 900, rate: 0, driver: job}
batch: 10
batch: [0, 200%]
retry: {tries: {ofline: 3}}
gates: {success: 95, manual: yes}
verification: {withinSeconds: soon}
schedule:
  rule: {frequency: weekly, at: 25:30, monthDays: [32]}
  timeZone: Mars
labels: {"": x, "a=b": c}
description: [a]
"""
    assert [re.sub(r", allowed: .*|\. .*", "", each) for each in refused(text)] == [
        "job.yaml:1:5: id 'Fw-7': give 1 to 40 of a-z, 0-9, dash, dot and underscore, the first a letter or digit",
        "job.yaml:2:1: unknown key 'acton' (did you mean action?)",
        "job.yaml:3:68: action.responseTimeoutInSeconds: '3'",
        "job.yaml:6:3: targets: unknown key 'limt' (did you mean limit?)",
        "job.yaml:7:25: targets.deviceIds[2]: an object of nothing",
        "job.yaml:8:25: delivery.concurrency: '900'",
        "job.yaml:8:36: delivery.rate: '0'",
        "job.yaml:8:47: delivery.driver: 'job' (did you mean jobs?)",
        "job.yaml:10:1: the key 'batch' occurs twice, first in line 9.",
        "job.yaml:11:17: retry.tries: unknown key 'ofline' (did you mean offline?)",
        "job.yaml:12:30: gates.manual: 'yes'",
        "job.yaml:13:15: verification: condition is missing.",
        "job.yaml:13:31: verification.withinSeconds: 'soon'",
        "job.yaml:15:52: schedule.rule.monthDays[0]: '32'",
        "job.yaml:17:14: labels.: the key '': give a text without line breaks and control characters.",
        "job.yaml:17:24: labels.a=b: the key 'a=b': give a text without an equals sign.",
        "job.yaml:18:14: description: a list of 1",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("delivery: {driver: jobs, rate: 5}\ntargets: {}\n", "5:1: the key 'targets' occurs twice"),
        ("batch: 0\n", "4:8: batch: A batch has one device or more"),
        ("gates: {success: 95%}\n", "1:1: A gate stands between two batches, and all devices are one batch."),
        (
            "gates: {success: 5}\nbatch: 1\n",
            "4:18: gates.success: 5 is a number of devices; give a percentage such as 95%.",
        ),
        ('gates: {command: {line: "a \'b"}}\nbatch: 1\n', "4:25: gates.command.line"),
        ("gates: {query: {condition: tags.a = 1}}\nbatch: 1\n", "4:28: gates.query.condition has no bound"),
        ("verification: {condition: '*'}\n", "4:27: verification.condition: * is met by every device."),
        ("schedule: {rule: {frequency: daily, at: 2}, timeZone: UTC}\n", "4:41: schedule.rule.at '2'"),
        ("schedule: {rule: {frequency: daily}, timeZone: UTC}\n", "4:18: Say at which time, with schedule.rule.at."),
        ("schedule: {rule: {frequency: daily, at: 2:00}, timeZone: Mars}\n", "4:58: schedule.timeZone 'Mars'"),
        ("schedule: {rule: {frequency: cron, cron: a b}, timeZone: UTC}\n", "4:42: schedule.rule.cron 'a b'"),
        ("delivery: {whenOnlineSeconds: 60}\nretry: {tries: {offline: 1}}\n", "4:31: A device that is offline"),
        ("<<: {a: 1}\n", "4:1: merge keys are not taken"),
        ("description: !!int 5\n", "4:14: description: the tag 'tag:yaml.org,2002:int' is not taken"),
        ("description: *a\n", "4:14: this is not YAML: found undefined alias"),
        ("description: [\n", "5:1: this is not YAML"),
        ("? [a]\n: 1\n", "4:3: a key is a text"),
    ],
)
def test_a_problem_has_the_place_of_the_member_that_is_wrong(more: str, said: str) -> None:
    (problem,) = refused(LEAST + more)
    assert problem.startswith(f"job.yaml:{said}"), problem


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("{kind: twin, methodName: a}", "2:9: action: kind is twin, and what is given is for method."),
        ("{twinPatch: {desired: {}}}", "2:21: action.twinPatch has `desired` at its root."),
        ("{twinPatch: {tags: {}}, payload: 1}", "2:9: action: payload goes with methodName"),
        ("{twinPatch: {tags: {}}, methodName: a}", "2:9: action: A fleet job does one thing"),
        ("{methodName: ' '}", "2:22: action.methodName is missing or empty."),
        ("{methodName: a, successStatus: many}", "2:40: action.successStatus 'many'"),
        ("{methodName: a, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 9}", "2:79: action.connectTimeout"),
        ("{content: {}}", "2:9: action: Configuration content needs"),
    ],
)
def test_an_action_is_one_of_three(action: str, said: str) -> None:
    problem = refused(LEAST.replace("{methodName: update}", action))[0]
    assert problem.startswith(f"job.yaml:{said}"), problem


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("{}", "3:10: targets: No devices are named"),
        ("{deviceIds: []}", "3:10: targets: No devices are named"),
        ("{queryCondition: '*', group: north}", "3:10: targets: Devices are named in two ways"),
        ("{queryCondition: ' '}", "3:27: targets.queryCondition is blank."),
        ("{deviceIds: [a b]}", "3:22: targets.deviceIds"),
        ("{deviceIds: [a], excluded: [a]}", "3:37: targets.excluded takes away every device"),
        ("{group: north, limit: 5, samplePercent: 5}", "3:32: targets.limit and targets.samplePercent both"),
    ],
)
def test_an_empty_target_is_never_all_devices(targets: str, said: str) -> None:
    (problem,) = refused(LEAST.replace('{queryCondition: "*"}', targets))
    assert problem.startswith(f"job.yaml:{said}"), problem


def test_the_same_fleet_job_twice_is_refused_and_empty_documents_are_passed_over() -> None:
    other = LEAST.replace("fw-7", "fw-8")
    assert [job.fleet_job_id for job in parsed(f"---\n{LEAST}---\n# nothing\n---\n{other}---\n")] == ["fw-7", "fw-8"]
    (problem,) = refused(f"{LEAST}---\n{other}---\n{LEAST}")
    assert problem == "job.yaml:9:5: id: fw-7 is in this file twice, first in line 1."


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
def test_a_file_without_a_fleet_job_is_refused(text: str) -> None:
    assert refused(text) == ["job.yaml is empty."]


def test_what_would_grow_without_end_is_refused() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    bomb = f"id: fw-7\naction: {{methodName: a, payload: {{{laughs.replace(chr(10), ', ')}}}}}\n"
    assert "stands for more than 150000 values" in refused(bomb)[0]
    assert "deep" in refused(f"{PAYLOAD}&a [*a]\n")[0]
    assert "nested" in refused(PAYLOAD + "[" * 1_000 + "]" * 1_000)[0]
    assert "nested" in refused('{"id": ' + "[" * 100_000)[0]
    assert refused(LEAST + "#" * 1024 * 1024) == ["job.yaml is larger than 1024 KB."]


def test_no_more_problems_are_said_than_can_be_read() -> None:
    found = refused(LEAST + "".join(f"x{number}: 1\n" for number in range(60)))
    assert len(found) == 51 and found[-1] == "And 10 more."


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MEMBERS_OF_FIELDS.values())
def test_every_member_that_errors_name_is_one_of_the_form(path: str) -> None:
    form: Any = FLEET_JOB
    for name in path.split("."):
        form = form.members[name].form


def test_every_field_that_the_model_finds_wrong_has_its_member() -> None:
    """Fields are written as Field("name"), or as {name} in a template."""
    rooms = "fleet_job rollout gates verification when_online schedule selection method twin outcome share"
    found = set()
    for room in rooms.split():
        text = (MODEL / f"{room}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r'Field\("(\w+)"\)', text))
        for template in re.findall(r"Text\.of\((.*?)\)", text, re.DOTALL):
            found |= set(re.findall(r"(?<!\{)\{(\w+)\}", template))
    assert found - MEMBERS_OF_FIELDS.keys() == NO_MEMBERS


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff"])
def test_a_gates_command_line_has_no_halves_of_characters(half: str) -> None:
    line = f'{{"line": "check {half}"}}'
    start = '{"id": "fw-7", "action": {"methodName": "m"}, "targets": {"deviceIds": ["d"]}, "batch": 1, '
    with pytest.raises(BadValue, match=r"gates\.command\.line: give at most .* halves of characters"):
        parsed(f'{start}"gates": {{"command": {line}}}}}')


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("{type: percentage}", r"batch\[1\]: value is missing"),
        ("{type: percentage, value: [1]}", r"batch\[1\]\.value: a list of 1, allowed: a number"),
        ("{type: {}, value: 5}", r"batch\[1\]\.type: an object of nothing, allowed: number, percentage"),
        ("{value: ~}", r"batch\[1\]\.value: it is null, and is needed"),
        ("[1]", r"batch\[1\]: a list of 1, allowed: a number of devices"),
    ],
)
def test_a_batch_size_that_is_none_is_a_problem_of_its_place(size: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        parsed(f"{LEAST}batch: [1, {size}]\n")
