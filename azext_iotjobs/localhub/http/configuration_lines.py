"""Lines of configurations.txt, the file of import and export jobs: one configuration, its members in PascalCase."""

from typing import Any

from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, HubError
from azext_iotjobs.localhub.http.configurations import configuration_document, configuration_spec
from azext_iotjobs.localhub.http.path_ids import check_path
from azext_iotjobs.localhub.http.request import check_etag, member
from azext_iotjobs.localhub.rules.configuration import configuration_etag
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json

NESTED = ("content", "metrics", "systemMetrics")  # whose own members are in PascalCase too
MODE = "createorupdateifmatchetag"  # the only one


class ConfigurationLines:
    """Renders and applies lines of configurations."""

    def __init__(self, service: ConfigurationService) -> None:
        self._service = service

    def render_all(self) -> list[str]:
        """The lines of all configurations; a hub has at most a hundred."""
        return [dump_json(_pascal(configuration_document(each))) for each in self._service.all()]

    def apply(self, line: str) -> str | None:
        """Create or change the configuration of a line; gives the line of the log that tells of an error, or None."""
        configuration_id = None
        try:
            document = _read(line)
            configuration_id = document.get("id")
            self._apply(document)
        except HubError as err:
            shown = configuration_id if isinstance(configuration_id, str) else None
            return dump_json({"configurationId": shown, "errorCode": err.fault.number, "errorStatus": err.text})
        return None

    def _apply(self, document: dict[str, Any]) -> None:
        configuration_id = member(document, "id", str, "")
        check_path({"configuration": configuration_id})
        if str(member(document, "importMode", str, MODE)).lower() != MODE:
            raise HubError(ARGUMENT_INVALID, "The importMode of a configuration is createOrUpdateIfMatchETag.")
        spec = configuration_spec(configuration_id, document)
        stored = next((each for each in self._service.all() if each.spec.configuration_id == configuration_id), None)
        if stored is None:
            self._service.create(spec)
            return
        etag = str(member(document, "etag", str, "*")).strip('"')
        check_etag(etag, configuration_etag(stored.etag))
        self._service.update(stored, spec)


def _read(line: str) -> dict[str, Any]:
    """A line's object, its members as requests have them. Raises HubError 400."""
    try:
        value = parse_json(line)
    except ValueError:
        raise HubError(GENERIC_BAD_REQUEST, "The line is not JSON.") from None
    if not isinstance(value, dict):
        raise HubError(GENERIC_BAD_REQUEST, "The line is not a JSON object.")
    document = {_camel(name): each for name, each in value.items()}
    for name in NESTED:
        if isinstance(nested := document.get(name), dict):
            document[name] = {_camel(inner): each for inner, each in nested.items()}
    return document


def _pascal(document: dict[str, Any]) -> dict[str, Any]:
    renamed = {name: _pascal(value) if name in NESTED else value for name, value in document.items()}
    return {"ETag" if name == "etag" else name[:1].upper() + name[1:]: value for name, value in renamed.items()}


def _camel(name: str) -> str:
    return "etag" if name.lower() == "etag" else name[:1].lower() + name[1:]
