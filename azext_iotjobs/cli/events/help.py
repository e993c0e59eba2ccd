"""Help of events."""

from azext_iotjobs.cli.output.help_text import command

command(
    "iot hub monitor-events",
    "Show what devices send, as it reaches the hub's built-in endpoint.",
    ("Show what all devices send from now on, until Ctrl-C.", "az iot hub monitor-events -n localhost --timeout 0"),
    (
        "Wait for one event of a device, a minute at most: exit code 7 if none came.",
        "az iot hub monitor-events -n localhost -d pump-1 --message-count 1 --timeout 60",
    ),
    (
        "Show everything about the events of devices whose ids begin alike.",
        "az iot hub monitor-events -n localhost -d 'pump-*' --properties all",
    ),
    (
        "Read values with jq: where stdout is no terminal, each event is one line.",
        "az iot hub monitor-events -n localhost --content-type application/json | jq '.event.payload.temperature'",
    ),
    ("Show bodies alone.", "az iot hub monitor-events -n localhost --query event.payload"),
    (
        "Collect events in a file, begun with those that are there already.",
        "az iot hub monitor-events -n localhost --enqueued-time 0 --output-file events.jsonl --timeout 0",
    ),
    (
        "Read a built-in endpoint by its own connection string, through a proxy.",
        "az iot hub monitor-events --login @endpoint.txt --transport amqp_ws",
    ),
    long="Events are JSON: indented on a terminal, one line each elsewhere and in --output-file; YAML with -o yaml. "
    "Progress and warnings go to stderr. After a lost connection the command goes on behind the last event that it "
    "showed. It needs a policy with ServiceConnect; Microsoft Entra does not open the built-in endpoint. --timeout "
    "counts from the beginning, also while events come.",
)
