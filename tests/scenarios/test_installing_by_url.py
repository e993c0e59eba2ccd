"""`az extension add` from a web server, and `az extension update` through an index of extensions."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from index_entry import index_of

from azext_iotjobs import __version__
from tests.conftest import ScenarioHub
from tests.helpers.az import EXTENSIONS, Az
from tests.helpers.file_server import serve_folder
from tests.helpers.older_wheel import write_older_wheel

OLDER = "0.0.1"
WHEEL = f"iotjobs-{__version__}-py3-none-any.whl"


@dataclass(frozen=True)
class Published:
    """Two versions on a web server, and an az that has neither."""

    az: Az
    url: str
    older: str  # name of a wheel


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("published")
    shutil.copy(EXTENSIONS / "iotjobs" / WHEEL, folder)  # az keeps the wheel that it was given
    older = write_older_wheel(folder / WHEEL, folder, OLDER)
    with serve_folder(folder) as url:
        index = index_of(folder / WHEEL, url)
        index["extensions"]["iotjobs"] += index_of(older, url)["extensions"]["iotjobs"]
        (folder / "index.json").write_text(json.dumps(index))
        made = tmp_path_factory.mktemp("az")
        # Without dependencies, which pip would download for each version: those of this environment are found too.
        az = Az(
            made / "config",
            made / "extensions",
            PIP_NO_DEPS="1",
            PIP_NO_COMPILE="1",
            AZURE_EXTENSION_INDEX_URL=f"{url}index.json",
        )
        az.config_dir.mkdir()
        yield Published(az, url, older.name)


def test_fleet_jobs_are_there_after_an_update_through_the_index(published: Published, hub: ScenarioHub) -> None:
    az = published.az
    az.json("extension add --yes --source", f"{published.url}{published.older}")
    words = ("-j", "fw-7", "--method-name", "reboot", "--device-ids", "pump-1,pump-2")
    az.json("iot hub fleet-job create -l", str(hub.document["connectionString"]), *words)
    updated = az.run("extension update -n iotjobs")
    assert updated.code == 0, updated.stderr
    assert az.json("extension list")[0]["version"] == __version__
    shown = az.json("iot hub fleet-job show -j fw-7")
    assert (shown["id"], shown["version"], shown["hub"]) == ("fw-7", 1, hub.name)


def test_an_older_paho_in_its_folder_is_said_with_the_version_that_devices_need(
    published: Published, hub: ScenarioHub
) -> None:
    paho = published.az.extensions / "iotjobs" / "paho"
    (paho / "mqtt").mkdir(parents=True)
    for name, text in (("__init__", ""), ("mqtt/__init__", '__version__ = "1.6.1"\n'), ("mqtt/client", "")):
        (paho / f"{name}.py").write_text(text)
    hub.new_device("old-paho")
    words = ("-l", str(hub.document["connectionString"]), "-d", "old-paho")
    trusted = {"REQUESTS_CA_BUNDLE": str(hub.document["caBundlePath"])}
    refused = published.az.run("iot device simulate", *words, environment=trusted)
    assert refused.code == 1 and "Traceback" not in refused.stderr
    assert "paho-mqtt 1.6.1 was found; 2.1 or newer is needed." in refused.stderr
    assert "az extension remove -n iotjobs" in refused.stderr
