"""Which commands az needs of the table for what was typed.

az looks for the longest beginning of the typed words that begins a command too. If that is a whole command,
it keeps that one alone; else, for a list of what may follow, the first command for each next word. To enter a command
takes az 0.1 ms, all of ours more than most commands need for themselves: what it would throw away is not entered. What
az and other extensions have in the same table makes no difference to that.
"""

from collections.abc import Iterable, Sequence


def needed(commands: Sequence[str], typed: Iterable[str]) -> set[str]:
    """The commands that az keeps.

    commands: the words of each, such as "iot hub job show", in the table's order.  typed: what follows `az`.
    Gives all of them where no beginning of one was typed: az then makes its index of what there is.
    """
    begun = _longest_beginning(commands, _words(typed))
    if not begun:
        return set(commands)
    if begun in commands:
        return {begun}
    first: dict[str, str] = {}
    for command in commands:
        if command.startswith(begun):
            first.setdefault(command[len(begun) :].strip().partition(" ")[0], command)
    return set(first.values())


def _words(typed: Iterable[str]) -> list[str]:
    """The words before the first option; az does not heed their case."""
    words: list[str] = []
    for word in typed:
        if not word or word.startswith("-"):
            break
        words.append(word.lower())
    return words


def _longest_beginning(commands: Sequence[str], words: list[str]) -> str:
    for count in range(len(words), 0, -1):
        begun = " ".join(words[:count])
        if any(command.startswith(begun) for command in commands):
            return begun
    return ""
