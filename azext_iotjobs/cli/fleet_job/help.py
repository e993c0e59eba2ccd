"""Help of fleet jobs."""

from azext_iotjobs.cli.output.help_text import command, group

DIFFERENCE = (
    "A job is one job that the hub runs. A fleet job is many of them, or calls to each device, in batches, with "
    "thresholds, retries and results, run by this tool."
)
RUNNING = (
    "It waits for the end, with progress on stderr. Ctrl-C stops the run once the calls under way have ended, and "
    "`resume` continues it, also after a crash: no device is forgotten, and none is called twice unless you request "
    "it.\n"
)
CONFIRMATION = "More than 100 devices of a hub that is not local have to be confirmed, or --yes given.\n"
CODES = (
    "Exit codes: 0 all devices completed, 4 some or all failed or are uncertain, 5 the run was canceled or broke off, "
    "6 it was stopped, 8 there is no device."
)
NO_HUB = "No hub needs to be given, because a fleet job knows its hub. A hub that is given must be the same one."

group(
    "iot hub fleet-job",
    "Manage fleet jobs: many devices in batches, with thresholds and results.",
    f"{DIFFERENCE} Fleet jobs and their results are stored on this machine, or in a team's database "
    "(--store), for 30 days at least.",
)
group("iot hub fleet-job group", "Manage device groups: conditions that are saved under a name.")
group("iot hub fleet-job store", "Manage where fleet jobs are: a folder, or a team's database.")

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
        "Try devices that are offline again at the end, up to three times; first see what it would take.",
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
    (
        "Update firmware; a device has completed when it reports the new version, and failed when it reports a failure "
        "or nothing for half an hour.",
        "az iot hub fleet-job create -n localhost -j fw-8 --method-name firmwareUpdate --method-payload version=2.0.1 "
        "--query-condition 'tags.ring = 1' --batch 1,5,20% --verify-within 30m "
        "--verify \"properties.reported.firmware.version = '2.0.1'\" "
        "--verify-failed \"properties.reported.firmware.status = 'failed'\" --run",
    ),
    (
        "Change a setting; a device has completed when it reports the value, and is asked again once if it does not.",
        "az iot hub fleet-job create -n localhost -j light-46 --desired light=46 --query-condition 'tags.ring = 1' "
        "--verify 'properties.reported.light = 46' --verify-within 5m --retry not-verified=1 --run",
    ),
    (
        "Devices that are offline are called when they connect, within a week; the others are not held up by them.",
        "az iot hub fleet-job create -n localhost -j reboot-8 --method-name reboot --query-condition 'tags.ring = 1' "
        "--batch 10% --when-online 7d --run",
    ),
    (
        "Batch after batch only while at least 95% of each complete and no alarm is raised; somebody approves each.",
        "az iot hub fleet-job create -n localhost -j fw-10 --method-name update --query-condition 'tags.ring = 1' "
        "--batch 1,10%,100% --gate-success 95% --gate-query 'tags.alarm = true' --gate-query-max 0 --gate manual",
    ),
    (
        "A batch counts when its devices report the new version, and still do half an hour later.",
        "az iot hub fleet-job create -n localhost -j fw-11 --method-name update --query-condition 'tags.ring = 1' "
        "--verify \"properties.reported.firmware.version = '9'\" --batch 10% --bake 30m --gate-success 98%",
    ),
    (
        "A program of your own decides after each batch; its environment says of which batch, and how it ended.",
        "az iot hub fleet-job create -n localhost -j fw-12 --method-name update --query-condition 'tags.ring = 1' "
        '--batch 10% --gate-command "/opt/fleet/check-alarms.sh --site north" --gate-command-timeout 10m',
    ),
    long=f"{DIFFERENCE}\nOne of --method-name, --twin-patch (or --desired and --tags) and --content says what to do.\n"
    f"The rest is about --run. {RUNNING}{CONFIRMATION}{CODES}",
)
command(
    "iot hub fleet-job apply",
    "Create fleet jobs, or update them, to be as a file says.",
    ("Create or update the fleet jobs of a file.", "az iot hub fleet-job apply -n localhost -f fw-7.yaml"),
    (
        "See what would change; nothing does.",
        "az iot hub fleet-job apply -n localhost -f fw-7.yaml --dry-run -o table",
    ),
    (
        "Fill in the file's parameters ${version} and ${ring}.",
        "az iot hub fleet-job apply -n localhost -f fw-7.yaml --set version=2.0.1 ring=1",
    ),
    (
        "In another state folder, what `az iot hub fleet-job show -j fw-7 -o yaml > fw-7.yaml` has written.",
        "az iot hub fleet-job apply -f fw-7.yaml --state-dir other",
    ),
    long="A file holds the members that `show` prints, in YAML or JSON, and several documents with `---` between them. "
    "What a document leaves out is as in a new fleet job, but for its schedule, which stays; `schedule: null` removes "
    "it.\nAll documents are validated before anything is written. `applied` says what was done: created, updated or "
    "unchanged, with each member that changed. Nothing runs.",
)
command(
    "iot hub fleet-job run",
    "Run a fleet job, and wait for its end.",
    ("Run it.", "az iot hub fleet-job run -j fw-7"),
    ("See what it would take now.", "az iot hub fleet-job run -j fw-7 --dry-run"),
    (
        "Run it by calls, 50 at once and at most 20 a second, with every event in a file.",
        "az iot hub fleet-job run -j fw-7 --driver calls --concurrency 50 --rate 20 --events fw-7.jsonl",
    ),
    (
        "Every night, even if the run of the night before has not ended.",
        "az iot hub fleet-job run -j fw-7 --if-unfinished cancel",
    ),
    ("On a twentieth of its devices first.", "az iot hub fleet-job run -j fw-7 --sample 5%"),
    (
        "In a process of its own, which goes on when this terminal is closed.",
        "az iot hub fleet-job run -j fw-7 --detach",
    ),
    long="The devices of a run are fixed when it starts. Options given here apply to this run only, and are recorded "
    f"with it.\n{RUNNING}{CONFIRMATION}{CODES} 9: an earlier run has not ended; --if-unfinished says what else to do "
    "then.",
)
command(
    "iot hub fleet-job watch",
    "Watch a run that another process executes, until it ends.",
    ("Watch it.", "az iot hub fleet-job watch -j fw-7"),
    ("Wait in a script; a line for each change goes to stderr.", "az iot hub fleet-job watch -j fw-7 -o none"),
    long="On a terminal: batches as bars (# completed, x failed or uncertain, > under way), how much of the threshold "
    "is used, failures by class, and who is awaited. Elsewhere: a line for each change.\nIt ends with the run, with "
    "the exit code of `run`; 6 also where no process executes it. Ctrl-C ends the watching alone: 7.",
)
command(
    "iot hub fleet-job resume",
    "Resume the last run of a fleet job that was stopped, broke off, or lost its process.",
    ("Resume it.", "az iot hub fleet-job resume -j fw-7"),
    ("Resume it, slower than before.", "az iot hub fleet-job resume -j fw-7 --rate 5"),
    long="Resuming a run that its threshold stopped accepts the failures so far. One that a gate stopped goes on past "
    f"that gate; what was inconclusive is evaluated again.\n{RUNNING}{CODES} 9: another process executes the run.",
)
command(
    "iot hub fleet-job rerun",
    "Run a fleet job again on the devices that failed, or on others of a run.",
    ("On those that failed.", "az iot hub fleet-job rerun -j fw-7"),
    (
        "On those that were offline or silent in its first run, with another batch size.",
        "az iot hub fleet-job rerun -j fw-7 --run 1 --on offline,timeout --batch 5 --new-fleet-job-id fw-7-again",
    ),
    (
        "On the first ten that failed, but not on the one that is being repaired.",
        "az iot hub fleet-job rerun -j fw-7 --limit 10 --exclude pump-3",
    ),
    long="A new fleet job is made, which records the id of its parent. The schedule is not copied. Uncertain devices "
    f"may have been operated: they are included only with --on uncertain.\n{RUNNING}{CONFIRMATION}{CODES}",
)
command(
    "iot hub fleet-job approve",
    "Approve the batch that waits for it (--gate manual): the next one begins.",
    ("Approve it, and say why.", "az iot hub fleet-job approve -j fw-10 --reason 'no alarms since 9:00'"),
    ("Approve batch 2, if that is the one that waits.", "az iot hub fleet-job approve -j fw-10 --batch 2"),
    long="The process that executes the run sees it within a second. Without one the answer is recorded, and counts "
    "when the run is resumed. Only the batch that waits can be approved: anything else is an error that says what the "
    f"run waits for. The first answer counts. {NO_HUB}",
)
command(
    "iot hub fleet-job reject",
    "Reject the batch that waits for approval (--gate manual): the run is stopped.",
    ("Reject it, and say why.", "az iot hub fleet-job reject -j fw-10 --reason 'battery alarms'"),
    long="The run is stopped with this reason; `resume` asks for approval anew, `cancel` ends it. A run whose process "
    f"is gone is stopped here. {NO_HUB}",
)
command(
    "iot hub fleet-job stop",
    "Stop the last run of a fleet job; `resume` continues it.",
    ("Stop it, and say why.", "az iot hub fleet-job stop -j fw-7 --reason 'battery alarms'"),
    long="Calls under way are awaited, then the run is stopped. A hub job that runs cannot be stopped: it continues, "
    "and `resume` reads its results. A schedule does not resume what was stopped; `resume` does.\nExit code 7: "
    "something is still under way; the run stops when that has ended.",
)
command(
    "iot hub fleet-job cancel",
    "Cancel the last run of a fleet job for good.",
    ("Cancel it.", "az iot hub fleet-job cancel -j fw-7 --reason 'wrong version'"),
    long="What has begun is awaited; nothing new begins. Exit code 7: something is still under way. A run that no "
    "process executes is ended here; the hub is contacted only for results of its jobs (--driver jobs).",
)
command(
    "iot hub fleet-job copy",
    "Save a copy of a fleet job under a new id, with changes.",
    ("The same again, as fw-7-copy.", "az iot hub fleet-job copy -j fw-7"),
    (
        "The same for another site.",
        "az iot hub fleet-job copy -j fw-7 --new-fleet-job-id fw-7-south --query-condition \"tags.site = 'south'\"",
    ),
    long="Its display name ends in Copy unless one is given. With -n the copy belongs to that hub. The schedule is not "
    "copied. Nothing runs.",
)
command(
    "iot hub fleet-job update",
    "Change a fleet job: save another version, which later runs execute.",
    (
        "Smaller batches, and no threshold.",
        "az iot hub fleet-job update -j fw-7 --batch 5% --cancellation-threshold none",
    ),
    ("Offline devices have two days to connect.", "az iot hub fleet-job update -j reboot-8 --when-online 2d"),
    ("More time to report.", "az iot hub fleet-job update -j fw-8 --verify-within 2h"),
    long="What is not given stays as it is. A run keeps the version that it executes.",
)
command(
    "iot hub fleet-job delete",
    "Delete a fleet job with its schedule, runs and results, or old runs of all of them.",
    ("Delete one.", "az iot hub fleet-job delete -j fw-7"),
    (
        "Delete runs that ended more than 90 days ago, without confirmation.",
        "az iot hub fleet-job delete --older-than 90d --yes",
    ),
    long="A fleet job that is running is not deleted. The command asks for confirmation; without a terminal that is "
    "an error, unless --yes is given. Nothing is done to devices.",
)
command(
    "iot hub fleet-job group create",
    "Save a condition under a new name.",
    (
        "Save a site's devices.",
        "az iot hub fleet-job group create -n localhost --group north --query-condition \"tags.site = 'north'\"",
    ),
    long="The hub selects the devices of the group when a run starts. A name that is taken is refused: "
    "`group update` changes its condition.",
)
command(
    "iot hub fleet-job group show",
    "Show a device group, and which fleet jobs use it. Nothing is sent to a hub.",
    ("Show one.", "az iot hub fleet-job group show --group north"),
)
command(
    "iot hub fleet-job group update",
    "Save another condition under the name of a device group.",
    (
        "Exclude what is being repaired.",
        "az iot hub fleet-job group update --group north --query-condition \"tags.site = 'north' AND tags.repair != "
        'true"',
    ),
    long="Fleet jobs that use it select other devices in their next run; existing runs keep theirs.",
)
command(
    "iot hub fleet-job group list",
    "List the saved device groups, of all hubs or of one. Nothing is sent to a hub.",
    ("List them.", "az iot hub fleet-job group list -o table"),
)
command(
    "iot hub fleet-job group delete",
    "Delete a device group. Nothing is sent to a hub.",
    ("Delete one.", "az iot hub fleet-job group delete --group north"),
    long="When saved fleet jobs use the group, the command names them and asks for confirmation; without a terminal "
    "that is an error, unless --yes is given.",
)
command(
    "iot hub fleet-job store copy",
    "Copy fleet jobs from one store into another, with runs, results and schedules.",
    (
        "Into a team's database.",
        "az iot hub fleet-job store copy --from ~/.azure/iotjobs/fleet-jobs --to postgresql://ann@db.example.com/fleet",
    ),
    (
        "Two of them into a folder; their schedules stay where they are.",
        "az iot hub fleet-job store copy --from postgresql://ann@db.example.com/fleet --to ./saved -j fw-7 fw-8 "
        "--without-schedules",
    ),
    long="Device groups of their hubs are copied too. A schedule is removed where it was, as two stores would start "
    "each occurrence twice; with --without-schedules it stays there, and is not copied. A copy that was killed "
    "while a schedule moved is completed by the same command. Ids that are taken in the "
    "other store are refused, and so is a run that has not ended; then nothing is copied. How to sign in is "
    "configured: see `--store` of other commands.",
)
