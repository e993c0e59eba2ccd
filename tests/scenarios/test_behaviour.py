"""How simulated devices behave, as a user meets it: files and options in, twins, answers and events out."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until

SEED = "591"  # one of four updates fails
UPDATE = '{"fwPackageUri": "https://example.com/fw-2.0.1.bin", "version": "2.0.1"}'
PROGRESS = """SELECT properties.reported.firmware.status, COUNT() AS devices FROM devices
              WHERE STARTSWITH(deviceId, 'up-') GROUP BY properties.reported.firmware.status"""


def events(path: Path, device: str, what: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row.get("device") == device and row["event"] == what]


def test_a_firmware_update_of_many_devices_goes_through_its_stages_and_the_query_shows_them(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    simulation = hub.az.start(
        f"iot device simulate -n {hub.name} --prefix up- --count 4 --create --delete-after "
        f"--behaviour firmware-update --seed {SEED} --expect 'method firmwareUpdate on all within 60s' "
        "--until 5m --expect 'twin reported.firmware.version = 2.0.1 on 3'",
        output=tmp_path / "o",
    )
    wait_until("all are connected", lambda: "All 4 devices are connected" in (tmp_path / "o.err").read_text())
    job = hub.az.json(
        f"iot hub job create -n {hub.name} --job-id up-2 --job-type scheduleDeviceMethod "
        "--method-name firmwareUpdate --wait --poll-interval 1",
        "--method-payload",
        UPDATE,
        "--query-condition",
        "STARTSWITH(deviceId, 'up-')",
    )
    assert job["deviceJobStatistics"]["succeededCount"] == 4  # the update is accepted, not done
    stages: list[dict[str, int]] = []

    def look() -> bool:
        rows = hub.az.json(f"iot hub query -n {hub.name}", "-q", PROGRESS)
        stages.append({row["status"]: row["devices"] for row in rows})
        return stages[-1] == {"current": 3, "failed": 1}

    wait_until("all are through", look)
    seen = {stage for each in stages for stage in each}
    assert len(seen & {"downloading", "applying", "rebooting"}) >= 2, stages
    failed = hub.az.json(
        f"iot hub query -n {hub.name}",
        "-q",
        "SELECT properties.reported.firmware FROM devices WHERE properties.reported.firmware.status = 'failed'",
    )
    assert [(each["firmware"]["version"], "error" in each["firmware"]) for each in failed] == [("1.0.0", True)]
    simulation.send_signal(signal.SIGINT)
    assert simulation.wait(30) == 0
    result = json.loads((tmp_path / "o").read_text())
    assert result["methods"]["byName"] == [
        {"name": "firmwareUpdate", "received": 4, "answered": 4, "statuses": {"202": 4}}
    ]
    assert result["connects"] == 7  # three have rebooted
    assert result["seed"] == SEED


def test_groups_of_a_file_differ_by_tag_and_follow_what_was_desired_meanwhile(hub: ScenarioHub, tmp_path: Path) -> None:
    for name, site in (("gr-1", "north"), ("gr-2", "south")):
        hub.new_device(name)
        hub.az.json(
            f"iot hub device-twin update -n {hub.name} -d {name}",
            "--tags",
            json.dumps({"site": site}),
            "--desired",
            '{"interval": 30, "speed": 40}',
        )
    rules, log = tmp_path / "fleet.yaml", tmp_path / "events.jsonl"
    rules.write_text(
        "methods: {ping: {status: 201, payload: {i: '${device}'}}}\n"
        "twin: {interval: pnp, speed: {converge: {steps: 2, every: 500ms}}}\n"
        "telemetry: {t: {every: 1s, first: 0, count: 2, values: {n: {counter: {}}}}}\n"
        "groups:\n  north:\n    tags: {site: north}\n    methods: {ping: {status: 503, latency: 100-300ms}}\n"
    )
    simulation = hub.az.start(
        f"iot device simulate -n {hub.name} --device-ids gr-1,gr-2 --method '*=501' "
        "--until 'method other on all' --expect 'twin reported.speed = 40 on all' "
        "--expect 'telemetry on all'",
        "--behaviour-file",
        str(rules),
        "--events",
        str(log),
        output=tmp_path / "o",
    )
    words = ("iot", "hub", "invoke-device-method", "-n", hub.name, "--exit-zero")
    for name in ("gr-1", "gr-2"):
        hub.wait_for_connection(name)
    answers = [hub.az.json(*words, "-d", name, "--mn", "ping") for name in ("gr-1", "gr-2")]
    assert [(each["status"], each["payload"]) for each in answers] == [(503, {"i": "gr-1"}), (201, {"i": "gr-2"})]
    speeds = {"gr-1": 40, "gr-2": 40}
    wait_until("the speeds are there", lambda: {name: reported(hub, name).get("speed") for name in speeds} == speeds)
    assert reported(hub, "gr-2")["interval"] == {"value": 30, "ac": 200, "av": 2, "ad": "done"}
    assert [hub.az.json(*words, "-d", name, "--mn", "other")["status"] for name in ("gr-1", "gr-2")] == [501, 501]
    assert simulation.wait(30) == 0
    assert json.loads((tmp_path / "o").read_text())["groups"] == {"north": 1, "rest": 1}
    assert [row["patch"]["speed"] for row in events(log, "gr-1", "report") if "speed" in row["patch"]] == [20, 40]


def reported(hub: ScenarioHub, device: str) -> dict[str, Any]:
    twin = hub.az.json(f"iot hub device-twin show -n {hub.name} -d {device}")
    return dict(twin["properties"]["reported"])


def test_a_mistake_in_a_file_is_an_error_with_its_line_before_anything_is_created(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    rules = tmp_path / "fleet.yaml"
    rules.write_text("methods:\n  reboot:\n    latncy: 1\n")
    ran = hub.az.run(
        f"iot device simulate -n {hub.name} --prefix no- --count 2 --create",
        "--behaviour-file",
        str(rules),
    )
    assert ran.code == 1
    assert f"{rules}, line 3: methods.reboot: unknown key 'latncy' (did you mean latency?)" in ran.stderr
    rows = hub.az.json(f"iot hub query -n {hub.name} -q 'SELECT deviceId FROM devices'")
    assert not [row for row in rows if row["deviceId"].startswith("no-")]
