"""6 to 14 May: the labels arrive, and what that night was becomes known."""

from __future__ import annotations

from shlex import quote

from mlver.demo.night import EVALUATE, LABELS3, LIVE3, NIGHT, TRAIN, Night


def play(night: Night) -> None:
    """Measure the night's release as labels come in, ask the old questions again, and write it up."""
    _labels(night)
    if night.whole:
        _which_alerts(night)
        _which_rules(night)
    _papers(night)


def _labels(night: Night) -> None:
    player = night.player
    player.scene("6 to 13 May: the labels arrive", date="2024-05-06T12:00Z", author="cleo")
    player.say(
        """Now it is known who was ill. The night's release is measured on the labels as they come in. Its commit does
        not change; what is known about it does."""
    )
    for part, day in ((1, "2024-05-06"), (2, "2024-05-08"), (3, "2024-05-13")):
        player.be(date=f"{day}T12:00Z", author="cleo")
        night.edit(f"labels_w3_part{part}")
        if night.whole or part == 3:
            player.run(
                f"mlver metrics backfill recall missed unneeded --revs night --served --on {LIVE3} --with {LABELS3} "
                f"-- {EVALUATE}"
            )
    player.run("mlver metrics log 'recall{clinic=C}'")
    player.run("mlver slo history")
    player.run(f"mlver slo check --as-of {NIGHT}T03:07Z")
    player.say(
        "What is known today, and what anyone could know that night: nothing was broken, as far as one could see."
    )


def _which_alerts(night: Night) -> None:
    player = night.player
    player.scene("13 May: which alerts are worth a page?", date="2024-05-13T15:00Z", author="ana")
    player.run("mlver alerts stats --against 'recall{clinic=C} < 0.9'")


def _which_rules(night: Night) -> None:
    player = night.player
    player.scene("13 May: can rule R2 go, then?", date="2024-05-13T16:00Z", author="ana")
    player.run('mlver commit -m "labels of week 3"')
    by = "--rules 'rules/rules.json#R2' --metric 'recall{clinic=C} >= 0.9'"
    player.run(f"mlver rules ablate {LIVE3} {by} -- {EVALUATE}")
    player.run("mlver switch -c whatif/impute")
    night.edit("impute_-1")
    player.run(TRAIN)
    player.run('mlver commit --why "what if gaps were filled with -1 again?"')
    player.run(f"mlver rules ablate {LIVE3} {by} -- {EVALUATE}")
    player.run("mlver switch main")
    player.say("With the median R2 can go, with -1 it cannot. That is why rules and config have versions together.")
    player.run(
        f"mlver fallback drill prod --on {LIVE3} --with {LABELS3} -- python evaluate.py {{data}} --model {{fallback}}"
    )


def _papers(night: Night) -> None:
    player = night.player
    player.scene("14 May: written up", date="2024-05-14T10:00Z", author="ana")
    if night.whole:
        player.run(f"mlver restore --rev night --to {quote(str(night.taken_out))}")
        (night.taken_out / LIVE3).write_bytes((player.folder / LIVE3).read_bytes())
        missed = " ".join(night.missed_patients())
        player.run(f"mlver suspect {missed} --on {LIVE3} --good v2 --bad night")
        player.run(f"mlver incident link INC-1 --affected {missed}")
        player.run('mlver incident link INC-1 --follow-up "labels are checked against the history" --ticket LAB-10')
        player.run('mlver incident link INC-1 --follow-up "call the missed patients" --ticket INC-1')
        player.run('mlver incident close INC-1 --reason "v4 is live, labels are put right"')
    player.run("mlver incident report INC-1")
    if night.whole:
        player.run("mlver handover --since 2024-04-20")
        player.run("mlver report --html report.html")
