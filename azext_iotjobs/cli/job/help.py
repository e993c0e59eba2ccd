"""Help of jobs."""

from azext_iotjobs.cli.output.help_text import command, group
from azext_iotjobs.cli.output.result_columns import JOB_DETAILS

VERIFICATION = (
    "With --verify a device counts as completed when its twin meets the condition once the job has ended, and as "
    "failed when it does not in time. The result has a member verification, with the counts and a row for each "
    "device; with --output-file the rows are in the file."
)

group(
    "iot hub job",
    "Manage IoT Hub jobs: one twin update or direct method on many devices, run by the hub.",
    "A job is one job that the hub runs. A fleet job (az iot hub fleet-job) is many of them, or calls to each device, "
    "in batches, with thresholds, retries and results, run by this tool.",
)

command(
    "iot hub job create",
    "Create a job that calls a method or updates the twin of each selected device.",
    (
        "Call a method without a payload on two devices.",
        "az iot hub job create -n localhost --job-id reboot-1 --job-type scheduleDeviceMethod --method-name reboot "
        "--query-condition \"deviceId IN ['pump-1','pump-2']\"",
    ),
    (
        "Set a desired property on every device that has a tag, and wait for the job's end.",
        "az iot hub job create -n localhost --job-id building-45 --job-type scheduleUpdateTwin "
        '--twin-patch \'{"properties":{"desired":{"BuildingNo":45}}}\' '
        "--query-condition \"tags.site = 'north'\" --wait",
    ),
    (
        "Wait for a free slot on a small hub; exit code 4 when a device fails or answers with 500 or more.",
        "az iot hub job create -n localhost --job-id reboot-2 --job-type scheduleDeviceMethod --method-name reboot "
        "--query-condition \"tags.site = 'north'\" --queue --wait --success-status 200-499",
    ),
    (
        "Reboot the devices in a file, except one; --dry-run shows first what would be done.",
        "az iot hub job create -n localhost --job-id reboot-3 --job-type scheduleDeviceMethod --method-name reboot "
        "--devices-file devices.csv --exclude pump-7 --max-devices 500 --dry-run",
    ),
    (
        "Start later, on all devices, with the payload from a file.",
        "az iot hub job create -n localhost --job-id night-7 --job-type scheduleDeviceMethod --method-name update "
        "--method-payload @payload.json --query-condition '*' --start-time 2026-12-01T02:00:00Z",
    ),
    long=VERIFICATION,
)

command(
    "iot hub job wait",
    "Wait for a job's end, and print it.",
    ("Wait for five minutes at most.", "az iot hub job wait -n localhost --job-id reboot-1 --poll-duration 300"),
    (
        "Wait, and write what became of the devices as test results and as a page.",
        "az iot hub job wait -n localhost --job-id reboot-1 --report reboot-1.xml --report reboot-1.html",
    ),
    ("Wait until the job's own deadline.", "az iot hub job wait -n localhost --job-id reboot-1 --poll-duration 0"),
    (
        "Wait for the job's end, and then until its devices report the new version; a row for each goes to a new file.",
        "az iot hub job wait -n localhost --job-id fw-7 --verify \"properties.reported.firmware.version = '2.0.1'\" "
        "--output-file fw-7.csv",
    ),
    long="Ctrl-C ends the waiting; the job continues.\n"
    f"{VERIFICATION}\n"
    "Exit codes: 0 all devices succeeded, 4 some or all failed, 5 the job failed or was cancelled, 7 it is still "
    "running, or devices are still verifying, 8 no device matched.",
)

command(
    "iot hub job results",
    "Show what a job did to each of its devices.",
    (
        "The devices that failed, and why, as a table.",
        "az iot hub job results -n localhost --job-id reboot-1 --status failed "
        "--columns deviceId,errorClass,errorText -o table",
    ),
    (
        "All rows in a file for a spreadsheet; the same command resumes a file that is unfinished.",
        "az iot hub job results -n localhost --job-id reboot-1 --output-file reboot-1.csv",
    ),
    (
        "Devices that answered with 500 or more, as JSON lines.",
        "az iot hub job results -n localhost --job-id reboot-1 --error-class rejected --success-status 200-499 "
        "--output-file - --format jsonl",
    ),
    (
        "Beside each device's status a tag, the firmware that it reports now, and whether it is connected.",
        "az iot hub job results -n localhost --job-id reboot-1 "
        "--columns deviceId,status,tags.site,properties.reported.fw,connectionState -o table",
    ),
    long="Rows have the columns deviceId, moduleId, status, errorClass, errorCode, errorText, methodStatus, payload, "
    f"started, finished, durationSeconds and deleted. --job-details adds {', '.join(JOB_DETAILS)}.\n"
    "Cells of a CSV file that a spreadsheet would run as a formula begin with an apostrophe.",
)

command(
    "iot hub job report",
    "Write a report of what a job did to its devices: JUnit XML, Markdown or one HTML page.",
    (
        "A page for people: totals, failures by class, and all results to filter and sort.",
        "az iot hub job report -n localhost --job-id reboot-1 --output-file reboot-1.html",
    ),
    (
        "A pipeline's test results: a test case for each device.",
        "az iot hub job report -n localhost --job-id reboot-1 --output-file reboot-1.xml",
    ),
    (
        "The summary of a step in GitHub Actions.",
        'az iot hub job report -n localhost --job-id reboot-1 | tee -a "$GITHUB_STEP_SUMMARY"',
    ),
    long="A device that failed is a failure, with its error class as type; one that has not ended is skipped. The page "
    "needs no network and may be opened from a file. What devices sent is escaped in all formats, and cut where it is "
    "very long; `job results` has all of it.",
)

command(
    "iot hub job rerun",
    "Run a job again on the devices that failed, or on others of its devices.",
    ("On the devices that failed, and wait.", "az iot hub job rerun -n localhost --job-id reboot-1 --wait"),
    (
        "Only on those that were offline or did not answer; --dry-run shows which they are.",
        "az iot hub job rerun -n localhost --job-id reboot-1 --on offline,timeout --dry-run",
    ),
    (
        "On the failed devices of an edited results file, under an id of your own.",
        "az iot hub job rerun -n localhost --job-id reboot-1 --from-results reboot-1.csv --new-job-id reboot-1-again",
    ),
    long="The job must have ended. The result has the parent's id, the number of devices, and the new jobs: several, "
    "one after the other, when the devices' ids are too long for one condition.\nMore than 100 devices of a hub that "
    "is not local have to be confirmed, or --yes given. Exit code 8: there is no device to run on.",
)

command(
    "iot hub job copy",
    "Create the same job under a new id, with changes.",
    ("Run the same job on the same devices, now.", "az iot hub job copy -n localhost --job-id building-45"),
    (
        "The same twin update on other devices, tonight.",
        "az iot hub job copy -n localhost --job-id building-45 --new-job-id building-45-south "
        "--query-condition \"tags.site = 'south'\" --start-time 2026-12-01T02:00:00Z",
    ),
    long="What is not given stays as it was, except for the start: without --start-time, the job starts now.",
)

command(
    "iot hub job show",
    "Show a job: its status, what it does and how many devices succeeded and failed.",
    ("Show a job's counts.", "az iot hub job show -n localhost --job-id reboot-1 --query deviceJobStatistics"),
    (
        "Count why devices failed, and what they answered.",
        "az iot hub job show -n localhost --job-id reboot-1 --summary --query summary",
    ),
)

command(
    "iot hub job list",
    "List the jobs of the last 30 days, import and export jobs included.",
    ("List what is running.", "az iot hub job list -n localhost --job-status running -o table"),
)

command(
    "iot hub job cancel",
    "Cancel a job that has not begun.",
    ("Cancel a scheduled job.", "az iot hub job cancel -n localhost --job-id night-7"),
    long="The hub refuses to cancel a job that is running or has ended.",
)
