"""Help of the commands that show fleet jobs, their runs and their results."""

from azext_iotjobs.cli.fleet_job.help import NO_HUB
from azext_iotjobs.cli.output.help_text import command
from azext_iotjobs.cli.output.result_columns import RUN_DETAILS

command(
    "iot hub fleet-job show",
    "Show a fleet job: what it does, and its last run with batches and counts.",
    ("Show its counts.", "az iot hub fleet-job show -j fw-7 --query lastRun.progress"),
    ("Show its first run, and the fleet job as it was then.", "az iot hub fleet-job show -j fw-7 --run 1"),
    long=NO_HUB,
)
command(
    "iot hub fleet-job list",
    "List fleet jobs, the newest first.",
    ("What ran in the last 30 days.", "az iot hub fleet-job list --since 30d -o table"),
    ("What is running on one hub.", "az iot hub fleet-job list -n localhost --state running"),
    ("What is saved and has not run.", "az iot hub fleet-job list --saved"),
    ("Those of ring 2 that mention the south.", "az iot hub fleet-job list --labels ring=2 --contains south"),
    long="No hub needs to be given; one that is given selects its own fleet jobs.",
)
command(
    "iot hub fleet-job list-runs",
    "List the runs of a fleet job, the last first, with start, end, duration and counts.",
    ("List its runs.", "az iot hub fleet-job list-runs -j fw-7 -o table"),
    long=NO_HUB,
)
command(
    "iot hub fleet-job results",
    "Show what a run did to each of its devices.",
    (
        "The devices that failed, and why, as a table.",
        "az iot hub fleet-job results -j fw-7 --status failed --columns deviceId,errorClass,methodStatus,errorText "
        "-o table",
    ),
    ("All rows, in a file for a spreadsheet.", "az iot hub fleet-job results -j fw-7 --output-file fw-7.csv"),
    (
        "Those that were not reached, and those that are uncertain.",
        "az iot hub fleet-job results -j fw-7 --status failed,uncertain --error-class offline,timeout",
    ),
    ("One device in the first run.", "az iot hub fleet-job results -j fw-7 --run 1 --device-id pump-1"),
    (
        "Who waits to connect, since when and until when.",
        "az iot hub fleet-job results -j reboot-8 --status waiting --columns deviceId,offlineSince,waitsUntil -o table",
    ),
    (
        "What devices reported that were not verified.",
        "az iot hub fleet-job results -j fw-8 --error-class not-verified --columns deviceId,errorCode,reported "
        "-o table",
    ),
    (
        "Beside each device's status its display name, a tag and the firmware that it reports now.",
        "az iot hub fleet-job results -j fw-7 --columns deviceId,displayName,status,tags.site,properties.reported.fw "
        "-o table",
    ),
    (
        "A file in which each row says which run of which fleet job it is of, too.",
        "az iot hub fleet-job results -j fw-7 --job-details --output-file fw-7.csv",
    ),
    long="A device is pending, in progress, verifying, waiting, completed, failed or uncertain: whether it was "
    "operated cannot be known.\nRows have the columns of `job results`, batch and tries; with --verify also verified "
    "and reported; with --when-online offlineSince and waitsUntil; with --check-registry deleted. --job-details adds "
    f"{', '.join(RUN_DETAILS)}.",
)
command(
    "iot hub fleet-job report",
    "Write a report of a run: JUnit XML, Markdown or one HTML page.",
    (
        "A page for people: totals, batches, failures by class, and all results to filter and sort.",
        "az iot hub fleet-job report -j fw-7 --output-file fw-7.html",
    ),
    (
        "A pipeline's test results: a suite for each batch, a test case for each device.",
        "az iot hub fleet-job report -j fw-7 --output-file fw-7.xml",
    ),
    (
        "The summary of a step in GitHub Actions.",
        'az iot hub fleet-job report -j fw-7 | tee -a "$GITHUB_STEP_SUMMARY"',
    ),
    (
        "The first run, in place of an older report.",
        "az iot hub fleet-job report -j fw-7 --run 1 --output-file fw-7.html --overwrite",
    ),
    long="A device that failed is a failure, with its error class as type; an uncertain one is an error; one that has "
    "not ended is skipped. The page needs no network and may be opened from a file. What devices sent is escaped in "
    f"all formats, and cut where it is very long; `fleet-job results` has all of it. {NO_HUB}",
)
