"""Every MQTT packet there can be, for generated tests."""

from hypothesis import strategies as st

from azext_iotjobs.localhub.mqtt import packets
from azext_iotjobs.localhub.mqtt.packets import Packet

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
TOPIC = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=12)
IDS = st.integers(1, 0xFFFF)
FILTERS = st.sampled_from(["a", "a/b", "#", "a/#", "+", "+/b/#", "$iothub/methods/POST/#"])
WILLS = st.builds(packets.Will, TOPIC, st.binary(max_size=8), st.integers(0, 2), st.booleans())
PUBLISHES = st.one_of(
    st.builds(packets.Publish, TOPIC, st.binary(max_size=40), st.just(0), st.booleans(), st.just(False), st.none()),
    st.builds(packets.Publish, TOPIC, st.binary(max_size=40), st.integers(1, 2), st.booleans(), st.booleans(), IDS),
)
PACKETS: st.SearchStrategy[Packet] = st.one_of(
    st.builds(
        packets.Connect,
        client_id=TEXT,
        clean_session=st.booleans(),
        keep_alive_s=st.integers(0, 0xFFFF),
        username=TEXT,
        password=st.one_of(st.none(), st.binary(max_size=12)),
        will=st.one_of(st.none(), WILLS),
    ),
    st.builds(packets.Connack, st.just(False), st.integers(0, 5)),
    st.just(packets.Connack(True, 0)),
    PUBLISHES,
    st.builds(packets.Puback, IDS),
    st.builds(packets.Pubrec, IDS),
    st.builds(packets.Pubrel, IDS),
    st.builds(packets.Pubcomp, IDS),
    st.builds(packets.Unsuback, IDS),
    st.builds(packets.Subscribe, IDS, st.lists(st.tuples(FILTERS, st.integers(0, 2)), min_size=1).map(tuple)),
    st.builds(packets.Suback, IDS, st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1).map(tuple)),
    st.builds(packets.Unsubscribe, IDS, st.lists(FILTERS, min_size=1).map(tuple)),
    st.sampled_from([packets.Pingreq(), packets.Pingresp(), packets.Disconnect()]),
)
