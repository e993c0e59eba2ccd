"""How a run is executed in this process, as typed."""

from typing import NamedTuple

from azext_iotjobs.model.errors import MissingChoice


class RunOptions(NamedTuple):
    """Options of the commands that execute a run."""

    our_yes: bool = False
    events: str | None = None  # file for events
    overwrite: bool = False
    exit_zero: bool = False
    dry_run: bool = False
    detach: bool = False  # by a process of its own

    def check(self, *, adds_events: bool = False) -> None:
        """Raise what opening the file for events would, before anything is stored or sent.

        adds_events: behind those that are in the file.
        """
        if self.events is None and self.overwrite:
            raise MissingChoice("--overwrite needs --events.", hint="--events run.jsonl --overwrite")
        if self.events is not None:
            from azext_iotjobs.cli.output.event_file import check_event_file

            check_event_file(self.events, overwrites=self.overwrite or adds_events)
