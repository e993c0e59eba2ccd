"""Help of queries."""

from azext_iotjobs.cli.output.help_text import command

command(
    "iot hub query",
    "Run a query over device twins or over what jobs did to each device.",
    ("Query twins.", "az iot hub query -n localhost -q \"SELECT deviceId FROM devices WHERE tags.site = 'north'\""),
    (
        "See a job's devices.",
        "az iot hub query -n localhost -q \"SELECT * FROM devices.jobs WHERE jobId = 'reboot-1'\"",
    ),
)
