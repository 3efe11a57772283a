"""1 April: a good release, through all stages, and what is known about it."""

from __future__ import annotations

from mlver.demo.night import MEASURE, RECORD, TRAIN, Night


def play(night: Night) -> None:
    """Release v2 and read in the alerts of two months."""
    player = night.player
    player.scene("1 April: the good release", date="2024-04-01T14:00Z", author="cleo")
    night.edit("train_w1", "live_w2", "alert_history")
    player.say("Week 1 is labelled. Cleo retrains, measures on the static hold-out, and records what she measured.")
    player.run(TRAIN)
    player.run(MEASURE)
    player.run('mlver commit -m "v2: history and week 1"')
    player.run("mlver tag v2")
    player.run(RECORD)
    _live(night)


def _live(night: Night) -> None:
    player = night.player
    player.run('mlver promote staging v2 --reason "recall .952 on the hold-out"')
    player.scene("1 April: live", date="2024-04-01T15:00Z", author="ben")
    player.run('mlver promote canary v2 --percent 5 --scope clinic=C --reason "five in a hundred of clinic C"')
    player.be(date="2024-04-01T16:00Z", author="ana")
    if night.whole:
        player.run("mlver check v2 --against prod")
    player.run('mlver promote prod v2 --reason "recall .952 on the hold-out"')
    player.run("mlver deployed prod --at 2024-02-20")
    player.run("mlver slo")
    player.say("Whether it keeps its promise to the clinics nobody can know yet: the labels come weeks later.")
    player.run("mlver alerts import alerts/history.jsonl")
    player.run("mlver alerts stats")
    player.say(
        "86 alerts in two months, 6 of them acted on. The table says which kind ever mattered, and what was done."
    )
