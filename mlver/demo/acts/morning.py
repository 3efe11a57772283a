"""22 April, 09:30 to 14:00: three causes, taken back one by one, and a gate that would have seen them."""

from __future__ import annotations

from collections.abc import Mapping

from mlver.demo.night import EVALUATE, MEASURE, NIGHT, RECORD, STATIC, TRAIN, Night


def play(night: Night) -> None:
    """Find the causes, fix them forward, and release v4."""
    guilty = {unit: night.blamed(unit) for unit in ("config/pipeline.json#impute", "rules/rules.json#R2")}
    _causes(night, guilty)
    _forward(night, guilty)
    if night.whole:
        _gate(night)
    _release(night)


def _causes(night: Night, guilty: Mapping[str, str]) -> None:
    player = night.player
    player.scene("22 April, 09:30: three causes", date=f"{NIGHT}T09:30Z", author="ana")
    player.run("mlver blame 'config/pipeline.json#impute'")
    player.run("mlver blame rules/rules.json --deleted")
    player.run(f"mlver blame 'data/train.csv#{night.flipped_patient()}' --column label")
    player.say("Each change had a reason, and each looked harmless on its own.")
    for unit, commit in guilty.items():
        player.run(f"mlver incident link INC-1 --cause '{unit}@{commit}'")
    label = night.blamed(f"data/train.csv#{night.flipped_patient()}", "--column label")
    player.run(f"mlver incident link INC-1 --cause {label} --text 'labels of clinic C flipped'")


def _forward(night: Night, guilty: Mapping[str, str]) -> None:
    player = night.player
    player.scene("22 April, 10:00: fixed forward", date=f"{NIGHT}T10:00Z", author="cleo")
    for unit, commit in guilty.items():
        player.run(f"mlver revert {commit} --why INC-1 --ticket INC-1 -- '{unit}'")
    player.say("Only these two units went back. Cleo's max_iter, made in the same days and the same file, stays.")
    night.edit("labels_w2_fixed")
    player.run("mlver diff")
    player.run(TRAIN)
    player.run(MEASURE)
    player.run('mlver commit -m "v4: labels put right" --why "0 meant benign at clinic C" --ticket INC-1')
    player.run("mlver tag v4")
    player.run(RECORD)
    player.run("mlver diff v2 v4")
    player.say("Only the 80 new rows, cleo's max_iter and the retrained model are left of that week.")


def _gate(night: Night) -> None:
    player = night.player
    player.scene("22 April, 11:00: a gate that would have seen it", date=f"{NIGHT}T11:00Z", author="ana")
    player.say(
        """Validation gets the patients without measurements, and the gate asks for recall in every slice. All models
        are measured again; the values belong to their commits, which stay what they are."""
    )
    night.edit("val_missing", "gate_by_slice")
    player.run('mlver commit -m "validation: patients without measurements; a gate by slice" --ticket INC-1')
    player.run(f"mlver metrics backfill accuracy recall --on {STATIC} --revs v1,v2,night,v4 -- {EVALUATE}")
    player.run("mlver check night --against prod", code=1)
    player.run("mlver metrics matrix 'recall{missing=3+}' --revs v1,v2,night,v4")


def _release(night: Night) -> None:
    player = night.player
    player.scene("22 April, 14:00: v4 goes live", date=f"{NIGHT}T14:00Z", author="cleo")
    player.run('mlver promote staging v4 --reason "INC-1"')
    player.be(date=f"{NIGHT}T14:10Z", author="ben")
    player.run('mlver promote canary v4 --percent 5 --reason "INC-1"')
    player.be(date=f"{NIGHT}T15:00Z", author="ana")
    if night.whole:
        player.run("mlver check v4 --against prod")
    player.run('mlver promote prod v4 --reason "INC-1: labels, imputation and R2 put right"')
