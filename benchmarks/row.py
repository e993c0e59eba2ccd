"""One figure of the page: ours, beside what others make of the same work. Standard library only."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """A figure, and what it is compared with; None where there is none."""

    name: str  # a key of bench.json
    what: str  # what is counted, in words
    unit: str  # such as "calls/s" or "s of CPU"
    ours: float | None
    peer: float | None = None  # the same work by another's program
    floor: float | None = None  # by the least that can do it
    peer_is: str = ""  # who the peer is
    floor_is: str = ""
    notes: tuple[str, ...] = ()  # how it was measured, and why a cell is empty

    @property
    def of_peer(self) -> float | None:
        """Ours by the peer's."""
        return _ratio(self.ours, self.peer)

    @property
    def of_floor(self) -> float | None:
        """Ours by the floor's."""
        return _ratio(self.ours, self.floor)

    def figures(self) -> dict[str, Any]:
        """What bench.json has of it."""
        return {
            "ours": self.ours,
            "peer": self.peer,
            "floor": self.floor,
            "of_peer": self.of_peer,
            "of_floor": self.of_floor,
            "unit": self.unit,
        }

    def words(self) -> dict[str, Any]:
        """What bench-about.json has of it."""
        return {"what": self.what, "peer": self.peer_is, "floor": self.floor_is, "notes": list(self.notes)}


def _ratio(ours: float | None, other: float | None) -> float | None:
    return None if ours is None or not other else ours / other
