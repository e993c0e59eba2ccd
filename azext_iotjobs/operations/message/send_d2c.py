"""Send messages as a device, over MQTT, until the hub has acknowledged each of them.

The device's own session with the hub does not change: nothing is subscribed to, and messages that wait for the device
are left for it.
"""

import random
from dataclasses import field

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.device_topics import reason_against
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, IotJobsError, LinkLost
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.simulator import topics
from azext_iotjobs.simulator.events import SendTelemetry
from azext_iotjobs.transport import mqtt_events as wire
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.device_login import DeviceCredential, login_of, refusal
from azext_iotjobs.transport.mqtt import MqttProtocol, MqttTransport
from azext_iotjobs.transport.mqtt_events import DeviceLinks
from azext_iotjobs.transport.retry import AfterRefusal

MAX_MESSAGE_BYTES = 256 * 1024  # IoT Hub "quotas and throttling": device-to-cloud messages
MAX_UNACKNOWLEDGED = 50  # messages
LONGEST_SILENCE_S = 30.0  # without an acknowledgement, while some are missing
LONGEST_TURN_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Sender:
    """The device that sends."""

    device_id: str
    credential: DeviceCredential = field(repr=False)
    model_id: str | None = None  # the DTMI that it announces


def check(device_id: str, message: DeviceMessage) -> None:
    """Raise BadValue for a device that cannot speak MQTT, and for a message that is too large."""
    if (reason := reason_against(device_id)) is not None:
        raise BadValue(
            reason, hint=Text("Over HTTPS: ", command("iot device simulate", protocol="http", device_id=device_id))
        )
    if len(message.body) > MAX_MESSAGE_BYTES:
        raise BadValue(f"The message has {len(message.body)} bytes; a hub takes {MAX_MESSAGE_BYTES}.")


def send(
    target: HubTarget,
    sender: Sender,
    message: DeviceMessage,
    count: int,
    clock: Clock,
    way: MqttProtocol = MqttProtocol.TLS,
) -> None:
    """Send `message` `count` times, until the hub has acknowledged all.

    way: over TLS or through the HTTPS port.
    Raises BadValue for a message that is too large and for a certificate that cannot be used, Unauthorized, LinkError.
    """
    check(sender.device_id, message)
    links = MqttTransport(target, clock, way, takes_messages=False)
    try:
        send_over(links, target, sender, message, count, clock)
    finally:
        links.close()


def send_over(
    links: DeviceLinks, target: HubTarget, sender: Sender, message: DeviceMessage, count: int, clock: Clock
) -> None:
    """Send over `links`, which stay open. For the arguments and errors see `send`."""
    sending = _Sending(links, target, sender, message, count, clock)
    while not sending.is_over:
        for event in links.receive(min(LONGEST_TURN_S, sending.wait_s())):
            sending.on(event)
        sending.run_due()


class _Sending:
    def __init__(
        self, links: DeviceLinks, target: HubTarget, sender: Sender, message: DeviceMessage, count: int, clock: Clock
    ) -> None:
        self._links = links
        self._target = target.for_devices
        self._sender = sender
        self._topic, self._body = topics.render_telemetry(
            sender.device_id, SendTelemetry(properties=message.properties, body=message.body)
        )
        self._count = count
        self._clock = clock
        self._sent_count = self._acknowledged_count = 0
        self._unacknowledged: set[int] = set()
        self._is_connected = False
        self._connect_at: float | None = clock.monotonic()  # None: it is connected or connecting
        self._tries = self._refusals = 0  # in a row, since the last acknowledgement
        self._was_connected = False
        self._last_response_at = clock.monotonic()

    @property
    def is_over(self) -> bool:
        return self._acknowledged_count == self._count

    def wait_s(self) -> float:
        return LONGEST_TURN_S if self._connect_at is None else max(0.0, self._connect_at - self._clock.monotonic())

    def on(self, event: wire.Event) -> None:
        """An event of the connection. Raises when further tries are useless."""
        match event:
            case wire.Connected():
                self._is_connected = self._was_connected = True
                self._refusals = 0
                self._last_response_at = self._clock.monotonic()
            case wire.Acknowledged(number=number) if number in self._unacknowledged:
                self._unacknowledged.remove(number)
                self._acknowledged_count += 1
                self._tries = 0
                self._last_response_at = self._clock.monotonic()
            case wire.Lost():
                self._retry(
                    LinkLost(
                        f"{self._target.host} ends the connections of {self._sender.device_id}: {self._progress()}.",
                        hint="Another client may be signed in as this device, or the hub does not accept the message.",
                    )
                )
            case wire.Failed(error=error):
                self._retry(error)
            case wire.Refused(code=code):
                self._refused(code)

    def run_due(self) -> None:
        """Connect if it is time to, and send what may be sent now."""
        now = self._clock.monotonic()
        if self._connect_at is not None and self._connect_at <= now:
            self._connect_at = None
            sender = self._sender
            login, _ = login_of(sender.device_id, sender.credential, sender.model_id, self._target, self._clock.now())
            self._links.connect(sender.device_id, login)
        if not self._is_connected:
            return
        while self._sent_count < self._count and len(self._unacknowledged) < MAX_UNACKNOWLEDGED:
            number = self._links.publish(self._sender.device_id, self._topic, self._body, qos=1)
            if number is None:
                break
            self._sent_count += 1
            self._unacknowledged.add(number)
        if now - self._last_response_at > LONGEST_SILENCE_S:
            raise AnswerTooLate(
                f"{self._target.host} has acknowledged nothing for {LONGEST_SILENCE_S:.0f} s: {self._progress()}.",
                waited_s=LONGEST_SILENCE_S,
                hint="Those that were sent may have arrived.",
            )

    def _refused(self, code: int) -> None:
        self._refusals += 1
        match retry.after_refusal(code, refusals=self._refusals, was_in=self._was_connected):
            case AfterRefusal.BACK_OFF:
                self._retry(
                    LinkLost(f"{self._target.host} is busy and accepts no connection: {self._progress()}."),
                    pause_s=retry.busy_pause(tries=self._tries + 1, chance=random.random()),
                )
            case AfterRefusal.TRY_AGAIN:
                self._retry(refusal(self._sender.device_id))
            case AfterRefusal.GIVE_UP:
                raise refusal(self._sender.device_id)

    def _retry(self, error: IotJobsError, pause_s: float | None = None) -> None:
        """Connect again after a pause, or raise `error` after too many tries."""
        self._is_connected = False
        self._tries += 1
        if self._tries >= retry.FIRST_TRIES:
            raise error
        if pause_s is None:
            pause_s = retry.reconnect_pause(tries=self._tries, chance=random.random())
        self._connect_at = self._clock.monotonic() + pause_s

    def _progress(self) -> str:
        return f"{self._acknowledged_count} of {self._count} acknowledged"
