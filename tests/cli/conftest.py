"""Fixtures of the doors."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What az's loggers say; knack keeps them from the root."""
    logger = logging.getLogger("cli")
    before, logger.propagate = logger.propagate, True
    yield caplog
    logger.propagate = before
