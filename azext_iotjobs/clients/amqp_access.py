"""What is refused over AMQP, with the advice that refusals of HTTP have: an address is in place of verb and path."""

from collections.abc import Iterator
from contextlib import contextmanager

from azext_iotjobs.clients.access_advice import not_let_in
from azext_iotjobs.model.amqp import AmqpEndpoint
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.entra import ServiceCredential
from azext_iotjobs.model.errors import Unauthorized
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text
from azext_iotjobs.transport.http import SentRequest

EVENTS = "/messages/events"
CLOCK = ". Is this machine's clock right?"  # AMQP does not say what the hub's says


@contextmanager
def advised(address: str, credential: ServiceCredential, clock: Clock, hub: AmqpEndpoint | None) -> Iterator[None]:
    """Within it, Unauthorized says what would let the credential in.

    address: of the link that is wanted.  credential: what was signed in with.  clock: by which its tokens end.
    hub: where; None: at an endpoint that does not say which hub's it is.
    """
    try:
        yield
    except Unauthorized as err:
        name = "" if hub is None else HubTarget(host=hub.host, https_port=hub.https_port).authority
        advice = not_let_in(SentRequest("AMQP", address, credential, answered_at=clock.now(), hub=name), None)
        err.args = (Text(err.message, advice.fact_beside(str(err.message))),)
        err.hint = Text(advice.hint or "", CLOCK)
        raise
