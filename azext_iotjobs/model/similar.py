"""Words that are similar to what was typed, for errors. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ " (did you mean …?)" for a word that is similar to a known one, else an empty text."""
    found = get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
