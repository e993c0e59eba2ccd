"""What machine the figures are of. Standard library only."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """CPU, cores, memory, kernel, Python, az, and what of ours is measured."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memoryGiB": _memory_gib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "az": _version("azure-cli"),
        "commit": _commit(),
        "at": datetime.now(timezone.utc).isoformat(timespec="minutes").replace("+00:00", "Z"),
    }


def load() -> list[float]:
    """How many programs wanted a core, in the last 1, 5 and 15 minutes; [] where the system does not count."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []


def in_a_line(about: dict[str, Any]) -> str:
    """The machine in words."""
    before, after = (
        " ".join(f"{each:.1f}" for each in about.get(name, [])) or "-" for name in ("loadBefore", "loadAfter")
    )
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memoryGiB']} GiB, {about['kernel']}, Python "
        f"{about['python']}, az {about['az']}; load before {before}, after {after}; {about['commit']}, {about['at']}"
    )


def _memory_gib() -> float | None:
    text = _line("/proc/meminfo", "MemTotal")
    return round(int(text.split()[0]) / 1024**2, 1) if text else None


def _line(file: str, name: str) -> str:
    """The value of the first line of that name; "" without it."""
    if not Path(file).exists():
        return ""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _commit() -> str:
    """The commit that is checked out, with + when there are changes beside it; "-" without git."""
    words = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "-"
