"""The application: guards, pages, the API and its stream, put together."""

from aiohttp import web

from azext_iotjobs.console import guards, routes
from azext_iotjobs.console.pages import add_pages
from azext_iotjobs.console.parts import PARTS, Parts
from azext_iotjobs.console.stream import WATCHED, Watched, events


def application_of(parts: Parts) -> web.Application:
    """The application of a console."""
    application = web.Application(
        middlewares=[guards.answer_errors, guards.guard], client_max_size=guards.MAX_BODY_BYTES
    )
    application[PARTS] = parts
    application[WATCHED] = Watched(parts)
    application.on_response_prepare.append(guards.add_headers)
    application.on_shutdown.append(_end_streams)
    add_pages(application, is_local=parts.context.local_hub is not None)
    application.router.add_get("/api/events", events)
    for row in routes.ROUTES:
        application.router.add_route(row.method, row.path, row.handler)
    return application


async def _end_streams(application: web.Application) -> None:
    await application[WATCHED].end_all()
