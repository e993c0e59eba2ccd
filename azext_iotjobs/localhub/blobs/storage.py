"""The hub's own storage account: its containers, each a folder, and where they are."""

import asyncio
import shutil
from datetime import datetime
from pathlib import Path

from azext_iotjobs.localhub.blobs.container import Container
from azext_iotjobs.localhub.rules.blob_sas import ALL_OF_CONTAINER, Resource, StorageAccount
from azext_iotjobs.localhub.rules.file_upload import CONTAINER as UPLOADS

REGISTRY = "registry"  # for import and export jobs
NAMES = (UPLOADS, REGISTRY)


class Storage:
    """The account and its containers."""

    def __init__(self, folder: Path, account: StorageAccount, *, is_temporary: bool = False) -> None:
        """Make the containers that are not there. is_temporary: nothing of an earlier hub is kept. Raises OSError."""
        self.account = account
        self._folder = folder
        self._is_temporary = is_temporary
        self._containers = {name: Container(folder / name) for name in NAMES}
        self.change = asyncio.Lock()  # held while a blob is put in its place, or removed
        self.close()
        for container in self._containers.values():
            container.prepare()

    def container(self, name: str) -> Container | None:
        """A container, or None."""
        return self._containers.get(name)

    def signed_uri(self, name: str, expires_at: datetime) -> str:
        """The address of a container with a signature that allows everything in it."""
        container = Resource(name)
        return f"{self.account.uri(container)}?{self.account.sign(container, ALL_OF_CONTAINER, expires_at)}"

    def close(self) -> None:
        """Remove everything of a hub that keeps nothing."""
        if self._is_temporary:
            shutil.rmtree(self._folder, ignore_errors=True)
