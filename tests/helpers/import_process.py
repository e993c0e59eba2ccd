"""An import of numbered devices as a process that is killed.

It ends itself with SIGKILL at a moment: before (2n) or after (2n + 1) the hub carries out its request n, both from 0.
Results go into results.csv in its folder.
"""

import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_import import ImportRow
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.identity.import_devices import DeviceImport, ImportOptions
from azext_iotjobs.transport.http import Request, Response, Transport
from tests.helpers.killable_process import HubAddress

COLUMNS = ("line", "deviceId", "status")


class DeadlyTransport:
    """Ends the process at a moment."""

    def __init__(self, inner: Transport, kill_at: int) -> None:
        self._inner = inner
        self._kill_at = kill_at
        self._moment = 0

    def send(self, request: Request) -> Response:
        self._pass()
        answer = self._inner.send(request)
        self._pass()
        return answer

    def _pass(self) -> None:
        if self._moment == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._moment += 1


def rows(count: int) -> Iterator[ImportRow]:
    """So many devices, without keys: they are made anew at each try."""
    for number in range(count):
        device = NewDevice(identity=NewIdentity(device_id=f"killed-{number}"), tags={"n": number})
        yield ImportRow(line=number + 2, device_id=device.device_id, device=device)


def imported(hub: HubAddress, says: Connection, folder: Path, count: int, kill_at: int) -> int:
    """Import so many devices; gives 0 when all are.

    kill_at: the moment; less than 0: none.
    """
    clock = SystemClock()
    target = HubTarget(host="localhost", https_port=hub.https_port, ca_file=hub.ca_file, is_local=True)
    real = HubClient.open(target, SasKey(policy="iothubowner", key=hub.key), clock)
    client = HubClient(target, DeadlyTransport(real.transport, kill_at))
    run = DeviceImport(client, ImportOptions(), clock, threading.Event())

    def pages(token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
        for results, next_token in run.pages(rows(count), token):
            yield (
                [{"line": each.line, "deviceId": each.device_id, "status": each.status.value} for each in results],
                next_token,
            )

    says.send(True)
    file = str(folder / "results.csv")
    row_writer.write(RowTarget(path=file, form="csv", columns=COLUMNS, request="killed", overwrites=False), pages)
    return 0
