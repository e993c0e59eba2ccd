"""Help of fleet jobs."""

from azext_iotjobs.cli.output.help_text import command, group

DIFFERENCE = (
    "A job is one job that the hub runs. A fleet job is many of them, or calls to each device, in batches, with "
    "thresholds, retries and results, run by this tool."
)
RUNNING = (
    "It waits for the end, and says on stderr how far it is. Ctrl-C lets calls under way end, then the run is stopped, "
    "and `resume` goes on; a second Ctrl-C leaves at once. `stop` does the same from another terminal. A process that "
    "dies leaves a run that `resume` goes on with: no device is forgotten, none is called twice without being asked. "
    "Exit codes: 0 all devices completed, 4 some or all failed or are uncertain, 5 the run was canceled or broke off, "
    "6 it was stopped, 8 there is no device. On more than 100 devices of a hub that is not local it asks, unless --yes "
    "is given or there is no terminal."
)
NO_HUB = "No hub is needed: a fleet job knows its own. One that is typed must be that."

group(
    "iot hub fleet-job",
    "Manage fleet jobs: many devices in batches, with thresholds and results, run by this tool.",
    f"{DIFFERENCE} Fleet jobs and what they did are kept on this machine, for 30 days at least.",
)
group("iot hub fleet-job group", "Manage device groups: conditions that are saved under a name.")

command(
    "iot hub fleet-job create",
    "Save a fleet job and, with --run, run it.",
    (
        "Set a desired property on a site's devices, a tenth of them at a time; more than 5 failures cancel it.",
        "az iot hub fleet-job create -n localhost -j light-45 --display-name 'Light threshold' --desired light=45 "
        "--query-condition \"tags.site = 'north'\" --batch 10 --batch-type percentage --cancellation-threshold 5 --run",
    ),
    (
        "Call a method on one device, then five, then a fifth of all at a time, with a pause; save it for later.",
        "az iot hub fleet-job create -n localhost -j fw-7 --method-name update --method-payload version=7 "
        "--query-condition 'tags.ring = 1' --batch 1,5,20% --batch-pause 5m --cancellation-threshold 2% "
        "--cancellation-threshold-batch",
    ),
    (
        "Try devices that are off line again at the end, up to three times; see first what it would take.",
        "az iot hub fleet-job create -n localhost -j reboot-7 --method-name reboot --devices-file devices.csv "
        "--retry offline=3 --retry-when at-end --retry-pause 10m --dry-run",
    ),
    (
        "On a random twentieth of a device group.",
        "az iot hub fleet-job create -n localhost -j probe --method-name ping --group north --sample 5% --seed 7 --run",
    ),
    (
        "Apply a deployment's content to edge devices.",
        "az iot hub fleet-job create -n localhost -j edge-7 --content @deployment.json "
        "--query-condition 'capabilities.iotEdge = true' --run",
    ),
    long=f"{DIFFERENCE} One of --method-name, --twin-patch (or --desired and --tags) and --content says what is done. "
    f"What follows is about --run. {RUNNING}",
)
command(
    "iot hub fleet-job run",
    "Run a fleet job, and wait for its end.",
    ("Run it.", "az iot hub fleet-job run -j fw-7"),
    ("See what it would take now.", "az iot hub fleet-job run -j fw-7 --dry-run"),
    (
        "By calls, 50 at once and at most 20 a second, with every event in a file.",
        "az iot hub fleet-job run -j fw-7 --driver calls --concurrency 50 --rate 20 --events fw-7.jsonl",
    ),
    (
        "Every night, whatever became of the night before.",
        "az iot hub fleet-job run -j fw-7 --if-unfinished cancel",
    ),
    ("On a twentieth of its devices first.", "az iot hub fleet-job run -j fw-7 --sample 5%"),
    long="Which devices there are is fixed when it starts. What is given here counts for this run alone, and is "
    "recorded with it; the rest is as it was saved. Exit code 9: another run of it has not ended, or somebody else "
    f"carries it on; the error says who, and --if-unfinished what else can be done. {RUNNING}",
)
command(
    "iot hub fleet-job resume",
    "Go on with the last run of a fleet job that was stopped, broke off, or whose process has ended.",
    ("Go on.", "az iot hub fleet-job resume -j fw-7"),
    ("Go on, slower than before.", "az iot hub fleet-job resume -j fw-7 --rate 5"),
    long="A run that somebody carries on is refused with exit code 9; the error says who and until when. Whoever "
    f"resumes a run that its threshold stopped accepts the failures so far. {RUNNING}",
)
command(
    "iot hub fleet-job rerun",
    "Run a fleet job again on the devices of a run that failed, or on others of it, under a new id.",
    ("On those that failed.", "az iot hub fleet-job rerun -j fw-7"),
    (
        "On those that were off line or silent in its first run, in another batch size.",
        "az iot hub fleet-job rerun -j fw-7 --run 1 --on offline,timeout --batch 5 --new-fleet-job-id fw-7-again",
    ),
    (
        "On the first ten that failed, but not on the one that is being repaired.",
        "az iot hub fleet-job rerun -j fw-7 --limit 10 --exclude pump-3",
    ),
    long="The new fleet job keeps the id of its parent. Uncertain devices may have been operated: they are meant only "
    f"with --on uncertain. {RUNNING}",
)
command(
    "iot hub fleet-job stop",
    "Stop the last run of a fleet job; `resume` goes on with it.",
    ("Stop it, and say why.", "az iot hub fleet-job stop -j fw-7 --reason 'battery alarms'"),
    long="Calls under way are awaited, then the run is stopped. A hub job that runs cannot be stopped: it goes on, and "
    "a resume reads what it did. Exit code 7: something is still under way; the run stops when that has ended. "
    "What that is, and until when, is said while it waits. A run that is stopped already stays so. "
    f"{NO_HUB}",
)
command(
    "iot hub fleet-job cancel",
    "Cancel the last run of a fleet job for good.",
    ("Cancel it.", "az iot hub fleet-job cancel -j fw-7 --reason 'wrong version'"),
    long="What has begun is awaited; nothing else begins. Exit code 7: something is still under way. A run that nobody "
    "carries on is ended here; the hub is asked only by --driver jobs, for what its jobs did.",
)
command(
    "iot hub fleet-job show",
    "Show a fleet job: what it does, and its last run with batches and counts.",
    ("Show its counts.", "az iot hub fleet-job show -j fw-7 --query lastRun.progress"),
    ("Show its first run, and what it was then.", "az iot hub fleet-job show -j fw-7 --run 1"),
    long=NO_HUB,
)
command(
    "iot hub fleet-job list",
    "List fleet jobs, the newest first.",
    ("What ran in the last 30 days.", "az iot hub fleet-job list --since 30d -o table"),
    ("What is running on one hub.", "az iot hub fleet-job list -n localhost --state running"),
    ("What is saved and has not run.", "az iot hub fleet-job list --saved"),
    ("Those of ring 2 that speak of the south.", "az iot hub fleet-job list --labels ring=2 --contains south"),
    long="No hub is needed; one that is typed picks its own fleet jobs.",
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
    ("All rows into a file that a spreadsheet opens.", "az iot hub fleet-job results -j fw-7 --output-file fw-7.csv"),
    (
        "Those that were not reached, and those of which nobody knows.",
        "az iot hub fleet-job results -j fw-7 --status failed,uncertain --error-class offline,timeout",
    ),
    ("One device in the first run.", "az iot hub fleet-job results -j fw-7 --run 1 --device-id pump-1"),
    long="A device is pending, in progress, completed, failed or uncertain: whether that one was operated cannot be "
    "known, because the process or the connection broke in the call. Rows have the columns of `job results`, batch and "
    f"tries; deleted is there with --check-registry, which asks the hub. {NO_HUB}",
)
command(
    "iot hub fleet-job copy",
    "Save a fleet job once more under a new id, with changes.",
    ("The same once more, as fw-7-copy.", "az iot hub fleet-job copy -j fw-7"),
    (
        "The same for another site.",
        "az iot hub fleet-job copy -j fw-7 --new-fleet-job-id fw-7-south --query-condition \"tags.site = 'south'\"",
    ),
    long="Its display name gets Copy behind it unless one is given. With -n it is for that hub. Nothing runs.",
)
command(
    "iot hub fleet-job update",
    "Change a fleet job: another version of it, that later runs carry out.",
    (
        "Smaller batches, and no threshold.",
        "az iot hub fleet-job update -j fw-7 --batch 5% --cancellation-threshold none",
    ),
    long="What is not given stays. A run names the version that it carries out, and keeps it.",
)
command(
    "iot hub fleet-job delete",
    "Delete a fleet job with its runs and results, or old runs of all of them.",
    ("Delete one.", "az iot hub fleet-job delete -j fw-7"),
    (
        "Forget runs that ended more than 90 days ago, without being asked.",
        "az iot hub fleet-job delete --older-than 90d --yes",
    ),
    long="A fleet job that runs is refused. It asks first, and without a terminal it is an error, unless --yes is "
    "given. Nothing is done to devices.",
)
command(
    "iot hub fleet-job group create",
    "Save a condition under a new name.",
    (
        "Save a site's devices.",
        "az iot hub fleet-job group create -n localhost --group north --query-condition \"tags.site = 'north'\"",
    ),
    long="Which devices are in the group is asked of the hub when a run starts. A name that is taken is refused: "
    "`group update` changes its condition.",
)
command(
    "iot hub fleet-job group show",
    "Show a device group, and which fleet jobs use it. No hub is asked.",
    ("Show one.", "az iot hub fleet-job group show --group north"),
)
command(
    "iot hub fleet-job group update",
    "Save another condition under the name of a device group.",
    (
        "Leave out what is being repaired.",
        "az iot hub fleet-job group update --group north --query-condition \"tags.site = 'north' AND tags.repair != "
        'true"',
    ),
    long="Fleet jobs that use it mean other devices in their next run; runs that there are keep theirs.",
)
command(
    "iot hub fleet-job group list",
    "List the device groups that are saved, of all hubs or of one. No hub is asked.",
    ("List them.", "az iot hub fleet-job group list -o table"),
)
command(
    "iot hub fleet-job group delete",
    "Delete a device group; no device is touched, and no hub is asked.",
    ("Delete one.", "az iot hub fleet-job group delete --group north"),
    long="Where saved fleet jobs use it, it asks first, naming them; without a terminal that is an error, unless --yes "
    "is given.",
)
