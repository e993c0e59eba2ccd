"""What the SQL of two databases does not share, under names. All else is written in the subset that both speak.

Parameters are marked as SQLite does: `?`, or `?1`, `?2`, … where one occurs more than once.
"""

from typing import NamedTuple


class Dialect(NamedTuple):
    """The words of one database."""

    index_hint: str  # behind a table's name, with the name of an index; "": the database finds it by itself
    greatest: str  # the function that gives the greatest of its arguments
    is_same: str  # compares two values of which either may be NULL
    nulls_first: str  # behind the last column of an order
    counting_key: str  # the type of a key that counts by itself
    text: str  # the type of texts, compared character by character

    def by(self, index: str) -> str:
        """The hint that a statement goes by this index."""
        return self.index_hint.format(index)

    def latest(self, *terms: str) -> str:
        """The latest of some instants, none of which is NULL."""
        return f"{self.greatest}({', '.join(terms)})"
