"""A program of another world (an SDK in its own Python, a Node.js script) that a test drives line by line.

stdin: {"number": 1, "do": "send", "with": [...]}.  stdout: {"number": 1, "result": ...} or {"number": 1, "error":
{"name": ..., "message": ...}}; and, for all that comes by itself, {"event": "method", ...}.  It ends when stdin does.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

LIMIT_S = 60.0
END_LIMIT_S = 30.0


class ClientError(Exception):
    """The program's client library gave an error; `name` is its class."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Driven:
    """One running program. `events` is what came by itself, oldest first."""

    def __init__(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._number = 0
        self._ended = False
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            words,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, what: str, *given: Any) -> int:
        """Ask for something; gives the number of the answer that is to come."""
        self._number += 1
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"number": self._number, "do": what, "with": given}).encode() + b"\n")
        self.process.stdin.flush()
        return self._number

    def answer(self, number: int) -> Any:
        """Wait for an answer. Raises ClientError for an error."""
        self._wait(f"answer {number}", lambda: number in self._answers)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise ClientError(answer["error"]["name"], answer["error"]["message"])
        return answer["result"]

    def do(self, what: str, *given: Any) -> Any:
        """Ask, and wait for the answer. Raises ClientError for an error."""
        return self.answer(self.start(what, *given))

    def event(self, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait for an event of this kind that fits; gives it, and takes it out of `events`."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.events if each["event"] == kind and fits(each)]

        self._wait(f"a fitting {kind}", lambda: bool(found()))
        first = found()[0]
        self.events.remove(first)
        return first

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(END_LIMIT_S)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self._reader.join(END_LIMIT_S)
        self._errors.close()

    def __enter__(self) -> "Driven":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    self._errors.seek(0)
                    said = self._errors.read().decode("utf-8", "replace")[-5000:]
                    raise AssertionError(f"{what} did not come; events: {self.events}; stderr:\n{said}")
                self._changed.wait(left)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                document = json.loads(line)
                with self._changed:
                    if "event" in document:
                        self.events.append(document)
                    else:
                        self._answers[document["number"]] = document
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
