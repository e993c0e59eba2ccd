"""Options of the console."""

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, HUB, STATE

SERVING: Group = (
    option("our_port", "--port", "Port on 127.0.0.1; 0: any free one.", type=int),
    option("read_only", "--read-only", "Only look: every change is refused.", action="store_true"),
    option("our_open", "--open", "Open the address in this machine's browser.", action="store_true"),
)

CONSOLE: Options = (HUB, AUTH_TYPE, STATE, SERVING)
