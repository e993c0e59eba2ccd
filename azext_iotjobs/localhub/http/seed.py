"""/_local/seed: what a hub is to begin with, and the same of what it holds. Only for callers with iothubowner's key."""

import asyncio
from dataclasses import replace
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.own_request import JSON, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.http.seed_export import SeedExport
from azext_iotjobs.localhub.http.seed_import import SeedImport
from azext_iotjobs.localhub.process.seed_file import UnreadableSeed, parse_seed_text
from azext_iotjobs.localhub.rules.own_document import Member
from azext_iotjobs.localhub.rules.seed import SEED, Seed, SeedMistake, read_seed
from azext_iotjobs.localhub.rules.seed_examples import EXAMPLES


def _described(shape: Any, name: str = "") -> Member:
    """What a seed's shape says: lists and objects have theirs, {} has any names, None stands for a value."""
    if isinstance(shape, list):
        return Member(kind=list, each=_described(shape[0]))
    if shape is None:
        return Member(kind=type(EXAMPLES[name]))
    members = {name: _described(inner, name) for name, inner in shape.items()}
    return Member(kind=dict, members=members or None)


DOCUMENT = replace(_described(SEED), title="Seed")
COUNTS = Member(kind=dict, is_required=True, each=Member(kind=int), what="by kind, such as devices")
POST = OwnForm(
    body=DOCUMENT.members,
    example=EXAMPLES[""],
    body_types=(JSON, "application/yaml"),
    answers={
        200: Answer(
            what="How much was created, and how much was there already.",
            document=Member(kind=dict, members={"created": COUNTS, "existing": COUNTS}),
        )
    },
)
GET = OwnForm(
    query={"keys": Member(kind=bool, default=False, what="with the keys of devices and modules")},
    answers={200: Answer(what="What the hub holds.", document=DOCUMENT)},
)


class SeedRoutes:
    """Put a seed into the hub, and write one."""

    def __init__(self, seed_import: SeedImport, seed_export: SeedExport) -> None:
        self._import = seed_import
        self._export = seed_export

    async def post(self, request: HubRequest) -> HubResponse:
        """POST /_local/seed: YAML or JSON."""
        try:
            # In a thread, so that a large one does not keep others waiting while it is read.
            seed = await asyncio.to_thread(_read, request.body)
            created, existing = await self._import.apply(seed)
        except UnreadableSeed as err:
            raise HubError(ARGUMENT_INVALID, f"The seed{err}") from err
        except SeedMistake as err:
            raise HubError(ARGUMENT_INVALID, f"The seed: {err}") from err
        return HubResponse(document={"created": created, "existing": existing})

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /_local/seed?keys=true|false"""
        return HubResponse(document=await self._export.document(with_keys=request.parameters["keys"]))


def _read(body: bytes) -> Seed:
    return read_seed(parse_seed_text(body))
