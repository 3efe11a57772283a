"""8 to 21 April: twelve experiments, and three changes that look harmless."""

from __future__ import annotations

from shlex import quote

from mlver.demo.night import EVALUATE, LIVE2, Night


def play(night: Night) -> None:
    """Try things out, label week 2, simplify the imputation, tidy the rules up."""
    if night.whole:
        _experiments(night)
        _is_r2_needed(night)
    _labels(night)
    if night.whole:
        _two_people(night)
    else:
        _one_after_the_other(night)
    _tidying(night)


def _experiments(night: Night) -> None:
    player = night.player
    player.scene("8 to 19 April: twelve experiments", date="2024-04-08T09:00Z", author="cleo")
    player.run("mlver switch -c exp/features")
    player.run("python experiments.py")
    player.be(date="2024-04-19T10:00Z", author="cleo")
    player.run("mlver exp list --metric accuracy")
    player.run("mlver exp frontier --metric accuracy")
    player.say("Nobody wrote a message. What varied and what came of it was recorded anyway.")
    player.run("mlver switch main")
    player.run("mlver log --oneline")


def _is_r2_needed(night: Night) -> None:
    player = night.player
    player.scene("18 April: can rule R2 go?", date="2024-04-18T16:00Z", author="eve")
    player.run(f"mlver rules ablate {LIVE2} --rules 'rules/rules.json#R2' -- {EVALUATE}")
    player.say("The answer is kept, together with the versions of everything it rests on.")


def _labels(night: Night) -> None:
    player = night.player
    player.scene("19 April: new labels", date="2024-04-19T11:00Z", author="temp-07")
    night.edit("labels_w2_flipped")
    player.say("A contractor labels week 2. At clinic C they write 0 for malignant, as scikit-learn does.")
    player.run('mlver commit -m "labels of week 2" --ticket LAB-9')


def _one_after_the_other(night: Night) -> None:
    player = night.player
    player.scene("20 April: a simpler imputation", date="2024-04-20T15:00Z", author="ben")
    night.edit("impute_-1")
    player.run('mlver commit --why "one less statistic to keep up to date"')
    player.say("No message was given; this one was written from the diff.")

    player.scene("20 April: an unrelated good change", date="2024-04-20T17:00Z", author="cleo")
    night.edit("max_iter_3000")
    player.run('mlver commit --why "silences the convergence warning"')


def _two_people(night: Night) -> None:
    player, hub, copy = night.player, night.hub, night.colleague
    player.scene("20 April: two people, one file", date="2024-04-20T14:00Z", author="ana")
    player.run(f"mlver init --bare {quote(f'../{hub.name}')}")
    player.run(f"mlver remote add origin {quote(f'../{hub.name}')}")
    player.run("mlver push")
    player.be(date="2024-04-20T15:00Z", author="ben")
    player.run(f"mlver clone ../{quote(hub.name)} ../{quote(copy.name)}")
    night.edit("impute_-1", folder=copy)
    player.run('mlver commit --why "one less statistic to keep up to date"', folder=copy)
    player.run("mlver push", folder=copy)
    player.say("No message was given; this one was written from the diff. Cleo, meanwhile, works on the same file.")
    player.be(date="2024-04-20T17:00Z", author="cleo")
    night.edit("max_iter_3000")
    player.run('mlver commit --why "silences the convergence warning"')
    player.run("mlver pull")
    player.say("Two settings of one file are two units: there was nothing to resolve.")
    player.run("mlver blame config/pipeline.json")


def _tidying(night: Night) -> None:
    player = night.player
    player.scene("21 April: tidying up", date="2024-04-21T20:40Z", author="eve")
    if night.whole:
        player.run("mlver status")
        player.say("The answer about R2 is stale: the config is another now. It is easy to overlook.")
    night.edit("drop_R2")
    player.run('mlver commit -m "remove rule R2" --why "0 hits in week 2, the model handles it"')
