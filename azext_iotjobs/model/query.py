"""Pieces of IoT Hub's query language, as text. Pure."""

from collections.abc import Iterable, Iterator

MAX_CHARACTERS = 8192  # of a query's text, IoT Hub devguide "query language"


def quoted(text: str) -> str:
    """A text between single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def rows_of_job(job_id: str) -> str:
    """The query for what a job did to each of its devices; conditions can follow after AND."""
    return f"SELECT * FROM devices.jobs WHERE jobId = {quoted(job_id)}"


def in_list(path: str, values: Iterable[str]) -> str:
    """A condition that is true where the text at `path` is one of `values`."""
    return f"{path} IN [{', '.join(map(quoted, values))}]"


def not_in_list(path: str, values: Iterable[str]) -> str:
    """A condition that is true where the text at `path` is none of `values`."""
    return f"{path} NIN [{', '.join(map(quoted, values))}]"


def of_module(module_id: str) -> str:
    """What stands before a condition on devices to make it one on a module of theirs."""
    return f"FROM devices.modules WHERE moduleId = {quoted(module_id)} AND "


def in_lists(path: str, values: Iterable[str], around: int) -> Iterator[str]:
    """Conditions of `in_list`'s form that hold all values together, each short enough for one query.

    around: how many characters of the query stand around the condition.
    """
    return (in_list(path, each) for each in chunks(path, values, around))


def chunks(path: str, values: Iterable[str], around: int) -> Iterator[list[str]]:
    """The values of each of these conditions."""
    room = MAX_CHARACTERS - around - len(in_list(path, ()))
    taken: list[str] = []
    used = 0
    for value in values:
        size = len(quoted(value)) + 2
        if taken and used + size > room:
            yield taken
            taken, used = [], 0
        taken.append(value)
        used += size
    if taken:
        yield taken
