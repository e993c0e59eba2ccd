"""What is wrong with a text, all of it, each with its place."""

from collections.abc import Sequence

from azext_iotjobs.cli.input.yaml_items import Item, Misplaced
from azext_iotjobs.model.errors import BadValue

MAX_PROBLEMS = 50  # of one text, in an error


class Problems:
    """The problems of a text, each with its place."""

    def __init__(self) -> None:
        self._found: list[Misplaced] = []

    def __len__(self) -> int:
        return len(self._found)

    @property
    def found(self) -> Sequence[Misplaced]:
        """Those that were noted, in the order of their places."""
        return sorted(self._found, key=lambda each: each.place)

    def note(self, problem: Misplaced) -> None:
        """Note one more."""
        self._found.append(problem)

    def add(self, item: Item, what: str, hint: str | None = None) -> None:
        """Note one more: what is wrong with an item."""
        self.note(item.wrong(what, hint))

    def check(self, others: Sequence[str] = ()) -> None:
        """Raise BadValue that says all of them, in the order of their places. others: problems without a place."""
        placed = dict.fromkeys(_line(each) for each in self.found)
        lines = [*placed, *others]
        more = len(lines) - MAX_PROBLEMS
        if lines:
            raise BadValue("\n".join([*lines[:MAX_PROBLEMS], *([f"And {more} more."] if more > 0 else [])]))


def _line(problem: Misplaced) -> str:
    return str(problem) if problem.hint is None else f"{problem} {problem.hint}"
