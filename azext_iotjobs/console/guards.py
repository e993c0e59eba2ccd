"""Which requests reach a handler at all, and what each answer says to the browser. Everything is looked at here.

A page elsewhere may know the console's port. It is kept out by what browsers say of it: `Host` (a name of its own that
it has pointed to this machine), `Origin` and `Sec-Fetch-Site` (a request from its page); and by the cookie, which is
not sent with requests from other sites. A request that changes something is any but GET and HEAD.
"""

from aiohttp import web

from azext_iotjobs.console.errors import document_of, error_document, status_of
from azext_iotjobs.console.parts import Handler, Parts, parts_of
from azext_iotjobs.model.errors import IotJobsError

MAX_BODY_BYTES = 1024 * 1024
NAMES = ("127.0.0.1", "localhost")
HTTP_PORT = 80
READING = ("GET", "HEAD")
SIGN_IN = ("POST", "/api/session")
PUBLIC = (("GET", "/"), SIGN_IN)  # they work without a cookie; so do the files below STATIC, which say nothing
API, STATIC = "/api/", "/static/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """What every answer says to the browser, errors and streams included."""
    response.headers.update(HEADERS)
    response.headers.popall("Server", None)  # the versions of Python and aiohttp are nobody's business


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as documents, below /api/; as text elsewhere."""
    try:
        return await handler(request)
    except IotJobsError as err:
        return web.json_response(document_of(err, parts_of(request).context.spelling), status=status_of(err))
    except web.HTTPException as err:
        if err.status < 400 or not request.path.startswith(API):
            raise
        return web.json_response(error_document(f"http-{err.status}", err.text or err.reason), status=err.status)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from a page of this console that somebody has signed in to."""
    parts = parts_of(request)
    _check_origin(request)
    _check_session(request, parts)
    if request.method not in READING:
        _check_change(request, parts)
    return await handler(request)


def _check_origin(request: web.Request) -> None:
    """Raise HTTPForbidden for a request to another name, and for one from another page."""
    address = request.transport.get_extra_info("sockname") if request.transport is not None else None
    port = address[1] if address else None
    hosts = [authority for name in NAMES for authority in authorities(name, port)]
    if request.host not in hosts:
        raise web.HTTPForbidden(text=f"The console has the name {hosts[0]}, and no other.")
    origin = request.headers.get("Origin")
    if origin is None and request.method not in READING:
        raise web.HTTPForbidden(text="A request that changes something has to say its Origin.")
    if origin is not None and origin != f"http://{request.host}":
        raise web.HTTPForbidden(text="The request comes from another page.")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="The request comes from another page. Open the address itself.")


def authorities(name: str, port: int | None) -> tuple[str, ...]:
    """How a browser may say where we are: HTTP's own port it leaves out."""
    return (f"{name}:{port}", name) if port == HTTP_PORT else (f"{name}:{port}",)


def _check_session(request: web.Request, parts: Parts) -> None:
    """Raise HTTPUnauthorized without a cookie of ours; HTTPSeeOther, to the page that signs in, for a page."""
    if (request.method, request.path) in PUBLIC or request.path.startswith(STATIC):
        return
    if parts.sessions.is_valid(request.cookies.get(parts.sessions.cookie_name, "")):
        return
    if request.path.startswith(API) or request.method not in READING:
        raise web.HTTPUnauthorized(text="Nobody is signed in. Open the address that the command has printed.")
    raise web.HTTPSeeOther("/")


def _check_change(request: web.Request, parts: Parts) -> None:
    """Raise HTTPForbidden while nothing may be changed, HTTPUnsupportedMediaType for a body that is not JSON."""
    if parts.context.is_read_only and (request.method, request.path) != SIGN_IN:
        raise web.HTTPForbidden(text="The console was started with --read-only: it changes nothing.")
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The body has to be application/json.")
