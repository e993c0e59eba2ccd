"""AMQP clients that mean harm or are broken, as those of `hostile.py`."""

import contextlib
import random
import ssl
from collections.abc import Iterator

from azext_iotjobs.localhub.amqp.wire.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, encode_frame
from azext_iotjobs.localhub.amqp.wire.message import encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Composite, Detach, Disposition, Open, SaslInit
from tests.helpers.amqp_frames import attach_receiver, attach_sender, begin, flow, put_token, transfer
from tests.helpers.hostile import WEBSOCKET, Attack, Target
from tests.helpers.hub_process import sas
from tests.helpers.websocket_wire import masked_frame

OPENED = AMQP_HEADER.encoded() + encode_frame(0, Open("hostile", "localhost"))
EVENTS = "/devices/bad/messages/events"


@contextlib.contextmanager
def opened(target: Target, *, sessions: int = 1) -> Iterator[ssl.SSLSocket]:
    """A connection that is open, with sessions on the first channels; closed without a farewell."""
    with target.tls("amqpPort") as sock:
        sock.settimeout(10)
        sock.sendall(OPENED + b"".join(encode_frame(channel, begin()) for channel in range(sessions)))
        yield sock


def frame(performative: Composite, payload: bytes = b"", channel: int = 0) -> bytes:
    return encode_frame(channel, performative, payload)


def token_message(token: str, number: int = 0) -> bytes:
    """A request that puts a token."""
    return encode_message(put_token(token, message_id=str(number)))


def garbage(target: Target, chance: random.Random) -> None:
    with target.tls("amqpPort") as sock:
        sock.sendall(chance.choice([b"", AMQP_HEADER.encoded(), SASL_HEADER.encoded(), OPENED]) + chance.randbytes(500))
        sock.recv(4096)


def half_a_handshake(target: Target, chance: random.Random) -> None:
    plain = target.tcp("amqpPort")
    sock = target.context.wrap_socket(plain, server_hostname="localhost")
    target.held.append(sock)
    init = encode_frame(0, SaslInit("PLAIN", chance.randbytes(60)), kind=SASL_FRAME)
    whole = SASL_HEADER.encoded() + init + OPENED
    sock.sendall(whole[: chance.randrange(len(whole))])


def wrong_credentials(target: Target, chance: random.Random) -> None:
    with target.tls("amqpPort") as sock:
        response = b"\0bad@sas.localhost\0" + chance.randbytes(20)
        sock.sendall(SASL_HEADER.encoded() + encode_frame(0, SaslInit("PLAIN", response), kind=SASL_FRAME))
        sock.recv(4096)


def promised_frame(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        sock.sendall(chance.choice([65_536, 65_537, 1 << 31]).to_bytes(4, "big") + b"\x02\0\0\0")
        for _ in range(20):
            sock.sendall(chance.randbytes(100))


def many_sessions(target: Target, _chance: random.Random) -> None:
    with opened(target, sessions=300) as sock:
        sock.recv(4096)


def many_links(target: Target, chance: random.Random) -> None:
    with opened(target, sessions=12) as sock:
        for channel in range(12):
            attaches = (
                chance.choice([attach_sender, attach_receiver])(chance.choice(["$cbs", "nowhere", EVENTS]), handle)
                for handle in range(250)
            )
            sock.sendall(b"".join(frame(each, channel=channel) for each in attaches))


def endless_message(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        for handle in range(40):
            sock.sendall(frame(attach_sender("$cbs", handle)))
        for handle in range(40):
            sock.sendall(frame(transfer(handle, handle=handle, more=True)))
            for _ in range(5):
                sock.sendall(frame(transfer(None, handle=handle, more=True), chance.randbytes(60_000)))


def unread_answers(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        sock.sendall(frame(attach_sender("$cbs", 0)) + frame(attach_receiver("$cbs", 1)))
        echo = frame(flow(handle=1, delivery_count=0, link_credit=1 << 31, echo=True))
        for _ in range(100):
            sock.sendall(echo * 200)


def replies_without_credit(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        sock.sendall(frame(attach_sender("$cbs", 0)) + frame(attach_receiver("$cbs", 1)))
        for number in range(300):
            sock.sendall(frame(transfer(number), token_message("no token", number)))


def wide_ranges(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        sock.sendall(frame(attach_sender("$cbs", 0)))
        for _ in range(500):
            first = chance.randrange(1 << 32)
            wide = Disposition(chance.random() < 0.5, first, (first + (1 << 31) - 1) % (1 << 32), True, Accepted())
            sock.sendall(frame(wide))


def closed_window(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        sock.sendall(frame(attach_sender("$cbs", 0)) + frame(attach_receiver("$cbs", 1)))
        sock.sendall(frame(flow(incoming_window=0, handle=1, delivery_count=0, link_credit=(1 << 32) - 1)))
        for number in range(50):
            sock.sendall(frame(transfer(number), token_message("no token", number)))


def attach_and_detach(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        for _ in range(50):
            sock.sendall((frame(attach_sender("$cbs")) + frame(Detach(0, closed=True))) * 20)


def device_that_floods(target: Target, chance: random.Random) -> None:
    with opened(target) as sock:
        token = sas(target.key, f"localhost/devices/{target.device}")
        sock.sendall(frame(attach_sender("$cbs", 0)) + frame(transfer(0), token_message(token)))
        sock.sendall(frame(attach_sender(EVENTS, 1)) + frame(attach_receiver("/devices/bad/twin", 2)))
        for number in range(1, 1500):
            sock.sendall(frame(transfer(number, handle=1), chance.choice([b"no message", b"\0\x53\x75\xa0\x01x"])))


def over_websocket(target: Target, chance: random.Random) -> None:
    with target.tls("httpsPort") as sock:
        sock.sendall(target.head("GET", "/$servicebus/websocket", *WEBSOCKET, "Sec-WebSocket-Protocol: AMQPWSB10"))
        for data in (OPENED, frame(begin()), frame(attach_sender("$cbs")), chance.randbytes(300)):
            sock.sendall(masked_frame(data))
        sock.recv(4096)


AMQP_ATTACKS: tuple[Attack, ...] = (
    garbage,
    half_a_handshake,
    wrong_credentials,
    promised_frame,
    many_sessions,
    many_links,
    endless_message,
    unread_answers,
    replies_without_credit,
    wide_ranges,
    closed_window,
    attach_and_detach,
    device_that_floods,
    over_websocket,
)
