"""The kill rig and the damage rig find builds that are wrong on purpose; test_powerloss.py has the other builds."""

from __future__ import annotations

from unittest.mock import patch

from mlver.testing import Killed
from tests.fault import damage
from tests.fault.defects import unlinked_first
from tests.fault.rig import stage
from tests.fault.words import WRITES


def test_the_kill_rig_sees_that_a_file_is_removed_before_its_new_version_has_the_name() -> None:
    with stage() as on:
        scene = on.scene("tag", WRITES["tag"])
        assert [str(one) for one in scene.rounds(Killed, ("rename",)) if one.problems] == []
        with unlinked_first():
            wrong = [one for one in on.scene("tag", WRITES["tag"]).rounds(Killed, ("rename",)) if one.problems]
    assert wrong


def test_the_damage_rig_sees_that_fsck_believes_what_it_should_read() -> None:
    sound = damage.sweep("bits", 6007)
    with patch("mlver.store.verify._verify_frame", lambda *_: None):
        blind = damage.sweep("bits", 6007)
    assert sound.tally.violations == [] and sound.tally.rounds == blind.tally.rounds > 60
    assert len(blind.tally.violations) > 30
