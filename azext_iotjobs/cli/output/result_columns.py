"""The columns of devices' results, by what has them."""

COLUMNS = tuple(
    """
    deviceId moduleId status errorClass errorCode errorText methodStatus payload started finished durationSeconds
    deleted
    """.split()
)
VERIFIED_COLUMNS = ("verified", "reported")  # where devices are verified
RUN_COLUMNS = ("batch", "tries", *VERIFIED_COLUMNS, "offlineSince", "waitsUntil")  # of fleet jobs' runs
JOB_DETAILS = tuple("jobId jobType hub jobStatus jobReason jobCreated jobStarted jobEnded".split())
RUN_DETAILS = tuple(  # of the run and the fleet job that devices were operated by; the same in each row
    """
    fleetJobId fleetJobName fleetJobVersion action hub run driver runStatus runReason runStarted runEnded
    """.split()
)
ALL_COLUMNS = tuple(dict.fromkeys((*COLUMNS, *RUN_COLUMNS, *JOB_DETAILS, *RUN_DETAILS)))
CALL_COLUMNS = tuple(name for name in COLUMNS if name != "deleted")  # of calls that a command makes itself
