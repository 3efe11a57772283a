"""22 April, 02:00 to 03:20: the nightly job, two alerts, and the way back."""

from __future__ import annotations

from mlver.demo.night import EVALUATE, LIVE3, MEASURE, NIGHT, RECORD, TRAIN, Night


def play(night: Night) -> None:
    """Release the night's model, be paged, go back, and ask who was served and since when it is so."""
    _nightly_job(night)
    _alerts(night)
    _paged(night)
    _back(night)
    _served(night)


def _nightly_job(night: Night) -> None:
    player = night.player
    player.scene("22 April, 02:00: the nightly job", date=f"{NIGHT}T02:00Z", author="cron")
    player.say("Train, measure, promote. The gate looks at accuracy on the hold-out, and that is as good as ever.")
    player.run(TRAIN)
    player.run(MEASURE)
    player.run('mlver commit -m "nightly retraining"')
    player.run("mlver tag night")
    player.run(RECORD)
    player.run('mlver promote prod --skip --reason "nightly retraining"')


def _alerts(night: Night) -> None:
    player = night.player
    night.edit("live_w3")
    player.scene("22 April, 03:05: two alerts", date=f"{NIGHT}T03:05Z", author="monitor")
    player.run(f"mlver alerts add null_fraction.worst_radius --id A0087 --at {NIGHT}T02:40Z --severity warn")
    if not night.whole:
        player.run(f"python evaluate.py {LIVE3}")
    player.run(
        f"mlver alerts add flag_rate_drop.clinic --id A0088 --at {NIGHT}T03:05Z --severity page "
        '--summary "clinic C refers far fewer of its patients"'
    )


def _paged(night: Night) -> None:
    player = night.player
    player.scene("22 April, 03:07: eve is paged", date=f"{NIGHT}T03:07Z", author="eve")
    player.say("Her first night on call. Which of the two matters? What did people do the last time?")
    player.run("mlver oncall guide")
    player.say(
        "The alert that was ignored 40 times in 41 led to rule R2 once. And R2 was removed last evening, by eve."
    )
    player.run("mlver diff prod@{1} prod")
    player.say("Everything that changed since the last good release, on one screen. No need to understand it all now.")


def _back(night: Night) -> None:
    player = night.player
    player.scene("22 April, 03:09: back", date=f"{NIGHT}T03:09Z", author="eve")
    player.run('mlver rollback prod --dry-run --reason "A0088, clinic C"')
    player.run('mlver rollback prod --reason "A0088, clinic C"')
    player.run("mlver rollback prod")
    player.say("Model, rules and config are back together, byte for byte; the second call had nothing left to do.")
    player.run("mlver status")


def _served(night: Night) -> None:
    player = night.player
    player.scene("22 April, 03:15: who was served, and since when is it so?", date=f"{NIGHT}T03:15Z", author="eve")
    player.run(f"mlver impact 'prod@{{{NIGHT}T02:30Z}}'")
    player.run('mlver alerts act A0088 --did "rolled back prod to v2" --ticket INC-1')
    player.run('mlver note night "clinic C refers far too few: see INC-1" --mark bad --ticket INC-1')
    player.run(
        f'mlver incident open INC-1 --alert A0088 --at {NIGHT}T03:07Z --reason "clinic C refers far too few patients"'
    )
    if night.whole:
        find = f"--good v2 --bad night --metric 'flag_rate{{clinic=C}} >= 0.3' --on {LIVE3}"
        player.be(date=f"{NIGHT}T03:20Z", author="eve")
        player.run(f"mlver bisect {find} -- {EVALUATE}")
        player.say("As committed, the retraining did it: the old model carries the values that fill its gaps with it.")
        player.run(f"mlver bisect {find} --rebuild -- {EVALUATE}")
        player.say("With every model made anew it was the removal of R2. Both are right, and each says what it is.")
