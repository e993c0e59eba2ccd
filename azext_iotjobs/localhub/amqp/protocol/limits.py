"""What one AMQP connection may use: what is offered to clients, and what they may not exceed.

What the service offers is not published: these are values that its SDKs work with. Azure's .NET SDK multiplexes devices
over one connection, with a session and up to seven links for each.
"""

MAX_FRAME_BYTES = 64 * 1024  # of one frame, in either direction
CHANNEL_MAX = 255  # sessions are numbered from 0
HANDLE_MAX = 255  # links of a session are numbered from 0
MAX_LINKS = 2048  # of one connection
IDLE_TIMEOUT_S = 120.0  # offered; a client is dropped after twice this
MIN_IDLE_TIMEOUT_S = 1.0  # that a client may ask for: heartbeats are sent twice as often
OPEN_LIMIT_S = 30.0  # from the connection's begin to its Open
INCOMING_WINDOW = 2048  # frames of one session; they are processed at once, so it is renewed when half of it is used
OUTGOING_WINDOW = 2048
CREDIT = 1000  # deliveries of one link that a client may send
MAX_MESSAGE_BYTES = (256 + 64) * 1024  # a message of a device [IoT Hub quotas], and its properties
MAX_UNFINISHED_BYTES = 4 * 1024 * 1024  # of all messages of a connection whose last part has not arrived
MAX_UNSETTLED = 4096  # deliveries of a session to the client that it has not settled
MAX_TAG_BYTES = 32  # AMQP 2.8.7
MAX_OUTPUT_BYTES = 256 * 1024  # waiting to be written, before links have no more credit
