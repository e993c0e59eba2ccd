"""A run whose processes are killed at random moments, at a real local hub, until it has ended: what it is, and how.

Everything is drawn from a seed: the fleet job, how many processes execute it at a time, which of them is killed and
when, how its gates answer. Real processes and devices are not that exact: the same seed meets the same trouble, at
nearly the same moments.
"""

import random
import shlex
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.gates import is_gated
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, GateAnswer, GateKind, Gates, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Retry, RetryWhen, Rollout, parse_batch_sizes
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import BatchState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.model.tier import UNLIMITED, TierFacts
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.fleet_job import approval, definitions, planning
from tests.helpers.fleet_job_process import ENDED, HELD, PAUSED, resume_run
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KILLED, KillableProcess
from tests.helpers.waiting import looks

CLOCK = SystemClock()
KILLS = 4
LIMIT_S = 300.0
# Notes that it begins, waits, and ends with the code that its line of a file has, else with 0.
GATE_SCRIPT = """
echo "$IOTJOBS_BATCH" >> "$1/begun"
sleep 0.2
number=$(wc -l < "$1/begun")
code=$(sed -n "${number}p" "$1/codes")
echo "$IOTJOBS_BATCH ${code:-0}" >> "$1/ended"
exit "${code:-0}"
"""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is run, and how its gate's command answers."""

    name: str  # what devices are called with, and report
    devices: tuple[str, ...]
    definition: Definition
    codes: tuple[int, ...] = ()  # exit codes of the gate's command, in their order


def verified(name: str) -> Verification:
    return Verification(
        condition=f"properties.reported.done = '{name}'",
        failed_condition=f"properties.reported.failed = '{name}'",
        within_s=10,
    )


def definition_of(
    name: str, devices: tuple[str, ...], driver: Driver, chance: random.Random, **more: Any
) -> Definition:
    rollout = Rollout(
        sizes=parse_batch_sizes(more.pop("sizes", chance.choice(["3", "4", "1,5"])), "--batch"),
        retry=more.pop("retry", None),
        gates=more.pop("gates", Gates()),
    )
    delivery = Delivery(
        driver=driver,
        concurrency=chance.choice([1, 3]),
        rate=30,
        job_limit_s=more.pop("job_limit_s", 60),
        when_online_s=more.pop("when_online_s", None),
    )
    method = MethodCall(name="update", payload=name, connect_timeout_s=0, response_timeout_s=5)
    return Definition(
        action=Action(method=method),
        targets=Targets(selection=Selection(device_ids=devices)),
        rollout=rollout,
        delivery=delivery,
        **more,
    )


def of_kinds(chance: random.Random, counts: dict[str, int]) -> tuple[str, ...]:
    """Devices of kinds, in a random order. counts: how many at most of each, at least one."""
    found = [f"{kind}-{number:02}" for kind, most in counts.items() for number in range(chance.randint(1, most))]
    chance.shuffle(found)
    return tuple(found)


def verifying(name: str, driver: Driver, chance: random.Random) -> Story:
    """Devices report that they have done it, that they have failed, too late, or nothing."""
    devices = of_kinds(chance, {"good": 4, "slow": 3, "bad": 2, "late": 1, "silent": 1})
    retry = Retry(tries={"not-verified": 1}, pause_s=0.1, when=chance.choice(list(RetryWhen)))
    more: dict[str, Any] = {"verification": verified(name), "retry": chance.choice([None, None, retry])}
    return Story(name=name, devices=devices, definition=definition_of(name, devices, driver, chance, **more))


def gating(name: str, driver: Driver, chance: random.Random, folder: Path) -> Story:
    """Between batches stand gates, of which some say stop now and then, or nothing that can be used."""
    devices = of_kinds(chance, {"good": 4, "slow": 3, "bad": 1, "fickle": 2})
    script = folder / "gate.sh"
    line = f"sh {shlex.quote(str(script))} {shlex.quote(str(folder))}"
    gates = Gates(
        bake_s=chance.choice([0.0, 0.6]),
        success=chance.choice([None, parse_share("30%", "x"), parse_share("100%", "x")]),
        query=chance.choice([None, QueryGate(condition="tags.alarm = true", most=parse_share("3", "x"))]),
        command=CommandGate(line=line, timeout_s=20),
        is_manual=chance.random() < 0.6,
    )
    more: dict[str, Any] = {"verification": verified(name), "gates": gates}
    definition = definition_of(name, devices, driver, chance, **more)
    codes = tuple(chance.choices([0, 1, 2], [6, 1, 1], k=8))
    return Story(name=name, devices=devices, definition=definition, codes=codes)


def waiting(name: str, driver: Driver, chance: random.Random) -> Story:
    """Devices come and go, or never come; some drop the connection before they answer."""
    devices = of_kinds(chance, {"good": 3, "flaps": 4, "drops": 3, "away": 2})
    more: dict[str, Any] = {"when_online_s": 15.0, "job_limit_s": 2}
    if chance.random() < 0.3:
        more["verification"] = verified(name)
    return Story(name=name, devices=devices, definition=definition_of(name, devices, driver, chance, **more))


def phase_of(run: Run, batch: Batch | None) -> str:
    """In which phase a run is, in a word."""
    if batch is not None and batch.state is BatchState.GATED:
        return "gating"
    if run.tally.verifying:
        return "verifying"
    return "waiting" if run.tally.waiting else "operating"


def have_ended(running: list[KillableProcess]) -> bool:
    """Whether all processes have."""
    return not any(each.is_alive for each in running)


class KilledRun:
    """A run of a story in a store of its own."""

    def __init__(self, folder: Path, hub: HubProcess, client: HubClient, story: Story, chance: random.Random) -> None:
        self.story = story
        self.kills: Counter[str] = Counter()  # by the phase in which the run was
        self._folder = folder / "state"
        self._hub = hub
        self._chance = chance
        (folder / "gate.sh").write_text(GATE_SCRIPT)
        (folder / "codes").write_text("".join(f"{code}\n" for code in story.codes))
        self.store = SqliteStore.open(self._folder)
        job = definitions.create(self.store, "job", planning.host_of(client), story.definition, by="me", at=CLOCK.now())
        planning.new_run(self.store, client, job, by="me", at=CLOCK.now(), tier=TierFacts(UNLIMITED))

    @property
    def run(self) -> Run:
        """As it is stored."""
        return self.store.runs.get("job")

    def play(self, phase: str) -> None:
        """Have processes execute it until it has ended, and kill the first of them. phase: half of them in this one."""
        for _ in looks(f"{self.story.name} ends", limit_s=LIMIT_S):
            count = self._chance.choice([1, 1, 1, 2])
            running = [KillableProcess(resume_run, self._hub, self._folder) for _ in range(count)]
            if self.kills.total() < KILLS:
                self._wait_for_moment(running, phase)
                self._kill(running)
            else:
                self._answer_until(partial(have_ended, running))
            assert all(each.end() in (ENDED, PAUSED, HELD, KILLED) for each in running), "a process has failed"
            if self.run.state.has_ended:
                return

    def _wait_for_moment(self, running: list[KillableProcess], phase: str) -> None:
        running[0].has_begun()
        if self._chance.random() < 0.5:
            self._answer_until(lambda: self._phase() == phase or have_ended(running))
        ends_at = time.monotonic() + self._chance.random() * 0.8
        self._answer_until(lambda: time.monotonic() > ends_at)

    def _kill(self, running: list[KillableProcess]) -> None:
        """Kill one of the processes, or all; the others go on to their end."""
        victims = running if self._chance.random() < 0.5 else [self._chance.choice(running)]
        phase = self._phase()
        for each in victims:
            self.kills[phase] += each.kill()
        self._answer_until(partial(have_ended, running))

    def _phase(self) -> str:
        run = self.run
        return phase_of(run, self.store.runs.current_batch(run))

    def _answer_until(self, condition: Callable[[], bool]) -> None:
        """Wait, and approve a batch that waits for it after a while, or reject it."""
        for _ in looks("the processes end", limit_s=LIMIT_S):
            if condition():
                return
            if self._chance.random() < 0.3:
                self._answer()
            time.sleep(0.1)

    def _answer(self) -> None:
        given = GateAnswer(is_approved=self._chance.random() < 0.8, by="ann", reason=None, at=CLOCK.now())
        try:
            approval.answer(self.store, self.run, this_process(), given, CLOCK)
        except WrongState:  # nobody waits for it
            pass

    def gated_batches(self) -> list[Batch]:
        """The batches behind which there are gates."""
        gates = self.story.definition.rollout.gates
        return [each for each in self.store.runs.batches(self.run) if is_gated(each, self.run, gates)]

    def commands(self) -> set[tuple[int, int]]:
        """Batch and exit code of the gate's commands that came to their end."""
        file = self._folder.parent / "ended"
        lines = file.read_text().splitlines() if file.exists() else []
        return {(int(batch), int(code)) for batch, code in map(str.split, lines)}

    def kinds_of_gates(self) -> tuple[GateKind, ...]:
        """Those that its batches pass."""
        return self.story.definition.rollout.gates.kinds
