"""The simulations that run on this machine: the list, one with the end of its log, and ending it."""

from aiohttp import web

from azext_iotjobs.console.context import Document
from azext_iotjobs.console.parts import Parts, body_of, parts_of
from azext_iotjobs.model.errors import NotFound

GROUP = "iot device simulation"
QUESTION = "End this simulation? Its devices disconnect, and it writes its result, as after Ctrl-C."
MAX_SIMULATIONS = 200  # that the list has

EXAMPLE = "--prefix pump- --count 100 --create --delete-after --until 1h --detach".split()  # of how to start one


async def read_list(parts: Parts, _argument: str) -> Document:
    """The topic `simulations`, of all hubs."""
    running = await parts.workers.wait(lambda: list(parts.context.simulations.running()))
    command = parts.context.spelling.command
    lines = [command(f"{GROUP} list"), command("iot device simulate", *EXAMPLE)]
    return {"simulations": running[:MAX_SIMULATIONS], "lines": lines}


async def read_one(parts: Parts, argument: str) -> Document:
    """The topic `simulation:<id>`. One that has ended is only its log, if it was in the background."""
    simulations = parts.context.simulations
    log = await parts.workers.wait(lambda: simulations.log_end(argument))
    try:
        found = await parts.workers.wait(lambda: simulations.one(argument))
    except NotFound:
        if not log:
            raise
        return {"id": argument, "hasEnded": True, "logEnd": log, "actions": [], "lines": []}
    command = parts.context.spelling.command
    stop = command(f"{GROUP} stop", simulation_id=argument)
    action = {"name": "stop", "label": "Stop", "question": QUESTION, "fields": [], "line": stop}
    return {
        **found,
        "hasEnded": False,
        "logEnd": log,
        "actions": [] if found["isEnding"] else [action],
        "lines": [command(f"{GROUP} show", simulation_id=argument), stop],
    }


async def stop(request: web.Request) -> web.Response:
    """POST /api/simulations/<id>/actions/stop."""
    parts, simulation = parts_of(request), request.match_info["id"]
    await body_of(request)
    await parts.workers.wait(lambda: parts.context.simulations.request_stop(simulation))
    return web.json_response({"id": simulation})
