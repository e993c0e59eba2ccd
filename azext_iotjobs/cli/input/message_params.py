"""Options of messages that several command groups have: their bodies, their properties, how AMQP is spoken."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, extra, option

# A message's body and properties.
BODY: Group = (
    option("our_data", "--data --da", "The message's body, as text."),
    option(
        "our_data_file_path",
        "--data-file-path --dfp",
        "File whose content is the message's body; it takes precedence over --data.",
    ),
    option("our_properties", "--properties --props -p", "Properties of the message: `key=value;key=value`."),
)


# The properties of a message to a device: the fields of C2dOptions.
C2D_PROPERTIES: Group = (
    extra("our_message_id", "--message-id --mid", "The message's id. Default: a new one."),
    extra("our_correlation_id", "--correlation-id --cid", "Its correlation id."),
    extra("our_user_id", "--user-id --uid", "Id of the sender."),
    extra("our_content_type", "--content-type --ct", "Media type of its body."),
    extra("our_content_encoding", "--content-encoding --ce", "Encoding of its body.", default="utf-8"),
    extra(
        "our_expiry_time_utc",
        "--expiry-time-utc --expiry",
        "When it expires, within two days: an ISO 8601 instant, or milliseconds since 1970. Default: in an hour.",
    ),
    extra(
        "our_ack",
        "--ack",
        "Which outcomes its sender gets feedback about.",
        arg_type=get_enum_type(["positive", "negative", "full"]),
    ),
)


# How services reach a hub by AMQP.
AMQP_TRANSPORT: Group = (
    extra(
        "our_transport",
        "--transport --tr",
        "`amqp`: port 5671. `amqp_ws`: AMQP over WebSocket, through port 443. Default: amqp; amqp_ws where HTTPS_PROXY "
        "or ALL_PROXY names a proxy for this host.",
        arg_type=get_enum_type(["amqp", "amqp_ws"]),
    ),
)


# What the reference accepts, and no longer heeds.
WITHOUT_EFFECT: Group = (
    extra(
        "our_repair",
        "--repair -r",
        "Without effect: nothing is installed when a command runs.",
        arg_type=get_three_state_flag(),
        default=False,
        is_deprecated=True,
    ),
    extra(
        "our_yes",
        "--yes -y",
        "Without effect: nothing is asked.",
        arg_type=get_three_state_flag(),
        default=False,
    ),
)
