"""A simulation while it runs, as others on this machine see it: its state file, and their wish that it ends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.running_simulations import StateFile, log_of, new_id
from azext_iotjobs.cli.simulate import detached
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.standing import Document
from azext_iotjobs.model.clock import Clock, StopFlag, render_instant
from azext_iotjobs.model.target import HubTarget

logger = get_logger(__name__)

MAX_NAMED = 5  # devices that a state file names


class Announced:
    """A simulation that is announced, if it can be. It is the run's stop flag, too."""

    def __init__(self, state: StateFile | None, stop: StopFlag) -> None:
        self._state, self._stop = state, stop

    def write(self, standing: Document) -> None:
        """Say how it fares."""
        if self._state is not None:
            self._state.write(standing)

    def is_set(self) -> bool:
        """Whether the run ends: Ctrl-C, or somebody else's wish."""
        return self._stop.is_set() or (self._state is not None and self._state.is_stop_requested)


@contextmanager
def announced(facts: Document, clock: Clock, stop: StopFlag) -> Iterator[Announced]:
    """Announce a simulation until the end.

    facts: of what it simulates.  stop: what ends it otherwise.
    """
    simulation = detached.id_in_background() or new_id(clock.now())
    log = str(log_of(simulation)) if detached.is_in_background() else None
    started = {"startedAt": render_instant(clock.now(), "milliseconds"), "log": log}
    state = None
    try:
        state = StateFile(simulation, {**facts, **started})
    except OSError as err:
        logger.warning("Other commands do not see this simulation: its state file cannot be written (%s).", err)
    try:
        yield Announced(state, stop)
    finally:
        if state is not None:
            state.close()


def facts_of(target: HubTarget, ids: Sequence[str], behaviour: Sequence[str], options: SimulateOptions) -> Document:
    """What is simulated, with no secret in it.

    ids: of the devices.  behaviour: the names and the file of its rules, as typed.
    """
    return {
        "hub": target.authority,
        "devices": len(ids),
        "firstDevices": list(ids[:MAX_NAMED]),
        "behaviour": list(behaviour),
        "until": list(options.until or ()),
    }
