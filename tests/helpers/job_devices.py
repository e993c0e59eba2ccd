"""A job's devices, read from the hub's own tables."""

from azext_iotjobs.localhub.rules.job import DeviceStatus
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.jobs import DeviceJob, device_job_of


def devices_in(database: Database, job_id: str, status: DeviceStatus) -> list[DeviceJob]:
    """Those in one state, in the order of their entry."""
    sql = "SELECT * FROM device_jobs WHERE job_id = ? AND status = ? ORDER BY row_id"
    return [device_job_of(row) for row in database.rows(sql, (job_id, status.value))]
