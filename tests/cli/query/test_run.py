"""What is advised about a query that a hub refuses."""

import pytest

from azext_iotjobs.cli.query.run import query
from azext_iotjobs.clients.advice import QUERY
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadRequest
from azext_iotjobs.model.target import HubTarget
from tests.helpers.transport_double import TransportDouble


@pytest.mark.parametrize(
    ("hint", "advised"), [(QUERY, "[[double brackets]]."), ("A hub forgets jobs.", "A hub forgets jobs."), (None, None)]
)
def test_the_command_that_was_typed_is_not_advised(hint: str | None, advised: str | None) -> None:
    def refuse(_request: object) -> object:
        raise BadRequest("no", status=400, hint=hint)

    with pytest.raises(BadRequest) as refused:
        query(HubClient(HubTarget(host="h"), TransportDouble(refuse)), "SELECT * FROM devices WHERE tags.group = 1")  # type: ignore[arg-type]
    assert refused.value.hint is None if advised is None else str(refused.value.hint).endswith(advised)
    assert "az iot" not in str(refused.value.hint)
