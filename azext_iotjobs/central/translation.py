"""Documents of IoT Central's -> what they are to become here: device groups, fleet jobs, schedules. Pure.

Strategy: groups first, because jobs name theirs by its id and ours have names. A document is translated whole or
refused with a reason; what refers to a refused one is refused, too.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.central.action import paths_set_by
from azext_iotjobs.central.documents import kind_of, name_of, others, shown, text_of, type_of
from azext_iotjobs.central.filter_condition import FilterChoices, condition_of
from azext_iotjobs.central.ids import MAX_CENTRAL_ID
from azext_iotjobs.central.job import LEFT_OUT, job_of
from azext_iotjobs.central.report import (
    Kind,
    MemberList,
    SourceDocument,
    Translated,
    TranslatedMember,
    WantedGroup,
    WantedJob,
)
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.fleet_job import MAX_NAME_CHARACTERS
from azext_iotjobs.model.text import Text

OF_GROUP = ("id", "displayName", "filter")
RUN_OF = "scheduledJobId"


class KnownGroups(NamedTuple):
    """Device groups that jobs can name, by IoT Central's ids."""

    names: Mapping[str, str]  # ids -> names here
    refused: frozenset[str]  # ids of groups that are not imported


def translate(
    sources: Iterable[SourceDocument], choices: FilterChoices, saved_groups: Iterable[str]
) -> list[Translated]:
    """What documents are to become: device groups, then the others, in their order; of equal documents the first alone.

    choices: what filters do not say.  saved_groups: names of groups that the hub has here; one that is named as a
    group's id in IoT Central stands for it.
    """
    distinct = _distinct(sources)
    choices = replace(choices, likely=_set_by_jobs(distinct))
    groups = [_group(each, choices) for each in distinct if _kind(each) is Kind.DEVICE_GROUP]
    groups = _without_equal(_without_equal(groups, _central_id, "id"), _group_name, "displayName")
    known = _known(groups, saved_groups)
    jobs = [_other(each, known) for each in distinct if _kind(each) is not Kind.DEVICE_GROUP]
    return [*groups, *_without_equal(jobs, _fleet_job_id, "id")]


def _distinct(sources: Iterable[SourceDocument]) -> list[SourceDocument]:
    found: dict[str, SourceDocument] = {}
    for each in sources:
        found.setdefault(json.dumps(each.content, sort_keys=True), each)
    return list(found.values())


def _set_by_jobs(sources: Iterable[SourceDocument]) -> dict[str, str]:
    """Where the properties that jobs set are in twins, by their names."""
    return {name: path for each in sources for name, path in paths_set_by(_document(each).get("data")).items()}


def _kind(source: SourceDocument) -> Kind:
    return kind_of(source.content) if isinstance(source.content, dict) else Kind.UNRECOGNISED


def _group(source: SourceDocument, choices: FilterChoices) -> Translated:
    document = _document(source)
    members = MemberList()
    try:
        central_id = name_of(document, "id", MAX_CENTRAL_ID)
        name = name_of(document, "displayName", MAX_NAME_CHARACTERS)
        name = name if name.strip() else central_id
        if not name:
            raise BadValue("displayName and id are missing: a device group is named after them.")
        if central_id and central_id != name:
            members.left_out("id", "a device group has a name alone; jobs that name this id get the group")
        members.became("displayName" if central_id != name else "id", f"device group {name}")
        condition = condition_of(text_of(document, "filter", 10**6), choices, members)
    except UserError as err:
        return _refused(source, err)
    for each in others(document, OF_GROUP):
        members.left_out(each, _why_not(each))
    return Translated(source.place, Kind.DEVICE_GROUP, central_id or None, members.all(), WantedGroup(name, condition))


def _why_not(name: str) -> str:
    return "a device group has a name alone" if name == "description" else LEFT_OUT.get(name, "not known")


def _without_equal(
    found: Sequence[Translated], key_of: Callable[[Translated], str | None], member: str
) -> list[Translated]:
    """The same, with documents refused that would have the same name here. member: of the document, that gives it."""
    counted = Counter(key_of(each) for each in found)
    return [
        refused(each, f"{counted[name]} documents would be {shown(name)} here: change {member} in the files.")
        if (name := key_of(each)) is not None and counted[name] > 1
        else each
        for each in found
    ]


def _central_id(translated: Translated) -> str | None:
    return None if translated.wanted is None else translated.central_id


def _group_name(translated: Translated) -> str | None:
    return translated.wanted.name if isinstance(translated.wanted, WantedGroup) else None


def _fleet_job_id(translated: Translated) -> str | None:
    return translated.wanted.fleet_job_id if isinstance(translated.wanted, WantedJob) else None


def _known(groups: Iterable[Translated], saved: Iterable[str]) -> KnownGroups:
    names = {each: each for each in saved}
    refused_ids = set()
    for each in groups:
        if each.central_id is not None and isinstance(each.wanted, WantedGroup):
            names[each.central_id] = each.wanted.name
        elif each.central_id is not None:
            refused_ids.add(each.central_id)
    return KnownGroups(names, frozenset(refused_ids))


def _other(source: SourceDocument, known: KnownGroups) -> Translated:
    """What a document that is not a device group is to become."""
    kind = _kind(source)
    if kind is Kind.UNRECOGNISED:
        is_object = isinstance(source.content, dict)
        seen = "has neither data nor a filter" if is_object else f"is {type_of(source.content)}"
        return _refused(source, BadValue(f"it {seen}: no job, no scheduled job and no device group."))
    document = _document(source)
    if kind is Kind.JOB and document.get(RUN_OF) is not None:
        found = _refused(source, BadValue(f"it is a run of the scheduled job {shown(str(document[RUN_OF]))}."))
        return found._replace(is_history=True)
    members = MemberList()
    try:
        wanted = job_of(document, _group_of(document, known), members)
    except UserError as err:
        return _refused(source, err)
    return Translated(source.place, kind, _id_of(document), members.all(), wanted)


def _group_of(document: Mapping[str, Any], known: KnownGroups) -> str:
    """The name of a job's device group here. Raises BadValue."""
    central_id = text_of(document, "group", MAX_CENTRAL_ID)
    if not central_id:
        raise BadValue("group is missing: a job names its device group by its id.")
    if central_id in known.refused:
        raise BadValue(f"its device group {shown(central_id)} is not imported.")
    if central_id not in known.names:
        raise BadValue(
            Text.of(
                "its device group {group} is in none of the files: give the device groups, too, with {from_central}; "
                "those that are as they were are left alone.",
                group=shown(central_id),
            )
        )
    return known.names[central_id]


def refused(translated: Translated, reason: str) -> Translated:
    """The same document, of which nothing is imported. reason: why; may be a Text."""
    top = dict.fromkeys(each.name.partition(":")[0].partition(".")[0].partition("[")[0] for each in translated.members)
    return translated._replace(members=tuple(TranslatedMember(each, None) for each in top), wanted=None, reason=reason)


def _refused(source: SourceDocument, error: UserError) -> Translated:
    document = _document(source)
    members = tuple(TranslatedMember(name, None) for name in others(document, ()))
    reason = Text(error.message, *([] if error.hint is None else [" ", error.hint]))
    return Translated(source.place, _kind(source), _id_of(document), members, reason=reason)


def _document(source: SourceDocument) -> Mapping[str, Any]:
    return source.content if isinstance(source.content, dict) else {}


def _id_of(document: Mapping[str, Any]) -> str | None:
    """Its id, where it is text; shortened."""
    central_id = document.get("id")
    return central_id[:MAX_CENTRAL_ID] if isinstance(central_id, str) else None
