"""What may go wrong with a local hub of a test. Standard library only."""

import json


class LocalHubNotStarted(Exception):
    """Something was asked of a hub that was not started."""

    def __init__(self) -> None:
        super().__init__("This hub was not started: call start(), or use it as `with LocalHub() as hub:`.")


class LocalHubFailed(Exception):
    """The hub's process did not start, or does not answer; the text includes what it wrote to stderr."""

    def __init__(self, what: str, *, exit_code: int | None, errors: str) -> None:
        has_run = exit_code is not None or errors
        super().__init__(f"{what} (exit code {exit_code}). It wrote:\n{errors or '(nothing)'}" if has_run else what)
        self.exit_code = exit_code  # None: it runs, or never has
        self.errors = errors  # what its process wrote to stderr


class NoContainerEngine(LocalHubFailed):
    """There is no container engine that answers, so that no hub can be started in a container."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"No container engine is reached: {reason}. Does `docker version` show a server here? Start Docker or "
            "Podman, or set DOCKER_HOST to where it listens. LocalHub, a hub in a process, needs none.",
            exit_code=None,
            errors="",
        )


class LocalHubRefused(Exception):
    """The hub answered with an error."""

    def __init__(self, request: str, *, status: int, error_code: str | None, text: str, errors: str) -> None:
        log = f"\nThe hub wrote:\n{errors}" if status >= 500 and errors else ""
        super().__init__(f"{request}: {status} {error_code}: {_message(text)}{log}")
        self.status = status  # of HTTP
        self.error_code = error_code  # the symbolic name, such as DeviceNotFound
        self.text = text  # the body of the response


class LocalHubTimeout(Exception):
    """What was waited for did not happen in time; the text shows what was there instead."""


class SimulationFailed(Exception):
    """Simulated devices did not start, or have ended; the text includes what their process wrote to stderr."""


def _message(text: str) -> str:
    """What the body of an error says to people, of either form that IoT Hub's errors have; any other body as it is."""
    try:
        message = str(json.loads(text)["Message"])
    except (ValueError, KeyError, TypeError):
        return text
    try:
        inner = json.loads(message)
        return f"{inner['message']} ({inner['errorCode']})"
    except (ValueError, KeyError, TypeError):
        return message.partition(";")[2] if message.startswith("ErrorCode:") else message
