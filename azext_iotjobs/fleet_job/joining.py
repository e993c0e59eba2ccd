"""How many devices that were offline may be operated beside those of a batch, once they connect. Pure."""

from azext_iotjobs.model.run import Batch


def room(batch: Batch, largest: int) -> int:
    """How many more devices a batch takes that have connected; 0: none.

    batch: the one that runs.  largest: devices of the largest planned batch.
    One that was planned takes as many as it has itself: so it comes to its end, however many connect, and no more are
    operated together than twice what was planned. The batch of those that are left operates as many at a time as the
    largest planned one.
    """
    if batch.is_of_offline:
        return max(0, largest - batch.tally.open)
    return max(0, batch.size - batch.joined)
