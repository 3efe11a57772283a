"""The short mode of the fault campaigns."""

from __future__ import annotations

import errno

import pytest

from tests.fault import campaign
from tests.fault.rig import ACTS


@pytest.mark.parametrize("act", ACTS)
def test_a_kill_or_a_full_disk_leaves_the_old_or_the_new_state(act: str) -> None:
    rounds = campaign.calls(step=17, errnos=(errno.ENOSPC,), acts=(act,))
    assert len(rounds) > 2
    assert [str(round_) for round_ in rounds if round_.problems] == []


def test_a_killed_commit_loses_nothing_that_was_acknowledged() -> None:
    violations, landed = campaign.kills(8)
    assert violations == 0 and landed >= 1


def test_writers_at_once_all_land_in_one_line() -> None:
    assert campaign.writers(4, 5) == 0
