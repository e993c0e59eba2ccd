"""Options of queries."""

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, HUB, top

QUERY: Group = (option("our_query_command", "--query-command -q", "The query, in IoT Hub's query language."),)


RUN: Options = (HUB, AUTH_TYPE, QUERY, top(None))
