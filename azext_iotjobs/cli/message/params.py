"""Options of messages, from devices and to them."""

from azure.cli.core.commands.parameters import get_three_state_flag

from azext_iotjobs.cli.hub_access.completers import device_ids
from azext_iotjobs.cli.input.message_params import AMQP_TRANSPORT, BODY, C2D_PROPERTIES, WITHOUT_EFFECT
from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, DEVICE, DEVICE_KEY, HUB, WEBSOCKET, certificate

SEND_D2C: Group = (
    option("our_msg_count", "--msg-count --mc", "How many times to send the message.", type=int),
    option("our_model_id", "--model-id --dtmi", "DTMI of the model that the device announces."),
)


RECEIVE: Group = (
    option("our_lock_timeout", "--lock-timeout --lt", "Seconds for which the message is locked, 5 to 300.", type=int),
    *(
        option(dest, name, text, arg_type=get_three_state_flag())
        for dest, name, text in (
            ("our_complete", "--complete", "Complete the message once it is received."),
            ("our_abandon", "--abandon", "Abandon the message once it is received: it returns to the queue."),
            ("our_reject", "--reject", "Reject the message once it is received."),
        )
    ),
)


LOCK_TOKEN: Group = (option("our_etag", "--etag -e", "The etag that `receive` printed."),)


WAIT_FOR_FEEDBACK: Group = (
    extra(
        "our_wait",
        "--wait -w",
        "Wait for the feedback about the message, and show it; needs --ack. With `--ack negative` a message that the "
        "device completes has none.",
        arg_type=get_three_state_flag(),
        default=False,
    ),
    extra(
        "exit_zero",
        "--exit-zero",
        "With --wait, end with exit code 0 even if the device did not complete the message.",
        action="store_true",
    ),
)

FEEDBACK_FILTER: Group = (
    extra(
        "our_device_id",
        "--device-id -d",
        "Only feedback about messages to this device.",
        completer=device_ids,
        id_kind="DEVICE",
    ),
    extra("our_message_id", "--wait-on-msg -w", "End when there is feedback about the message with this id."),
    extra(
        "exit_zero",
        "--exit-zero",
        "With --wait-on-msg, end with exit code 0 even if the device did not complete the message.",
        action="store_true",
    ),
)

SEND: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    BODY,
    SEND_D2C,
    DEVICE_KEY,
    certificate(),
    WEBSOCKET,
)
SEND_C2D: Options = (HUB, AUTH_TYPE, DEVICE, BODY, C2D_PROPERTIES, WAIT_FOR_FEEDBACK, AMQP_TRANSPORT, WITHOUT_EFFECT)
FEEDBACK: Options = (HUB, AUTH_TYPE, FEEDBACK_FILTER, AMQP_TRANSPORT, WITHOUT_EFFECT)
RECEIVE_MESSAGE: Options = (HUB, AUTH_TYPE, DEVICE, RECEIVE)
SETTLE: Options = (HUB, AUTH_TYPE, DEVICE, LOCK_TOKEN)
PURGE: Options = (HUB, AUTH_TYPE, DEVICE)
