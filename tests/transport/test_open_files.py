"""A process that may open no more files says so, and blames neither the host nor its name."""

import json
import subprocess
import sys

import pytest

from azext_iotjobs.transport.open_files import too_few_files

# Each attempt has a process of its own: elsewhere something may close a file, and the name is looked up after all.
WITH_NO_FILE_LEFT = """
import json, os, resource, sys
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import CannotConnect
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.http import HttpTransport, Request
from azext_iotjobs.transport.mqtt import MqttTransport
from azext_iotjobs.transport.mqtt_events import Failed, MqttLogin

def over_https(host):
    transport = HttpTransport(HubTarget(host=host, https_port=9), SasKey(policy="p", key="YQ=="), SystemClock())
    open_no_more()
    try:
        transport.send(Request(method="GET", path="/devices"))
    except CannotConnect as err:
        return err

def over_mqtt(host):
    transport = MqttTransport(HubTarget(host=host, mqtt_port=9), SystemClock())
    open_no_more()
    transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
    while True:
        for event in transport.receive(0.1):
            return event.error

def open_no_more():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 5, hard))
    try:
        while True:
            os.open(os.devnull, os.O_RDONLY)
    except OSError:
        pass

error = {"https": over_https, "mqtt": over_mqtt}[sys.argv[1]](sys.argv[2])
print(json.dumps({"text": str(error), "hint": str(error.hint)}), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("protocol", "host"),
    [
        ("https", "localhost"),
        ("https", "127.0.0.1"),
        ("https", "no-such-host.invalid"),
        ("mqtt", "127.0.0.1"),
        ("mqtt", "no-such-host.invalid"),
    ],
)
def test_a_connection_says_when_no_file_may_be_opened(protocol: str, host: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITH_NO_FILE_LEFT, protocol, host], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert "may open no more files" in said["text"]
    assert "ulimit -n" in said["hint"]


@pytest.mark.parametrize(
    ("devices", "said"), [(1, "1 device needs 20 open files"), (2, "2 devices need 20 open files")]
)
def test_one_device_needs_and_several_need(devices: int, said: str) -> None:
    assert str(too_few_files(devices, 20, 10)).startswith(said)
