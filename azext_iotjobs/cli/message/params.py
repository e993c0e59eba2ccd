"""Options of messages, from devices and to them."""

from azure.cli.core.commands.parameters import get_three_state_flag

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, BODY, DEVICE, DEVICE_KEY, HUB, WEBSOCKET, certificate

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
RECEIVE_MESSAGE: Options = (HUB, AUTH_TYPE, DEVICE, RECEIVE)
SETTLE: Options = (HUB, AUTH_TYPE, DEVICE, LOCK_TOKEN)
PURGE: Options = (HUB, AUTH_TYPE, DEVICE)
