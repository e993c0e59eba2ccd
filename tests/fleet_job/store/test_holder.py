"""Whether a holder of a lease has surely ended: on its own machine and in its own container alone."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.holder import is_gone, this_machine, this_process

NOBODY = 4_194_303  # no process has this number

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows is not asked: that would end the process")


def test_a_process_of_this_machine_that_is_not_there_is_gone() -> None:
    assert not is_gone(this_process())
    assert is_gone(replace(this_process(), pid=NOBODY))


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="only Linux tells them apart")
@pytest.mark.parametrize("part", [0, 1, 2])
def test_of_a_machine_or_container_with_the_same_name_it_is_not_known(part: int) -> None:
    words = this_machine().split(" ")
    other = " ".join(each if number != part else f"{each}x" for number, each in enumerate(words))
    assert len(words) == 3 and not is_gone(replace(this_process(), machine=other, pid=NOBODY))
