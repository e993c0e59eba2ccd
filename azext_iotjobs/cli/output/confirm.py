"""Ask before something is lost, and before much is done to devices that are not a local hub's.

Where nobody can be asked, the first is an error; the second is said, and goes on.
"""

import sys

from knack.log import get_logger
from knack.prompting import NoTTYException, prompt_y_n

from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import counted

logger = get_logger(__name__)

MANY = 100  # devices


def agreed(question: str, why: str, *, assume_yes: bool) -> bool:
    """Whether a person agrees, before something is lost. Raises MissingChoice with `why`, where nobody can be asked."""
    if assume_yes:
        return True
    try:
        return bool(prompt_y_n(question))
    except (KeyboardInterrupt, EOFError):
        wrote(sys.stderr, "\n")
        return False
    except NoTTYException as err:
        raise MissingChoice(
            f"{why}, and there is no terminal to ask on.", hint="Give --yes to continue without being asked."
        ) from err


def goes_on(target: HubTarget, device_count: int, what: str, *, assume_yes: bool) -> bool:
    """Whether to go on with `what` on so many devices of a hub."""
    if device_count <= MANY or target.is_loopback:
        return True
    where = f"{what} on {counted(device_count, 'device')} of {target.authority}"
    if assume_yes or not sys.stdin.isatty():
        logger.warning("%s.", where)
        return True
    try:
        return bool(prompt_y_n(f"{where}: go on?"))
    except (KeyboardInterrupt, EOFError):  # Ctrl-C or Ctrl-D: the cursor stands behind the question
        wrote(sys.stderr, "\n")
        return False
    except NoTTYException:
        logger.warning("%s.", where)
        return True
