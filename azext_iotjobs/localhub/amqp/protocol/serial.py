"""Numbers of frames and deliveries, which begin again after 2 ** 32 - 1. Source: RFC 1982; AMQP 2.8.10."""

_COUNT = 1 << 32


def plus(number: int, count: int) -> int:
    """The number `count` after this one; count may be negative."""
    return (number + count) % _COUNT


def minus(later: int, earlier: int) -> int:
    """How far `later` is after `earlier`: negative when it is before it. -(2 ** 31) to 2 ** 31 - 1."""
    return (later - earlier + _COUNT // 2) % _COUNT - _COUNT // 2
