"""What faults that were requested do to requests: a delay, an error in the service's form, a connection that ends."""

import asyncio

from aiohttp import web

from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.rules.fault import REASON, Kind, Operation


async def let_pass(faults: Faults | None, request: web.Request, device: str | None) -> None:
    """Return when nothing hinders a request, after a delay perhaps.

    device: whose it is; None: no device's.
    Raises HubError for one that is refused, ConnectionError for one whose connection was ended.
    """
    if faults is None or not faults.active:
        return
    effect = faults.effect(Operation.REQUEST, device, f"{request.method} {request.path}")
    if effect is None:
        return
    if effect.delay_s:
        await asyncio.sleep(effect.delay_s)
    if effect.fault is None:
        return
    if effect.fault.kind is Kind.DROP:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionError(REASON)
    raise effect.fault.refusal()
