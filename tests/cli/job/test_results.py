"""Which rows of a job are asked for: states and error classes, one or several."""

from collections.abc import Sequence

import pytest

from azext_iotjobs.cli.job.params import DEVICE_STATUSES
from azext_iotjobs.cli.job.results import ResultOptions
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.operations.job import results

OWN = "SELECT * FROM devices.jobs WHERE jobId = 'j'"


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        (None, ""),
        (["failed"], " AND status = 'failed'"),
        (["Failed"], " AND status = 'failed'"),
        (["pending,failed"], " AND status IN ['failed', 'pending']"),
        (["pending", "failed"], " AND status IN ['failed', 'pending']"),
    ],
)
def test_states_are_typed_with_commas_or_spaces_between_them(typed: Sequence[str] | None, condition: str) -> None:
    assert ResultOptions(our_status=typed).query("j", ()).text == OWN + condition


def test_error_classes_are_typed_with_commas_between_them() -> None:
    query = ResultOptions(error_class=["offline,timeout", "rejected"]).query("j", ())
    assert query.error_classes == {ErrorClass.OFFLINE, ErrorClass.TIMEOUT, ErrorClass.REJECTED}
    assert query.text == OWN


@pytest.mark.parametrize(
    ("options", "option"),
    [(ResultOptions(our_status=["failed,lost"]), "--status"), (ResultOptions(error_class=["lost"]), "--error-class")],
)
def test_an_unknown_word_is_refused_with_those_that_there_are(options: ResultOptions, option: str) -> None:
    with pytest.raises(BadValue, match=f"{option} 'lost': give words out of .*failed|{option} 'lost': .*offline"):
        options.query("j", ())


def test_the_registry_is_asked_only_for_the_column_that_it_fills() -> None:
    assert ResultOptions().query("j", ("deviceId", "deleted")).checks_registry
    assert not ResultOptions().query("j", ("deviceId",)).checks_registry
    assert not ResultOptions(skip_registry=True).query("j", ("deleted",)).checks_registry


def test_the_words_of_the_options_are_those_of_the_operation() -> None:
    assert DEVICE_STATUSES == results.DEVICE_STATUSES
