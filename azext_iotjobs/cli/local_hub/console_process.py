"""`local-hub start --console`: the console of the hub, a process that ends with this one, even when that is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from knack.log import get_logger

from azext_iotjobs.cli.output.interrupt import ENDS_WITH_STDIN

logger = get_logger(__name__)

END_LIMIT_S = 10.0  # it ends what is under way


@contextmanager
def console_of(selector: str) -> Iterator[None]:
    """The console of a hub that runs, until the end; its address goes to stderr.

    selector: what names the hub.  A console that does not start says why itself, and the hub runs without it.
    """
    words = ("iot", "hub", "console", "-n", selector, "--port", "0", "--query", "url", "--output", "tsv")
    process = subprocess.Popen(
        [sys.executable, "-m", "azure.cli", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, ENDS_WITH_STDIN: "1"},
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = process.stdout.readline().decode().strip()
        if address:
            logger.warning("Console: %s", address)
        yield
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
