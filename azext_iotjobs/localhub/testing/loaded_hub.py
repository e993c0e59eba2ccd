"""What a hub that is forked begins with: its modules, and what is made once in a process. Run by `forking.py`."""

from importlib import import_module

from aiohttp import web

from azext_iotjobs.localhub.http.listener import route_pattern
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query

HUB = "azext_iotjobs.localhub"
for name in "server process.folder process.limits process.log tls.issue tls.pyopenssl".split():
    import_module(f"{HUB}.{name}")
import_module("_strptime")  # which datetime imports when it reads a date

# The parsers, and the regular expressions of the routes.
parse_query("SELECT * FROM devices")
parse_condition("deviceId = 'd'")
for route in ROUTES:
    web.UrlDispatcher().add_resource(route_pattern(route.path))
