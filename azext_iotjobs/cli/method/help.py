"""Help of direct methods."""

from azext_iotjobs.cli.output.help_text import command

MANY_CALLS = (
    "With --device-ids, --devices-file or --query-condition the result is a list with a row for each device; a short "
    "row of each is printed on stderr when it has answered. A call that may have reached its device is never repeated; "
    "throttling is waited out.\nAfter Ctrl-C no further device is called, and the result is the rows so far; a second "
    "Ctrl-C ends the command at once.\nExit codes: 0 all succeeded, 4 some or all failed or were not called, 7 some "
    "are still verifying, 8 no device matched the condition."
)

command(
    "iot hub invoke-device-method",
    "Call a direct method on one device or on many, and print what they answer.",
    (
        "Call a method with a payload.",
        "az iot hub invoke-device-method -n localhost --device-id pump-1 --method-name reboot "
        "--method-payload '{\"delay\": 5}'",
    ),
    (
        "The same payload as a pair, which needs no quotes in any shell.",
        "az iot hub invoke-device-method -n localhost -d pump-1 --method-name reboot --method-payload delay=5",
    ),
    (
        "Call a method without a payload.",
        "az iot hub invoke-device-method -n localhost -d pump-1 --mn reboot --mp null",
    ),
    (
        "Call the devices of a site, 50 at a time, and group equal answers.",
        "az iot hub invoke-device-method -n localhost --query-condition \"tags.site = 'north'\" --method-name version "
        "--concurrency 50 --group-output",
    ),
    (
        "Call the devices in a file, except one, at most 20 a second, and write a row for each to a new file.",
        "az iot hub invoke-device-method -n localhost --devices-file pumps.csv --exclude pump-9 --method-name reboot "
        "--rate 20 --output-file reboot.csv",
    ),
    (
        "Update two devices, and wait until they report the new version.",
        "az iot hub invoke-device-method -n localhost --device-ids pump-1,pump-2 --method-name update "
        "--method-payload version=2.0.1 --verify \"properties.reported.firmware.version = '2.0.1'\" "
        "--verify-failed \"properties.reported.firmware.status = 'failed'\"",
    ),
    (
        "Show which devices would be called; refuse more than 100.",
        "az iot hub invoke-device-method -n localhost --query-condition \"tags.site = 'north'\" --method-name reboot "
        "--max-devices 100 --dry-run",
    ),
    long=MANY_CALLS,
)

command(
    "iot hub invoke-module-method",
    "Call a direct method on one module or on many, and print what they answer.",
    (
        "Call a method of a module.",
        "az iot hub invoke-module-method -n localhost --device-id edge-1 --module-id filter --method-name restart",
    ),
    (
        "Call the module of that name on each device of a site.",
        "az iot hub invoke-module-method -n localhost -m filter --query-condition \"tags.site = 'north'\" --mn restart",
    ),
    (
        "Call every module that a condition on modules selects.",
        "az iot hub invoke-module-method -n localhost --mn ping "
        '--query-condition "FROM devices.modules WHERE properties.reported.slow = true"',
    ),
    long=MANY_CALLS,
)
