"""Options of schedules."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.fleet_job.params import ID
from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, HUB, STATE, top
from azext_iotjobs.model.schedule import Missed, Overlap

ON_TIME, ON_SPAN, ON_POLICY = "When", "From when and how long", "Policies"  # headings in the help

RULE: Group = (
    extra("once", "--once", "One date and time, such as 2027-12-01T02:00.", group=ON_TIME),
    extra("daily", "--daily", "Each day, at --at.", action="store_true", group=ON_TIME),
    extra("weekly", "--weekly", "On some days of each week, such as mon,thu.", group=ON_TIME),
    extra(
        "monthly",
        "--monthly",
        "On some days of each month, such as 1,15,last. A month that does not have a day is passed over.",
        group=ON_TIME,
    ),
    extra("cron", "--cron", "As a cron expression of five fields says, such as '30 2 * * 1-5'.", group=ON_TIME),
    extra(
        "at", "--at", "The time of day, such as 02:30. Default: when --window opens; not with --cron.", group=ON_TIME
    ),
    extra(
        "time_zone",
        "--time-zone --tz",
        "The time zone of all times given here, by its IANA name, such as Europe/Berlin or UTC. Needed "
        "unless --once ends in Z.",
        group=ON_TIME,
    ),
)

SPAN: Group = (
    extra("starts", "--starts", "Nothing before this date, or date and time, counts.", group=ON_SPAN),
    extra("ends", "--ends", "The last day, or date and time, that counts.", group=ON_SPAN),
    extra("times", "--times", "How many occurrences it has from its start, 1 to 10000.", type=int, group=ON_SPAN),
    extra(
        "window",
        "--window",
        "Hours in which devices may be operated, each day, such as 02:00-04:00. When they are over, a run stops, and "
        "continues when they begin again.",
        group=ON_SPAN,
    ),
)

POLICIES: Group = (
    extra(
        "jitter",
        "--jitter",
        "Start up to so much later, such as 10m, at most 12h: by the same delay each time, which is another one for "
        "another fleet job.",
        group=ON_POLICY,
    ),
    extra(
        "missed",
        "--missed",
        "When occurrences could not start in time: catch up the newest one, none, or all, one after the other. "
        "Default: once.",
        arg_type=get_enum_type([each.value for each in Missed]),
        group=ON_POLICY,
    ),
    extra(
        "catch_up",
        "--catch-up",
        "One that is later than this is not caught up, 1m to 30d; not with --missed skip. Default: 24h.",
        group=ON_POLICY,
    ),
    extra(
        "overlap",
        "--overlap",
        "While an earlier run has not ended: skip the occurrence, have it wait, stop the earlier run and skip, or "
        "cancel the earlier run and start. Default: skip.",
        arg_type=get_enum_type([each.value for each in Overlap]),
        group=ON_POLICY,
    ),
)

ONE_OR_ALL: Group = (ID[0]._replace(settings={**ID[0].settings, "help": "Only this fleet job. Default: all."}),)

DUE: Group = (
    option("loop", "--loop", "Look again and again, until Ctrl-C or a termination signal.", action="store_true"),
    option("interval", "--interval", "With --loop: how long between two polls, 1s or more. Default: 30s."),
    option(
        "max_runs",
        "--max-runs",
        "With --loop: how many runs this process executes at once; what is due beyond waits for one to end, or for "
        "another host. Default: 20.",
        type=int,
    ),
    option(
        "our_yes",
        "--yes -y",
        "Trust the clock of this machine, where it is far ahead of the last poll and the hub cannot confirm it.",
        action="store_true",
    ),
    option(
        "exit_zero",
        "--exit-zero",
        "End with exit code 0 whatever the runs came to; not with --loop, which does so anyway.",
        action="store_true",
    ),
)

PAST: Group = (
    option("since", "--since", "The first date, or date and time, in the schedule's time zone."),
    option("until", "--until", "The last one. Default: until now."),
    option("dry_run", "--dry-run", "Show which occurrences would run; change nothing.", action="store_true"),
    option(
        "exit_zero",
        "--exit-zero",
        "End with exit code 0 whatever the runs came to.",
        action="store_true",
    ),
)

TARGET: Group = (
    extra("systemd", "--systemd", "A service and a timer of systemd.", action="store_true"),
    extra("cron", "--cron", "A line of a crontab.", action="store_true"),
    extra("github_actions", "--github-actions", "A workflow of GitHub Actions.", action="store_true"),
    extra("azure_pipelines", "--azure-pipelines", "A pipeline of Azure DevOps.", action="store_true"),
    extra(
        "kubernetes",
        "--kubernetes",
        "A CronJob of Kubernetes, or a Deployment, with a volume unless --store names a database. It is printed as it "
        "is, for kubectl.",
        action="store_true",
    ),
    extra(
        "image",
        "--image",
        "With --kubernetes, which needs it, as no image is published: the image that pods run, with az and this "
        "extension.",
    ),
    extra(
        "secret_name",
        "--secret-name",
        "With --kubernetes: name of the secret with the hub's connection string, which is in no manifest. Default: "
        "iotjobs-hub.",
    ),
    extra(
        "loop",
        "--loop",
        "With --kubernetes: a Deployment that looks every half minute, in place of a CronJob.",
        action="store_true",
    ),
)

FILES: Group = (
    option("every", "--every", "How often `run-due` is called, such as 1m, 15m or 1h. Default: 5m."),
    option("our_output_dir", "--output-dir", "Folder that the files are written into. Default: they are only shown."),
    option("overwrite", "--overwrite", "With --output-dir: replace existing files.", action="store_true"),
)

_HUB = (HUB, AUTH_TYPE, STATE)

SET: Options = (*_HUB, ID, RULE, SPAN, POLICIES)
SHOW: Options = (*_HUB, ID)
LIST: Options = _HUB
REMOVE: Options = (*_HUB, ID)
HISTORY: Options = (*_HUB, ID, top(100))
RUN_DUE: Options = (*_HUB, ONE_OR_ALL, DUE)
BACKFILL: Options = (*_HUB, ID, PAST)
EXPORT: Options = (*_HUB, ONE_OR_ALL, TARGET, FILES)
