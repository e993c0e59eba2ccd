"""What the processes of local hubs in tests begin with, beside their modules: what is made once in a process.

Imported by the process that they are forked from (`hub_process.py`).
"""

from importlib import import_module

from aiohttp import web

from azext_iotjobs.localhub.http.listener import _pattern
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query

HUB = "azext_iotjobs.localhub"
for name in "server process.folder process.limits process.log tls.issue tls.pyopenssl".split():
    import_module(f"{HUB}.{name}")
import_module("_strptime")

# The parsers, and the regular expressions of the routes.
parse_query("SELECT * FROM devices")
parse_condition("deviceId = 'd'")
for route in ROUTES:
    web.UrlDispatcher().add_resource(_pattern(route.path))
