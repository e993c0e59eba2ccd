"""Creates, changes, reads and deletes configurations. What they do to twins is done by `configuration_rounds`."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.errors import (
    CONFIGURATION_ALREADY_EXISTS,
    CONFIGURATION_NOT_FOUND,
    INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY,
    INVALID_CONFIGURATION_TARGET_CONDITION,
    IOT_HUB_QUOTA_EXCEEDED,
    HubError,
    QueryError,
)
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.target_condition import check_metric, parse_target
from azext_iotjobs.localhub.rules.configuration import ConfigurationSpec, Kind
from azext_iotjobs.localhub.store.configurations import Configuration, Configurations
from azext_iotjobs.localhub.store.database import Database

EVERYTHING = "*"


class ConfigurationService:
    """The configurations of a hub.

    limit: how many there may be.  on_change: called when there is a change that twins do not have yet.
    """

    def __init__(
        self,
        database: Database,
        configurations: Configurations,
        clock: HubClock,
        limit: int,
        on_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._configurations = configurations
        self._clock = clock
        self._limit = limit
        self._on_change = on_change

    def get(self, configuration_id: str) -> Configuration:
        """A configuration. Raises HubError 404301."""
        found = self._configurations.get(configuration_id)
        if found is None:
            raise HubError(CONFIGURATION_NOT_FOUND, f"The configuration {configuration_id!a} does not exist.")
        return found

    def all(self) -> list[Configuration]:
        """Every configuration, oldest first."""
        return self._configurations.all()

    def check_new(self, configuration_id: str) -> None:
        """Raise HubError 409401 for an id that is taken."""
        if self._configurations.get(configuration_id) is not None:
            text = f"The configuration {configuration_id!a} exists already. To change it, send its ETag in If-Match."
            raise HubError(CONFIGURATION_ALREADY_EXISTS, text)

    def create(self, spec: ConfigurationSpec) -> Configuration:
        """Create a configuration, whose id is not taken. Raises HubError."""
        _check_queries(spec)
        if self._configurations.count() >= self._limit:
            text = f"This hub has {self._limit} configurations, which is the most that it may have; delete one first."
            raise HubError(IOT_HUB_QUOTA_EXCEEDED, text)
        self._configurations.create(spec, self._now())
        return self._changed(spec.configuration_id)

    def update(self, old: Configuration, spec: ConfigurationSpec) -> Configuration:
        """Change a configuration; its content stays as it was created. Raises HubError."""
        spec = replace(spec, kind=old.spec.kind, content=old.spec.content)
        _check_queries(spec)
        results = {name: count for name, count in old.metric_results.items() if name in spec.metric_queries}
        with self._database.transaction():
            self._configurations.update(old.row_id, spec, self._now())
            self._configurations.save_results(old.row_id, system=old.system_results, metrics=results)
        return self._changed(spec.configuration_id)

    def delete(self, configuration: Configuration) -> None:
        """Delete a configuration; what it has set stays in the twins."""
        self._configurations.delete(configuration.row_id)
        self._on_change()

    def _changed(self, configuration_id: str) -> Configuration:
        self._on_change()
        return self.get(configuration_id)

    def _now(self) -> str:
        return render(self._clock.now())


def target_condition_error(text: str) -> str | None:
    """What is wrong with a target condition that is tested; * alone cannot be tested."""
    if text.strip() == EVERYTHING:
        return "* alone cannot be tested."
    try:
        parse_target(text)
    except QueryError as err:
        return str(err)
    return None


def metric_query_errors(queries: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with metric queries, by their names; {} when nothing is."""
    errors: dict[str, str] = {}
    for name, text in queries.items():
        try:
            check_metric(parse_query(text))
        except QueryError as err:
            errors[name] = str(err)
    return errors


def _check_queries(spec: ConfigurationSpec) -> None:
    """Raise HubError 400 for a target condition or a metric query that is not allowed."""
    try:
        condition = parse_target(spec.target_condition)
    except QueryError as err:
        raise HubError(INVALID_CONFIGURATION_TARGET_CONDITION, f"The target condition: {err}.") from err
    collection = Collection.MODULES if spec.kind is Kind.MODULE else Collection.DEVICES
    if condition is not None and condition.collection is not collection:
        start = "begin with FROM devices.modules WHERE" if spec.kind is Kind.MODULE else "be one of devices"
        text = f"The target condition of a configuration with {spec.kind.value} must {start}."
        raise HubError(INVALID_CONFIGURATION_TARGET_CONDITION, text)
    for name, error in metric_query_errors(spec.metric_queries).items():
        raise HubError(INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY, f"The query of the metric {name[:100]!a}: {error}.")
