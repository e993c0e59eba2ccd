"""`local-hub start --console`: the console of the hub, a process that ends with this one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from knack.log import get_logger

logger = get_logger(__name__)

END_LIMIT_S = 10.0  # it ends what is under way


@contextmanager
def console_of(selector: str) -> Iterator[None]:
    """The console of a hub that runs, until the end; its address goes to stderr.

    selector: what names the hub.  A console that does not start says why itself, and the hub runs without it.
    """
    words = ("iot", "hub", "console", "-n", selector, "--port", "0", "--query", "url", "--output", "tsv")
    process = subprocess.Popen(
        [sys.executable, "-m", "azure.cli", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().decode().strip()
        if address:
            logger.warning("Console: %s", address)
        yield
    finally:
        process.stdout.close()
        process.terminate()
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
