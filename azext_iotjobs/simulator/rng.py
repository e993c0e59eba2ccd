"""Chance as a value: the same seed gives the same throws, on every machine. Pure.

Source: splitmix64, G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom number generators". Small on purpose:
each of thousands of devices has its own, so that what one device does changes nothing for another. Within a device,
each call and each stretch of time has its own again (`fork`), so that the order in which they happen changes nothing.
"""

import math
from functools import lru_cache

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


class Dice:
    """Throws numbers from 0 to 1."""

    __slots__ = ("_state",)

    def __init__(self, seed: str) -> None:
        self._state = _hashed(seed)

    def fork(self, *keys: int) -> "Dice":
        """Dice of their own for what `keys` (whole numbers, such as a `salt` and a counter) name.

        The same keys give the same dice for as long as these here are not thrown.
        """
        state = self._state
        for key in keys:
            state = _mixed((state ^ _mixed(key + STEP)) + STEP)
        forked = Dice.__new__(Dice)
        forked._state = state
        return forked

    def word(self) -> int:
        """A whole number of 64 bits."""
        self._state = (self._state + STEP) & MASK
        return _mixed(self._state)

    def throw(self) -> float:
        """A number, 0 or more and less than 1."""
        return (self.word() >> 11) / (1 << 53)

    def between(self, least: float, most: float) -> float:
        """A number from `least` to `most`."""
        return least + (most - least) * self.throw()

    def whole(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return min(most, least + int((most - least + 1) * self.throw()))

    def normal(self) -> float:
        """A number of the standard normal distribution. Source: Box and Muller; the second of its pair is not used."""
        return math.sqrt(-2.0 * math.log(1.0 - self.throw())) * math.cos(2.0 * math.pi * self.throw())

    def exponential(self, mean: float) -> float:
        """A number of the exponential distribution, 0 or more."""
        return -mean * math.log(1.0 - self.throw())


@lru_cache(maxsize=1024)
def salt(text: str) -> int:
    """A text as a key for `Dice.fork`; of the same few texts again and again."""
    return _hashed(text)


def _hashed(text: str) -> int:
    state = 0
    for byte in text.encode():
        state = _mixed((state ^ byte) + STEP)
    return state


def _mixed(value: int) -> int:
    value &= MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
