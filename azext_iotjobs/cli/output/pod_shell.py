"""How a container runs az, so that it ends when its pod is stopped: the words of its command. Pure.

az's official images have a script of bash in az's place, which starts Python and does not pass a termination signal on:
as a container's first process it does not even notice one. A shell of ours is the first process therefore. It tells az
by the end of its standard input, which reaches Python through whatever scripts are between, also while it still starts.
"""

from collections.abc import Sequence

from azext_iotjobs.cli.output import kubernetes
from azext_iotjobs.cli.output.interrupt import ENDS_WITH_STDIN

# 3 is the end of a pipe that is held open until the pod is stopped, and az's standard input is the other one; opened in
# this order, no step of it waits. `wait` ends when a signal comes, and is called again then, for az's own exit code.
_SCRIPT = """\
pipe="${TMPDIR:-/tmp}/iotjobs-stop-$$"
stopped=
trap 'exit 143' TERM INT
rm -f "$pipe" && mkfifo "$pipe" && exec 3<>"$pipe" 4<"$pipe" && rm -f "$pipe" || exit 1
trap 'stopped=1; exec 3>&-' TERM INT
%(variable)s=1 az "$@"%(more)s <&4 3>&- 4<&- &
code=143
while [ "$code" -gt 128 ]; do
    stopped=
    wait $!
    code=$?
    [ -n "$stopped" ] || break
done
exit "$code"
"""


def command(more: str = "") -> Sequence[str]:
    """The command of a container whose arguments are az's. more: words behind them, as sh reads them."""
    script = _SCRIPT % {"variable": ENDS_WITH_STDIN, "more": f" {more}" if more else ""}
    return ("sh", "-c", kubernetes.word(script), "az")
