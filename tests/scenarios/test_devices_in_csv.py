"""Devices come out of IoT Central's export, and go from one hub to another, as CSV."""

import csv
import io
import stat
from pathlib import Path

from tests.conftest import ScenarioHub

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER_KEY = "+BECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
CENTRAL = (
    "\ufeffIOTC_DEVICEID,IOTC_DEVICENAME,IOTC_SASKEY_PRIMARY,IOTC_SASKEY_SECONDARY,IOTC_X509THUMBPRINT_PRIMARY,"
    "IOTC_X509THUMBPRINT_SECONDARY,Floor,Owner\r\n"
    f'csv-1,"Pump, north",{KEY},{OTHER_KEY},,,3,ann\r\n'
    f"csv-2,=Pump,,,{PRINT},,2.5,bob\r\n"
    "csv-3,Valve,,,,,,\r\n"
    "not an id,,,,,,,\r\n"
)
SELECTED = "tags.displayName != ''"


def test_devices_move_from_iot_central_to_a_hub_and_on_to_another_with_their_keys(
    hub: ScenarioHub, own_hub: ScenarioHub, tmp_path: Path
) -> None:
    central, results, moved, again = (tmp_path / name for name in ("c.csv", "results.csv", "moved.csv", "again.csv"))
    central.write_bytes(CENTRAL.encode())
    words = (
        "iot hub device-identity import-csv",
        "-n",
        hub.name,
        "-f",
        str(central),
        "--map",
        "Floor=tags.floor:number",
    )
    imported = hub.az.run(*words, "--results-file", str(results))
    assert imported.code == 4, imported.stderr
    assert (imported.json["created"], imported.json["failed"]) == (3, 1)
    assert "1 column is not imported: Owner." in imported.stderr and "Line 5: 'not an id' is not" in imported.stderr
    assert KEY not in imported.stderr + imported.stdout + results.read_text(encoding="utf-8")
    exported = hub.az.json(
        "iot hub device-identity export-csv", "-n", hub.name, "-f", str(moved), "--keys", "-q", SELECTED
    )
    assert exported["deviceCount"] == 3
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600

    into_other = ("iot hub device-identity import-csv", "-n", own_hub.name, "-f", str(moved))
    assert own_hub.az.json(*into_other)["created"] == 3
    assert own_hub.az.json(*into_other)["skipped"] == 3, "the devices that are there stay as they are"
    own_hub.az.json(
        "iot hub device-identity export-csv", "-n", own_hub.name, "-f", str(again), "--keys", "-q", SELECTED
    )
    assert rows(again) == rows(moved)
    assert [row["IOTC_SASKEY_SECONDARY"] for row in rows(again)[:2]] == [f"'{OTHER_KEY}", ""]

    shown = own_hub.az.run("iot hub device-identity list", "-n", own_hub.name, "-o", "table")
    first, _, *lines = shown.stdout.splitlines()
    assert first.split()[:2] == ["DeviceId", "DisplayName"]
    assert any(line.startswith("csv-1") and "Pump, north" in line for line in lines)


def rows(path: Path) -> list[dict[str, str]]:
    found = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda row: row["IOTC_DEVICEID"])
