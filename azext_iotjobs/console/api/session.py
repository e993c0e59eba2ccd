"""Signing in, and what every page has to know of the console."""

from aiohttp import web

from azext_iotjobs.console.parts import body_of, parts_of
from azext_iotjobs.console.sessions import LIFE_S


async def sign_in(request: web.Request) -> web.Response:
    """POST /api/session {"token": …}: exchange the one-time token for the cookie."""
    parts = parts_of(request)
    body = await body_of(request, token=str)
    cookie = parts.sessions.redeem(body.get("token", ""))
    if cookie is None:
        raise web.HTTPUnauthorized(text="This address was used, or is of another console. Start the console again.")
    response = web.json_response({})
    response.set_cookie(parts.sessions.cookie_name, cookie, max_age=LIFE_S, path="/", httponly=True, samesite="Strict")
    return response


async def show(request: web.Request) -> web.Response:
    """GET /api/session: that somebody is signed in, and to what."""
    context = parts_of(request).context
    hub = None if context.hub is None else context.hub.target.authority
    return web.json_response({"hub": hub, "readOnly": context.is_read_only})
