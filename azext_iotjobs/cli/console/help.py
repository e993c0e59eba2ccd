"""Help of the console."""

from azext_iotjobs.cli.output.help_text import command

command(
    "iot hub console",
    "Watch and steer a hub's jobs and devices in a browser on this machine.",
    ("Open the console of a local hub.", "az iot hub console -n localhost --open"),
    ("Open one that changes nothing.", "az iot hub console -n localhost --read-only"),
    ("Show the fleet jobs of all hubs, at any free port.", "az iot hub console --port 0"),
    long="Prints the address, with a token that signs one browser in, and serves the pages until Ctrl-C. They show "
    "fleet jobs, the hub's jobs and devices, and simulations live, and each button says the command that does the "
    "same. Only this machine reaches them. Runs that are started here go on when the console ends.",
)
