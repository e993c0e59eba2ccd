"""The addresses of the event hub, and what stands behind them."""

from azext_iotjobs.localhub.amqp.nodes.base import Direction, Route, Side
from azext_iotjobs.localhub.amqp.nodes.event_reader import open_reader
from azext_iotjobs.localhub.amqp.nodes.management import OPENS

ROUTES = (
    Route(
        side=Side.EVENT_HUB,
        address="/{hub}/ConsumerGroups/{group}/Partitions/{partition}",
        direction=Direction.OUT,
        opens=open_reader,
        purpose="read events",
    ),
    *(
        Route(
            side=Side.EVENT_HUB,
            address=address,
            direction=direction,
            opens=opens,
            purpose="ask about partitions",
        )
        for address in ("/{hub}/$management", "/$management")
        for direction, opens in OPENS.items()
    ),
)
