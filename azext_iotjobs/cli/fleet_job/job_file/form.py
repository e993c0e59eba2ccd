"""The form of a file that is a fleet job: the members that `fleet-job show` prints.

docs/reference/fleet-job.schema.json, for editors, is made of these tables.
"""

import re
from typing import NamedTuple

from azext_iotjobs.cli.input.document_form import (
    DEFINITIONS,
    PARAMETER,
    Condition,
    Listed,
    Mapped,
    Number,
    Schema,
    TextForm,
    Whatever,
    Word,
    YesNo,
)
from azext_iotjobs.cli.input.document_members import Member, Members
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.fleet_job.plan import WORDS
from azext_iotjobs.model.call_pacing import CONCURRENCY
from azext_iotjobs.model.fleet_job import MAX_LABELS, ActionKind, Driver
from azext_iotjobs.model.gates import LONGEST_COMMAND_S, MAX_BAKE_S
from azext_iotjobs.model.job_request import MAX_EXECUTION_S
from azext_iotjobs.model.method import CONNECT_TIMEOUT_S, RESPONSE_TIMEOUT_S
from azext_iotjobs.model.rollout import (
    CLASS_WORDS,
    MAX_PAUSE_S,
    MAX_SIZES,
    MAX_TRIES,
    UNCERTAIN,
    RetryWhen,
    ThresholdAction,
)
from azext_iotjobs.model.schedule import (
    LAST_DAY,
    MAX_CATCH_UP_S,
    MAX_JITTER_S,
    MAX_TIMES,
    WEEKDAYS,
    Frequency,
    Missed,
    Overlap,
)
from azext_iotjobs.model.share import MAX_DEVICES, Unit
from azext_iotjobs.model.verification import MAX_WITHIN_S, MIN_WITHIN_S
from azext_iotjobs.model.when_online import MAX_WHEN_ONLINE_S, MIN_WHEN_ONLINE_S

LAST = "last"  # day of a month
DAYS = tuple(map(str, range(1, 32)))
MAX_COUNT = 10**15
MAX_SEED = 2**63 - 1
SHARE_TEXT = re.compile(r"[0-9]{1,7}|([0-9]{1,2}(\.[0-9]{1,6})?|100)%")
LINE, TEXT, CONDITION = TextForm(), TextForm(is_line=False), Condition()
COUNT = Number(1, MAX_COUNT, is_whole=True)
RESPONSE_S, CONNECT_S = Number(*RESPONSE_TIMEOUT_S, is_whole=True), Number(*CONNECT_TIMEOUT_S, is_whole=True)
PAUSE_S = Number(0, MAX_PAUSE_S, is_above=True)

SHARE_MEMBERS = {
    "type": Member(Word([each.value for each in Unit]), "What the value is. Default: number."),
    "value": Member(Number(0, MAX_DEVICES), "A number of devices, or percent.", is_required=True),
}


class ShareForm(NamedTuple):
    """Some devices: 5, 10%, or an object of type and value."""

    def read(self, item: Item, problems: Problems) -> object:
        """The text, or what is given of the object."""
        if item.is_object:
            return Members(SHARE_MEMBERS).read(item, problems)
        text = "" if item.is_list else item.written.text
        if not SHARE_TEXT.fullmatch(text):
            item.refuse("a number of devices, percent such as 5%, or an object of type, value")
        return text

    def schema(self) -> Schema:
        """As JSON schema."""
        number = {"type": "integer", "minimum": 0, "maximum": 10**7 - 1}
        text = {"type": "string", "pattern": f"^({SHARE_TEXT.pattern})$"}
        return {"anyOf": [number, text, Members(SHARE_MEMBERS).schema(), PARAMETER]}


class MonthDay(NamedTuple):
    """A day of a month: 1 to 31, or last."""

    def read(self, item: Item, problems: Problems) -> int:
        """The day, or LAST_DAY."""
        text = "" if item.is_object or item.is_list else item.written.text
        if text == LAST:
            return LAST_DAY
        if text not in DAYS:
            item.refuse(f"1 to {len(DAYS)}, {LAST}")
        return int(text)

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": len(DAYS)}, {"enum": [*DAYS, LAST]}, PARAMETER]}


ACTION = Members(
    {
        "kind": Member(
            Word([each.value for each in ActionKind]), "Which of them it is; it follows from the other members."
        ),
        "methodName": Member(LINE, "Name of the direct method that is called."),
        "payload": Member(Whatever(), "Payload of the method. Default: null.", null_means=True),
        "responseTimeoutInSeconds": Member(
            RESPONSE_S, "How long the hub waits for a device's answer, connecting included. Default: 30."
        ),
        "connectTimeoutInSeconds": Member(CONNECT_S, "How long the hub waits for a device to connect. Default: 30."),
        "successStatus": Member(
            LINE, "Method statuses with which a device has succeeded: 200-299,404. Default: 200-399."
        ),
        "twinPatch": Member(Whatever(is_object=True), "What is merged into each twin: tags, properties.desired."),
        "content": Member(
            Whatever(is_object=True), "Configuration content that is applied to edge devices, with modulesContent."
        ),
    },
    one_of=("methodName", "twinPatch", "content"),
)
OF_RUN = Members(
    {
        "id": Member(LINE, "Id of a fleet job.", is_required=True),
        "run": Member(COUNT, "Number of one of its runs.", is_required=True),
        "on": Member(Listed(Word(WORDS), len(WORDS)), "Which of the run's devices.", is_required=True),
    }
)
TARGETS = Members(
    {
        "queryCondition": Member(
            CONDITION, "The WHERE part of a twin query that selects the devices when a run starts; * is all devices."
        ),
        "deviceIds": Member(Listed(LINE, MAX_DEVICES), "The devices by name."),
        "group": Member(LINE, "Name of a device group, as `fleet-job group create` saved it."),
        "ofRun": Member(OF_RUN, "Devices of an earlier run, by their results."),
        "excluded": Member(Listed(LINE, MAX_DEVICES), "Devices that are left out."),
        "limit": Member(COUNT, "Use only the first so many of them."),
        "samplePercent": Member(Number(0, 100, is_above=True), "Use only a random sample, rounded up."),
        "seed": Member(
            Number(-MAX_SEED, MAX_SEED, is_whole=True), "Of the sample: another number gives another one. Default: 0."
        ),
        "maxDevices": Member(COUNT, "Refuse a larger number of devices before anything is sent."),
    }
)
THRESHOLD = Members(
    {
        **SHARE_MEMBERS,
        "batch": Member(YesNo(), "It applies to each batch, not to the whole run. Default: false."),
        "minSample": Member(
            Number(1, MAX_DEVICES, is_whole=True), "How many devices must have ended before it applies. Default: 1."
        ),
        "errorClasses": Member(Listed(Word(CLASS_WORDS), len(CLASS_WORDS)), "Failures that count. Default: all."),
        "action": Member(
            Word([each.value for each in ThresholdAction]),
            "What happens to the run. Default: cancel; stop can be resumed.",
        ),
    }
)
TRIES = Members(
    {
        word: Member(Number(1, MAX_TRIES, is_whole=True), "How often such a failure is tried again.")
        for word in CLASS_WORDS
        if word != UNCERTAIN
    }
)
RETRY = Members(
    {
        "tries": Member(TRIES, "Failures that are tried again, and how often.", is_required=True),
        "pauseSeconds": Member(PAUSE_S, "Time before the second try. Default: 10."),
        "growth": Member(Number(1, MAX_COUNT), "Factor by which the pause grows. Default: 2."),
        "longestPauseSeconds": Member(PAUSE_S, "The longest pause. Default: 600."),
        "when": Member(
            Word([each.value for each in RetryWhen]), "In the device's batch, or when all have ended. Default: at-once."
        ),
    }
)
QUERY_GATE = Members(
    {
        "condition": Member(CONDITION, "The WHERE part of a twin query on devices.", is_required=True),
        "min": Member(ShareForm(), "How many devices of the hub have to match it."),
        "max": Member(ShareForm(), "How many devices of the hub may match it."),
    }
)
COMMAND_GATE = Members(
    {
        "line": Member(TEXT, "Program and arguments; exit code 0: go, 1: stop, any other: pause.", is_required=True),
        "timeoutSeconds": Member(Number(1, LONGEST_COMMAND_S), "How long it may take. Default: 300."),
        "shell": Member(YesNo(), "A shell runs the line. Default: false."),
    }
)
GATES = Members(
    {
        "bakeSeconds": Member(
            Number(0, MAX_BAKE_S), "How long nothing begins after a batch; verified devices have to stay so."
        ),
        "success": Member(ShareForm(), "How much of a batch has to complete, in percent: 95%."),
        "query": Member(QUERY_GATE, "A count of the hub's devices that has to stay within bounds."),
        "command": Member(COMMAND_GATE, "A program that decides."),
        "manual": Member(YesNo(), "Somebody has to approve each batch. Default: false."),
    }
)
DELIVERY = Members(
    {
        "driver": Member(Word([each.value for each in Driver]), "What operates the devices. Default: auto."),
        "concurrency": Member(Number(*CONCURRENCY, is_whole=True), "Calls at the same time. Default: 10."),
        "rate": Member(Number(0, MAX_COUNT, is_above=True), "Calls a second at most."),
        "jobTimeoutSeconds": Member(
            Number(1, MAX_EXECUTION_S, is_whole=True),
            "How long a hub job may run. Default: calculated from its devices, the timeouts and the tier.",
        ),
        "methodConnectTimeoutSeconds": Member(CONNECT_S, "In place of the action's."),
        "methodResponseTimeoutSeconds": Member(RESPONSE_S, "In place of the action's."),
        "whenOnlineSeconds": Member(
            Number(MIN_WHEN_ONLINE_S, MAX_WHEN_ONLINE_S), "For how long a device that is offline waits to connect."
        ),
    }
)
VERIFICATION = Members(
    {
        "condition": Member(
            CONDITION, "A device has completed when its twin meets it: WHERE part of a twin query.", is_required=True
        ),
        "withinSeconds": Member(
            Number(MIN_WITHIN_S, MAX_WITHIN_S), "It has failed when it does not by then. Default: 600."
        ),
        "failedCondition": Member(CONDITION, "It has failed when its twin meets this one."),
    }
)
RULE = Members(
    {
        "frequency": Member(Word([each.value for each in Frequency]), "How often.", is_required=True),
        "at": Member(LINE, "Time of day, such as 02:30; not with cron."),
        "date": Member(LINE, "Of once: the day, such as 2027-12-01."),
        "weekdays": Member(Listed(Word(WEEKDAYS), len(WEEKDAYS)), "Of weekly: the days."),
        "monthDays": Member(Listed(MonthDay(), 32), "Of monthly: days of the month, 1 to 31, or last."),
        "cron": Member(LINE, "Of cron: minute, hour, day of the month, month, day of the week."),
    }
)
SCHEDULE = Members(
    {
        "rule": Member(RULE, "On which days, and when on them.", is_required=True),
        "timeZone": Member(
            LINE, "Name of the time zone that all times are in, such as Europe/Berlin.", is_required=True
        ),
        "starts": Member(LINE, "The first date, or date and time, that counts."),
        "ends": Member(LINE, "The last date, or date and time, that counts."),
        "times": Member(Number(1, MAX_TIMES, is_whole=True), "How many times it is due."),
        "window": Member(LINE, "Hours in which devices may be operated, each day: 02:00-04:00."),
        "jitterSeconds": Member(Number(0, MAX_JITTER_S), "Each run starts up to so much later. Default: 0."),
        "missed": Member(Word([each.value for each in Missed]), "What is made up for that was missed. Default: once."),
        "catchUpSeconds": Member(Number(60, MAX_CATCH_UP_S), "For how long it is made up for. Default: 86400."),
        "overlap": Member(
            Word([each.value for each in Overlap]), "What to do while an earlier run has not ended. Default: skip."
        ),
    },
    ignored=(
        "id",
        "hub",
        "set",
        "setBy",
        "polled",
        "next",
        "description",
        "delaySeconds",
        "windowOpens",
        "last",
        "counts",
    ),
)
FLEET_JOB = Members(
    {
        "id": Member(LINE, "Id of the fleet job: at most 40 of a-z, 0-9, dash, dot and underscore.", is_required=True),
        "displayName": Member(LINE, "What it is called. Default: its id."),
        "description": Member(TEXT, "What it is for."),
        "hub": Member(LINE, "The hub that it belongs to. Default: the one that is typed."),
        "labels": Member(Mapped(LINE, MAX_LABELS), "Labels: names and values."),
        "action": Member(ACTION, "What is done to each device.", is_required=True),
        "targets": Member(TARGETS, "Which devices.", is_required=True),
        "batch": Member(
            Listed(ShareForm(), MAX_SIZES, or_one=True),
            "Sizes of the batches, one after the other; the last one repeats. Default: one batch of all.",
        ),
        "batchPauseSeconds": Member(
            Number(0, MAX_PAUSE_S), "Time between the end of a batch and the start of the next. Default: 0."
        ),
        "cancellationThreshold": Member(THRESHOLD, "How many devices may fail; one more ends the run."),
        "retry": Member(RETRY, "Which failures are tried again."),
        "gates": Member(GATES, "What has to hold between two batches."),
        "delivery": Member(DELIVERY, "How devices are reached."),
        "verification": Member(VERIFICATION, "When a device that was operated has completed."),
        "schedule": Member(
            SCHEDULE, "When its runs start. Left out: a stored schedule stays; null: it is removed.", null_means=True
        ),
        "parameters": Member(YesNo(), "False: ${name} is text in this document, and no parameter."),
    },
    # What `show` prints of its past, and the line with which a JSON file names its schema.
    ignored=("version", "created", "createdBy", "edited", "editedBy", "parent", "status", "lastRun", "$schema"),
)


def json_schema() -> Schema:
    """The form as JSON schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A fleet job, as az iot hub fleet-job apply takes it",
        **FLEET_JOB.schema(),
        "$defs": DEFINITIONS,
    }
