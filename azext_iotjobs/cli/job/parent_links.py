"""Of which job another one is the repetition: a hub has no place for it, so it is noted in az's configuration folder.

One small file a job. A job id can come to mean another job (a local hub that forgets, 30 days that pass): the condition
is noted too, and a note counts only for a job that has it.
"""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.running_hubs import state_folder

logger = get_logger(__name__)

KEPT_S = 31 * 24 * 3600  # a hub keeps jobs for 30 days


def note(authority: str, job_id: str, condition: str, parent_id: str) -> None:
    """Note a job's parent; not being able to must not stop a job that is made already."""
    from azext_iotjobs.cli.output.file_writing import write_beside

    path = _path(authority, job_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(path.parent)
        write_beside(path, json.dumps({"parentJobId": parent_id, "queryCondition": condition}).encode())
    except OSError as err:
        logger.warning("That %s repeats %s could not be noted in %s: %s.", job_id, parent_id, path, err.strerror)


def with_parent(authority: str, document: dict[str, Any]) -> dict[str, Any]:
    """A job's document, with the id of its parent where one is noted."""
    try:
        noted = json.loads(_path(authority, str(document.get("jobId"))).read_text(encoding="utf-8"))
        is_same = noted["queryCondition"] == document.get("queryCondition")
    except (OSError, ValueError, KeyError, TypeError):
        return document
    return {**document, "parentJobId": noted["parentJobId"]} if is_same else document


def _forget_old(folder: Path) -> None:
    for old in folder.glob("*.json"):
        if old.stat().st_mtime < time.time() - KEPT_S:
            old.unlink(missing_ok=True)


def _path(authority: str, job_id: str) -> Path:
    return state_folder().parent / "parents" / quote(authority, safe="") / f"{quote(job_id, safe='')}.json"
