"""A random number generator as a value: the same seed gives the same numbers, on every machine. Pure.

Source: splitmix64, G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom number generators". It is small because
each of thousands of devices has its own, so that what one device does changes nothing for another. Within a device,
each method call and each period of time has its own stream (`fork`), so that their order changes nothing.
"""

import math
from functools import lru_cache

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


class Rng:
    """A stream of random numbers."""

    __slots__ = ("_state",)

    def __init__(self, seed: str) -> None:
        self._state = _hashed(seed)

    def fork(self, *keys: int) -> "Rng":
        """A stream of its own for `keys`: whole numbers, such as a `stream_key` and a counter.

        The same keys give the same stream as long as no number is drawn from this one.
        """
        state = self._state
        for key in keys:
            state = _mixed((state ^ _mixed(key + STEP)) + STEP)
        forked = Rng.__new__(Rng)
        forked._state = state
        return forked

    def bits64(self) -> int:
        """A whole number of 64 bits."""
        self._state = (self._state + STEP) & MASK
        return _mixed(self._state)

    def random(self) -> float:
        """A number from 0 to 1, without 1."""
        return (self.bits64() >> 11) / (1 << 53)

    def uniform(self, least: float, most: float) -> float:
        """A number from `least` to `most`."""
        return least + (most - least) * self.random()

    def integer(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return min(most, least + int((most - least + 1) * self.random()))

    def normal(self) -> float:
        """A number of the standard normal distribution. Source: Box and Muller; the second of its pair is not used."""
        return math.sqrt(-2.0 * math.log(1.0 - self.random())) * math.cos(2.0 * math.pi * self.random())

    def exponential(self, mean: float) -> float:
        """A number of the exponential distribution, 0 or more."""
        return -mean * math.log(1.0 - self.random())


@lru_cache(maxsize=1024)
def stream_key(text: str) -> int:
    """A text as a key for `Rng.fork`. Cached, because the same few texts come again and again."""
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
