"""Options of messages, from devices and to them."""

from azure.cli.core.commands.parameters import get_three_state_flag

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, BODY, DEVICE, DEVICE_KEY, HUB, WEBSOCKET, certificate

SEND_D2C: Group = (
    option("messages_to_send", "--msg-count --mc", "How often to send it.", type=int),
    option("model", "--model-id --dtmi", "DTMI of the model that the device announces."),
)


RECEIVE: Group = (
    option("lock_s", "--lock-timeout --lt", "Seconds for which the message is kept from others, 5 to 300.", type=int),
    *(
        option(dest, name, text, arg_type=get_three_state_flag())
        for dest, name, text in (
            ("completes", "--complete", "Complete the message once it is received."),
            ("abandons", "--abandon", "Abandon the message once it is received: it waits again."),
            ("rejects", "--reject", "Reject the message once it is received."),
        )
    ),
)


LOCK_TOKEN: Group = (option("lock_token", "--etag -e", "The etag that `receive` printed."),)


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
