"""How long a hub's job of a batch may take: what it can need, and no hour more than that. Pure.

A job ends when all its devices have, or when its time is over; a device that is away is waited for until then, and the
batch with it. So the time is what devices that are there can need:

    START_S                                   the hub looks the devices up, and begins
    + PACE_FACTOR * devices / pace            the hub operates its jobs' devices at its tier's pace
    + rounds * (connecting + answering)       a method: so many at once, each as long as its timeouts allow

`pace` is the tier's for all jobs together. A job shares it with those that run beside it: at most the other jobs of its
batch, and at most as many as the tier has slots. PACE_FACTOR is for jobs of somebody else's. Where the tier is not
known, the slowest one is taken.
"""

from math import ceil

from azext_iotjobs.model.fleet import Action
from azext_iotjobs.model.tier import TierFacts

START_S = 60.0
PACE_FACTOR = 2.0
CALLS_AT_ONCE = 100  # of one job; what a hub does is not said, our local one does as many
TWIN_S = 30.0  # for one twin, in place of timeouts
SLOWEST = TierFacts("S2")  # 10 devices a second for 5 jobs: no tier has less for one


def job_limit_s(job_devices: int, batch_devices: int, action: Action, tier: TierFacts | None) -> int:
    """Seconds that a hub's job may run, where nobody said how many.

    job_devices: of this job.  batch_devices: of all jobs that may run beside it, this one included.
    tier: None: not known.
    """
    paced_by = SLOWEST if tier is None or tier.is_unlimited else tier
    together = min(max(job_devices, batch_devices), job_devices * paced_by.job_slots)
    pacing_s = PACE_FACTOR * together / paced_by.job_operations_a_second
    method = action.method
    each_s = TWIN_S if method is None else float(method.connect_timeout_s + method.response_timeout_s)
    rounds = 1 if method is None else max(1, ceil(job_devices / CALLS_AT_ONCE))
    return ceil(START_S + pacing_s + rounds * each_s)
