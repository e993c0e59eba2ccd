"""The entry of a wheel in an index of az extensions, as `az extension add -n iotjobs` reads it.

Source: the index of Microsoft's extensions, https://aka.ms/azure-cli-extension-index-v1, and what azure-cli-core reads
of it (azure.cli.core.extension._resolve). The metadata are the fields of the wheel's METADATA, in lower case, and the
members of azext_metadata.json.
"""

import hashlib
import json
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

FORM = "1"
FIELDS = "Name Version Summary Metadata-Version Requires-Python Description-Content-Type".split()


def index_of(wheel: Path, url: str) -> dict[str, Any]:
    """An index that holds this wheel alone.

    url: the folder that it is downloaded from; "": the index names the wheel alone, and az looks for it where it runs.
    """
    with zipfile.ZipFile(wheel) as members:
        metadata = _metadata(members)
    entry = {
        "filename": wheel.name,
        "downloadUrl": f"{url.rstrip('/')}/{wheel.name}" if url else wheel.name,
        "sha256Digest": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "metadata": metadata,
    }
    return {"formatVersion": FORM, "extensions": {metadata["name"]: [entry]}}


def _metadata(wheel: zipfile.ZipFile) -> dict[str, Any]:
    names = wheel.namelist()
    of_package = Parser().parsestr(_text(wheel, next(name for name in names if name.endswith(".dist-info/METADATA"))))
    of_extension = json.loads(_text(wheel, next(name for name in names if name.endswith("/azext_metadata.json"))))
    return {
        **{field.lower().replace("-", "_"): of_package[field] for field in FIELDS},
        "license": of_package["License-Expression"],
        "classifiers": _every(of_package, "Classifier"),
        "extras": _every(of_package, "Provides-Extra"),
        "run_requires": [{"requires": _every(of_package, "Requires-Dist")}],
        **of_extension,
    }


def _every(message: "Message[str, str]", field: str) -> list[str]:
    return [str(value) for value in message.get_all(field, [])]


def _text(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(name).decode("utf-8")
