"""Chance as a value: the same seed gives the same throws, on every machine. Pure.

Source: splitmix64, G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom number generators". Small on purpose:
each of thousands of devices has its own, so that what one device does changes nothing for another.
"""

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


class Dice:
    """Throws numbers from 0 to 1."""

    __slots__ = ("_state",)

    def __init__(self, seed: str) -> None:
        state = 0
        for byte in seed.encode():
            state = _mixed((state ^ byte) + STEP)
        self._state = state

    def throw(self) -> float:
        """A number, 0 or more and less than 1."""
        self._state = (self._state + STEP) & MASK
        return (_mixed(self._state) >> 11) / (1 << 53)


def _mixed(value: int) -> int:
    value &= MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
