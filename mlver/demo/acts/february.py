"""5 February to 12 March: a project becomes a repository, a rule gets its reason, somebody leaves."""

from __future__ import annotations

from mlver.demo.night import TRAIN, Night


def play(night: Night) -> None:
    """Release v1, add rule R2 because of an alert, and write down what dana watched over."""
    _first_release(night)
    _rule(night)
    _dana_leaves(night)


def _first_release(night: Night) -> None:
    from mlver.demo import world

    player = night.player
    world.lay_out(player.folder, "week0", night.seed)
    player.scene("5 February: a project becomes a repository", date="2024-02-05T10:00Z", author="ana")
    player.say(
        """Three clinics send measurements of breast masses. A model and a few hand-written rules decide who is
        referred to a doctor. Data, model, rules, checks, config and code live in one folder, and from today
        on they are versioned together."""
    )
    player.run("mlver init")
    player.run(TRAIN)
    player.run('mlver commit -m "v1: the history, rule R1"')
    player.run("mlver tag v1")
    player.run('mlver promote prod --reason "first release"')


def _rule(night: Night) -> None:
    player = night.player
    player.scene("11 February: a rule with a reason", date="2024-02-11T04:10Z", author="dana")
    player.run("mlver alerts add null_fraction.worst_radius --id A0020 --severity warn")
    night.edit("add_R2")
    player.say(
        """Many of clinic C's patients come without the 'worst' measurements. Dana adds rule R2: whoever misses three
        or more goes to a doctor. Reason, ticket and alert stay with the change."""
    )
    player.be(date="2024-02-11T04:40Z", author="dana")
    player.run(
        'mlver commit -m "add rule R2" --why "the scanner of clinic C drops the worst block" '
        "--ticket TRI-31 --alert A0020"
    )
    player.run('mlver alerts act A0020 --did "added rule R2" --ticket TRI-31 --commit HEAD')


def _dana_leaves(night: Night) -> None:
    player = night.player
    player.scene("12 March: dana leaves", date="2024-03-12T16:00Z", author="ana")
    player.say(
        """What must hold from now on is written down in mlver.toml, and versioned with the rest: who may put what on
        which stage, what is promised to the clinics, what serves when nothing else may, and that dana is gone."""
    )
    night.edit("stages")
    player.run('mlver commit -m "stages, objectives and a fallback" --why "dana left; what she knew is written down"')
    if night.whole:
        player.run("mlver rules list --owner-left")
        player.say("Rule R2 and thirty bounds have nobody who answers for them any more.")
