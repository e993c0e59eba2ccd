"""What holds a schedule up: an earlier run that has not ended, and that nobody goes on with by itself."""

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.model.clock import SystemClock

logger = get_logger(__name__)

CLOCK = SystemClock()


def say_what_to_do(context: FleetJobContext, fleet_job_id: str) -> None:
    """Say how an earlier run ends, where occurrences are skipped for one that no process executes."""
    run = context.store.runs.last(fleet_job_id)
    if run is None or run.state.has_ended or not run.is_unattended(CLOCK.now()):
        return
    logger.warning(
        "No occurrence starts before %s has ended, which is %s%s. Resume it: %s\nOr end it: %s",
        run.name,
        run.state.value,
        run.by_whom,
        suggestion("iot hub fleet-job resume", fleet_job_id=fleet_job_id),
        suggestion("iot hub fleet-job cancel", fleet_job_id=fleet_job_id),
    )
