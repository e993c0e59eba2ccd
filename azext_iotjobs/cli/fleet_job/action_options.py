"""What a fleet job does to each device, as typed -> its Action: a twin patch, a method, or configuration content."""

from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.cli.input.method_changes import TIMEOUT_S, method_changes
from azext_iotjobs.cli.input.twin_patch import read_desired_and_tags, read_twin_patch
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import NO_METHOD, Action
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.twin import TwinPatch

HOW_TO_SAY_WHAT = "Give --method-name, --twin-patch (or --desired and --tags), or --content."


class TimeoutOptions(NamedTuple):
    """The timeouts of a method, in seconds."""

    our_method_connect_timeout: int | None = None
    our_method_response_timeout: int | None = None


class ActionOptions(NamedTuple):
    """What is done to each device; None where nothing was typed."""

    our_twin_patch: Given | None = None
    our_desired: Given | None = None
    our_tags: Given | None = None
    our_method_name: str | None = None
    our_method_payload: Given | None = None
    timeouts: TimeoutOptions = TimeoutOptions()
    our_content: Given | None = None
    success_status: str | None = None

    def onto(self, old: Action | None) -> Action:
        """A new action, or `old` with what was typed. Raises UserError, naming the option."""
        patch, method, content = self._patch(), self._method(old), self._content()
        if old is not None and patch is None and method is None and content is None:
            patch, method, content = old.patch, old.method, old.content
        if patch is None and method is None and content is None:
            raise MissingChoice("No action is given.", hint=HOW_TO_SAY_WHAT)
        if self.success_status is not None:
            success = parse_success_status(self.success_status)
        else:
            success = old.success if old else parse_success_status(DEFAULT_SUCCESS_STATUS)
        return Action(patch=patch, method=method, content=content, success=success)

    def _patch(self) -> TwinPatch | None:
        if self.our_twin_patch is not None:
            if self.our_desired is not None or self.our_tags is not None:
                raise ConflictingChoice(
                    "--twin-patch has desired properties and tags in it: leave --desired and --tags out."
                )
            return read_twin_patch(self.our_twin_patch)
        document = read_desired_and_tags(self.our_desired, self.our_tags)
        if document and not (document.get("tags") or document.get("properties", {}).get("desired")):
            raise BadValue("--desired and --tags change nothing: they are empty.", hint="--desired light=5")
        return TwinPatch(document=document) if document else None

    def _method(self, old: Action | None) -> MethodCall | None:
        changes = method_changes(
            name=self.our_method_name,
            payload=self.our_method_payload,
            connect_timeout_s=self.timeouts.our_method_connect_timeout,
            response_timeout_s=self.timeouts.our_method_response_timeout,
        )
        if not changes:
            return None
        is_timeout_alone = self.our_method_name is None and self.our_method_payload is None
        if old is not None and old.method is None and is_timeout_alone:
            raise ConflictingChoice(NO_METHOD)
        if old is not None and old.method is not None:
            return replace(old.method, **changes)
        response_s = changes.get("response_timeout_s", TIMEOUT_S)
        defaults = {"name": "", "response_timeout_s": response_s, "connect_timeout_s": min(TIMEOUT_S, response_s)}
        return MethodCall(**{**defaults, **changes})

    def _content(self) -> dict[str, Any] | None:
        if self.our_content is None:
            return None
        document = json_object_or_file(self.our_content, "--content")
        # A deployment's file has it one level down.
        inner = document.get("content")
        return inner if "modulesContent" not in document and isinstance(inner, dict) else document
