"""Help of schedules."""

from azext_iotjobs.cli.output.help_text import command, group

NOTHING_BY_ITSELF = (
    "Nothing starts by itself: `run-due`, called every few minutes by systemd, cron or a pipeline, starts what is due, "
    "and `export` writes what calls it."
)
CODES = (
    "Exit codes: 0 nothing was due, or all went well; 10 an occurrence was missed or skipped; else that of the run, as "
    "`fleet-job run` has it; 5 also when a run could not be started."
)
ONCE = (
    "Each occurrence runs once, also where several processes, or machines with the same fleet job on the same hub, "
    "call this."
)

group(
    "iot hub fleet-job schedule",
    "Manage schedules: when the runs of fleet jobs start.",
    f"A fleet job has one schedule at most; each run selects its devices anew. {NOTHING_BY_ITSELF}",
)

command(
    "iot hub fleet-job schedule set",
    "Set when the runs of a fleet job start, in place of the schedule that it had.",
    (
        "Every Monday and Thursday at half past two in Berlin, for at most an hour and a half a night.",
        "az iot hub fleet-job schedule set -j fw-7 --weekly mon,thu --at 02:30 --time-zone Europe/Berlin "
        "--window 02:30-04:00",
    ),
    ("Once.", "az iot hub fleet-job schedule set -j fw-7 --once 2027-12-01T02:00 --time-zone Europe/Berlin"),
    (
        "On the first and the last day of each month, twelve times.",
        "az iot hub fleet-job schedule set -j fw-7 --monthly 1,last --at 03:00 --time-zone UTC --times 12",
    ),
    (
        "On working days as cron says it; what was missed is caught up one by one, for two days.",
        "az iot hub fleet-job schedule set -j fw-7 --cron '30 2 * * 1-5' --time-zone America/New_York --missed all "
        "--catch-up 48h",
    ),
    long="Times are those that clocks show in --time-zone, also when they change. The result has the next five, in the "
    "zone and in UTC. What was due by the schedule before, and had not started, is recorded as missed.\n"
    f"{NOTHING_BY_ITSELF}",
)
command(
    "iot hub fleet-job schedule show",
    "Show the schedule of a fleet job, with its next occurrences in its time zone and in UTC.",
    ("Show it.", "az iot hub fleet-job schedule show -j fw-7"),
    ("When it runs next.", "az iot hub fleet-job schedule show -j fw-7 --query 'next[0].utc' -o tsv"),
)
command(
    "iot hub fleet-job schedule list",
    "List the schedules, each with its next occurrence.",
    ("List them.", "az iot hub fleet-job schedule list -o table"),
)
command(
    "iot hub fleet-job schedule remove",
    "Remove the schedule of a fleet job.",
    ("Remove it.", "az iot hub fleet-job schedule remove -j fw-7"),
    long="The fleet job, its runs and what is recorded of its occurrences stay. A run that has not ended is no longer "
    "continued by itself.",
)
command(
    "iot hub fleet-job schedule history",
    "List what became of the occurrences of a fleet job, the newest first.",
    ("List them.", "az iot hub fleet-job schedule history -j fw-7 -o table"),
    (
        "Which were missed, and why.",
        "az iot hub fleet-job schedule history -j fw-7 --query \"[?status=='missed'].[local,note]\" -o tsv",
    ),
    (
        "How many devices failed, and who stopped a run.",
        'az iot hub fleet-job schedule history -j fw-7 --query "[].[local,run,runProgress.failed,runEndedBy]" -o tsv',
    ),
    long="An occurrence is claimed (its run is being made), waiting (for an earlier run), started, skipped (an earlier "
    "run had not ended), missed (nobody started it in time) or taken (another state folder has started it). Of one "
    "that was started, runStatus, runProgress, runReason and runEndedBy say what has become of its run, and note only "
    "of the occurrence itself. Without a schedule, local is UTC.",
)
command(
    "iot hub fleet-job schedule run-due",
    "Start the runs that are due, resume interrupted ones, and wait for their end.",
    ("Start what is due; call this every few minutes.", "az iot hub fleet-job schedule run-due"),
    ("As a service.", "az iot hub fleet-job schedule run-due --loop"),
    (
        "On each of several hosts that share the work by a team's store.",
        "az iot hub fleet-job schedule run-due --loop --max-runs 50 --store postgresql://ann@db.example.com/fleet",
    ),
    ("One fleet job alone.", "az iot hub fleet-job schedule run-due -j fw-7 -o table"),
    long=f"{ONCE} Where nothing is due, it ends at once. Nobody is asked, however many devices there are: "
    "--max-devices of the fleet job limits them. Runs that a person, a threshold or a gate has stopped wait for a "
    "person.\nWith --loop each fleet job that is due is run by a process of its own, first those that have been due "
    f"for longest, and the exit code is 0 when Ctrl-C or a signal ends it.\n{CODES}",
)
command(
    "iot hub fleet-job schedule backfill",
    "Run past occurrences that have not run, one after the other.",
    (
        "See which ones.",
        "az iot hub fleet-job schedule backfill -j fw-7 --since 2026-12-01 --until 2026-12-07 --dry-run",
    ),
    (
        "Run them.",
        "az iot hub fleet-job schedule backfill -j fw-7 --since 2026-12-01 --until 2026-12-07",
    ),
    long="Also those from before the schedule was set. It ends with a run that does not end. Nobody is asked, however "
    f"many devices there are: --max-devices of the fleet job limits them. {ONCE}\n{CODES}",
)
command(
    "iot hub fleet-job schedule export",
    "Write what calls `run-due` every few minutes: systemd, cron, a pipeline, Kubernetes.",
    (
        "A service and a timer of systemd.",
        "az iot hub fleet-job schedule export --systemd --output-dir ~/.config/systemd/user",
    ),
    ("A line of a crontab.", "az iot hub fleet-job schedule export --cron --query '[0].content' -o tsv"),
    (
        "A workflow of GitHub Actions that looks every quarter of an hour.",
        "az iot hub fleet-job schedule export --github-actions --every 15m --output-dir .github/workflows",
    ),
    (
        "A manifest for a cluster.",
        "az iot hub fleet-job schedule export --kubernetes --loop --image registry.example/az-iotjobs:1 | "
        "kubectl apply -f -",
    ),
    long="No file has a secret; each says in its first lines how it signs in and how it is installed. With "
    "--fleet-job-id it is for one fleet job: so several run beside each other.",
)
