"""Rules of configurations: kinds of content, limits, names of metrics. Pure.

Source: IoT Hub devguide "automatic device management", IoT Edge "automatic deployments"; refusals of live hubs.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    INVALID_CONFIGURATION_CONTENT,
    INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY,
    HubError,
)
from azext_iotjobs.localhub.rules.content_paths import Setting, expanded, settings_of, with_settings
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, check_module_count, check_module_id
from azext_iotjobs.localhub.rules.quota import Sku
from azext_iotjobs.localhub.rules.twin import PROPERTIES_LIMIT_BYTES, Tree, checked

AGENT = "$edgeAgent"
MAX_CONFIGURATIONS, MAX_FREE_CONFIGURATIONS = 100, 10  # of a hub
MAX_METRICS = 5  # of one configuration, beside those of the system
INT32 = range(-(2**31), 2**31)
TARGETED, APPLIED = "Targeted", "Applied"  # a configuration's status in a twin
TARGETED_COUNT, APPLIED_COUNT = "targetedCount", "appliedCount"
REPORTED = {"reportedSuccessfulCount": "= 200", "reportedFailedCount": "!= 200"}  # of edge deployments

Content = Mapping[str, list[Setting]]  # by module; "" is the target itself


class Kind(Enum):
    """What a configuration sets; the value is the member that holds its content."""

    DEVICE = "deviceContent"
    MODULE = "moduleContent"
    EDGE = "modulesContent"


@dataclass(frozen=True, kw_only=True)
class ConfigurationSpec:
    """A configuration as a client describes it, checked but for its conditions and queries."""

    configuration_id: str
    schema_version: str | None = None
    content_type: str | None = None
    labels: Mapping[str, str] | None = None
    kind: Kind
    content: Tree  # the member that `kind` names
    target_condition: str = ""  # "": it targets nothing
    priority: int = 0
    metric_queries: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.priority not in INT32:
            raise HubError(ARGUMENT_INVALID, f"The priority {self.priority} is not a 32-bit integer.")
        if len(self.metric_queries) > MAX_METRICS:
            text = f"A configuration may have at most {MAX_METRICS} metric queries of its own."
            raise HubError(INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY, text)
        read_content(self.kind, self.content)


def configuration_etag(counter: int) -> str:
    """A configuration's etag, as the service writes it: base64 of a decimal number; the first is MQ==."""
    return base64.b64encode(str(counter).encode()).decode()


def max_configurations(sku: Sku) -> int:
    """How many configurations a hub may have."""
    return MAX_FREE_CONFIGURATIONS if sku is Sku.F1 else MAX_CONFIGURATIONS


def only_section(content: Any) -> tuple[Kind, Tree]:
    """The kind of a content, and the one member that it has; an empty member counts as absent.

    Raises HubError 400 when there is none, or more than one.
    """
    if not isinstance(content, dict):
        raise HubError(INVALID_CONFIGURATION_CONTENT, "The content is missing.")
    names = {kind.value: kind for kind in Kind}
    if unknown := [name for name in content if name not in names]:
        raise HubError(INVALID_CONFIGURATION_CONTENT, f"{unknown[0][:100]!a} is not a kind of content.")
    sections = {names[name]: section for name, section in content.items() if section not in (None, {})}
    if len(sections) != 1:
        raise HubError(
            INVALID_CONFIGURATION_CONTENT,
            "The content must have exactly one of deviceContent, moduleContent and modulesContent.",
        )
    ((kind, section),) = sections.items()
    if not isinstance(section, dict):
        raise HubError(INVALID_CONFIGURATION_CONTENT, f"{kind.value} must be an object.")
    return kind, section


def read_content(kind: Kind, section: Tree) -> Content:
    """The settings of a content, by module. Raises HubError 400."""
    if kind is not Kind.EDGE:
        settings = settings_of(section, INVALID_CONFIGURATION_CONTENT)
        _check(settings)
        return {"": expanded(settings)}
    if AGENT not in section:
        raise HubError(INVALID_CONFIGURATION_CONTENT, f"modulesContent needs {AGENT}.")
    check_module_count(section, INVALID_CONFIGURATION_CONTENT)
    return {module: _module_settings(module, content) for module, content in section.items()}


def is_layered(content: Content) -> bool:
    """Whether an edge deployment adds to another one: it does not set all of the agent's desired properties."""
    return all(setting.path for setting in content[AGENT])


def system_queries(configuration_id: str, kind: Kind, target_condition: str) -> dict[str, str]:
    """The queries of the system's metrics, by name; that of the targets of "" is ""."""
    status = f"configurations.[[{configuration_id}]].status = '{APPLIED}'"
    agents = f"select deviceId from devices.modules where moduleId = '{AGENT}' and {status}"
    applied = {
        Kind.DEVICE: f"select deviceId from devices where {status}",
        Kind.MODULE: f"select deviceId, moduleId from devices.modules where {status}",
        Kind.EDGE: agents,
    }[kind]
    queries = {TARGETED_COUNT: _targets(kind, target_condition.strip()), APPLIED_COUNT: applied}
    if kind is Kind.EDGE:
        is_current = "properties.desired.$version = properties.reported.lastDesiredVersion"
        code = "properties.reported.lastDesiredStatus.code"
        queries |= {name: f"{agents} and {is_current} and {code} {result}" for name, result in REPORTED.items()}
    return queries


def _targets(kind: Kind, condition: str) -> str:
    if not condition:
        return ""
    if kind is Kind.MODULE:
        return f"select deviceId, moduleId {condition}"
    if condition.lower().startswith("from "):
        return f"select deviceId {condition}"
    conditions = [
        *(["capabilities.iotEdge = true"] if kind is Kind.EDGE else []),
        *([f"({condition})" if kind is Kind.EDGE else condition] if condition != "*" else []),
    ]
    return "select deviceId from devices" + (f" where {' and '.join(conditions)}" if conditions else "")


def _module_settings(module: str, content: Any) -> list[Setting]:
    try:
        check_module_id(module)
    except HubError as err:
        raise HubError(INVALID_CONFIGURATION_CONTENT, err.text) from None
    if module.startswith("$") and module not in SYSTEM_MODULES:
        raise HubError(INVALID_CONFIGURATION_CONTENT, f"There is no system module {module[:100]!a}.")
    if not isinstance(content, dict):
        raise HubError(INVALID_CONFIGURATION_CONTENT, f"The content of the module {module!a} must be an object.")
    settings = settings_of(content, INVALID_CONFIGURATION_CONTENT)
    _check(settings)
    return settings


def _check(settings: list[Setting]) -> None:
    """Raise HubError 400 for settings that no twin could have."""
    try:
        for tree in _trees(settings):
            checked(tree, tree, "desired", PROPERTIES_LIMIT_BYTES)
    except HubError as err:
        raise HubError(INVALID_CONFIGURATION_CONTENT, err.text) from None


def _trees(settings: list[Setting]) -> Iterator[Tree]:
    """Trees that hold every name and value of the settings; a name whose value is null stands alone."""
    yield with_settings({}, settings)
    for path, value in settings:
        if value is None and path:
            yield with_settings({}, [Setting(path, True)])
