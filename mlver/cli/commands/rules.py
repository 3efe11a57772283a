"""`mlver rules`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session

Data = Annotated[str, typer.Argument(metavar="DATA", help="A table: PATH or PATH@REV.", autocompletion=complete.path)]
Rules = Annotated[
    str | None,
    typer.Option(
        "--rules", metavar="PATH[#RULE]", help="Only these; every file of rules.", autocompletion=complete.path
    ),
]
Rev = Annotated[
    str | None,
    typer.Option("--rev", metavar="REV", help="The rules of then; those here.", autocompletion=complete.revision),
]
By = Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Count per value of this column.")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="Name at most N rows of each; 10.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="For one condition; 60.", hidden=True)
]


class _Group(DefaultGroup):
    default = "list"


app = new_app(cls=_Group)


@app.callback()
def rules() -> None:
    """Which rules there are, how often they fire, and whether one can go.

    Rules, checks and bounds are tested as conditions over the rows of a table, in a sandbox that reaches no
    file and no network. Without a command, `list` is meant.
    """


@verb(
    app,
    "list",
    examples=[
        ("mlver rules list", "which rules need somebody's attention?"),
        ("mlver rules list --owner-left", "whose owner is gone?"),
        ("mlver rules list --never-fired --rev prod", "which of those that are live never did anything?"),
    ],
)
def list_(
    session: Session,
    rev: Rev = None,
    rules: Rules = None,
    never_fired: Annotated[bool, typer.Option("--never-fired", help="Only those never seen to fire.")] = False,
    owner_left: Annotated[
        bool, typer.Option("--owner-left", help="Only those whose owner left, says mlver.toml.")
    ] = False,
    expired: Annotated[bool, typer.Option("--expired", help="Only those past their date.")] = False,
) -> None:
    """List rules, those that need attention first.

    Age and author come from blame, hits from `rules check`, the last answer from `rules ablate`. Who left is
    said in mlver.toml: [people.dana] left = 2024-03-12.
    """
    from mlver.render.rules import rules_page
    from mlver.verbs.rules_list import list_rules

    with session.open() as repo:
        result = list_rules(repo, rev=rev, rules=rules, never_fired=never_fired, owner_left=owner_left, expired=expired)
    session.show(result, lambda: rules_page(result), [f"{rule.path}#{rule.id}" for rule in result.rules])


@verb(
    app,
    dated=True,
    examples=[
        ("mlver rules check data/live/w3.csv --by clinic", "which rules fire, and where?"),
        ("mlver rules check data/live/w3.csv --rules 'rules/rules.json#R2'", "one of them"),
        ("mlver rules check data/live/w3.csv@prod --rev prod", "as it was live"),
    ],
    exits={1: "a bound or a check is broken"},
)
def check(
    session: Session,
    data: Data,
    rules: Rules = None,
    rev: Rev = None,
    by: By = None,
    limit: Limit = 10,
    timeout: Timeout = None,
    no_record: Annotated[bool, typer.Option("--no-record", help="Keep no record of the answer.")] = False,
) -> int:
    """Test rules on a table: where each fires, and which bounds are broken.

    The answer is kept for the content of rules and data, for `rules list` and `show`.
    """
    from mlver.cli.paths import any_target
    from mlver.render.rules import check_page
    from mlver.verbs.rules_check import check_rules

    with session.open() as repo:
        data, rules = any_target(repo, session.cwd, data), rules and any_target(repo, session.cwd, rules)
        result = check_rules(
            repo, data, rules=rules, rev=rev, by=by, limit=limit, record=not no_record, timeout=timeout
        )
    fired = [f"{rule.path}#{rule.id}" for rule in result.rules if rule.hits or rule.broken]
    session.show(result, lambda: check_page(result), fired)
    return 1 if result.broken else 0


@verb(
    app,
    examples=[
        ("mlver rules replay prod~1 prod data/live/w3.csv --by clinic", "whose decision is another?"),
        ("mlver rules replay HEAD . data/live/w3.csv", "and with the edit in the work tree?"),
    ],
)
def replay(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A revision.", autocompletion=complete.revision)],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="A revision; `.` is the work tree.", autocompletion=complete.revision)
    ],
    data: Data,
    rules: Rules = None,
    by: By = None,
    limit: Limit = 10,
    timeout: Timeout = None,
) -> None:
    """Decide every row by two versions of the rules; show the rows whose decision differs."""
    from mlver.cli.paths import any_target
    from mlver.render.rule_trials import replay_page
    from mlver.verbs.rules_replay import replay_rules

    with session.open() as repo:
        data, rules = any_target(repo, session.cwd, data), rules and any_target(repo, session.cwd, rules)
        result = replay_rules(repo, old, new, data, rules=rules, by=by, limit=limit, timeout=timeout)
    session.show(result, lambda: replay_page(result), [key for flip in result.flips for key in flip.keys])


@verb(
    app,
    after_dashes=True,
    dated=True,
    examples=[
        ("mlver rules ablate data/live/w3.csv -- python evaluate.py {data}", "can a rule go?"),
        (
            "mlver rules ablate data/live/w3.csv --metric 'recall{clinic=C} >= 0.9' -- python evaluate.py {data}",
            "by this measure",
        ),
        ("mlver rules ablate --show", "all answers so far, and whether they still hold"),
    ],
    exits={1: "the command gave no answer; nothing is kept"},
)
def ablate(
    session: Session,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="A table: PATH or PATH@REV.", autocompletion=complete.path),
    ] = None,
    words: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="What measures.")] = None,
    rules: Rules = None,
    rev: Annotated[
        str, typer.Option("--rev", metavar="REV", help="The bundle; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="CONDITION", help="Must hold without the rule, or a metric.")
    ] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Each two rules off together, as well.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="For one run of the command.")
    ] = 600.0,
    show: Annotated[bool, typer.Option("--show", help="Show the answers so far.")] = False,
) -> None:
    """Find out whether a rule can go: measure without it.

    The command runs in a scratch folder with the whole bundle, once with every rule and once without each that
    fires on this table. It prints its metrics as JSON, or writes them to {out}; {data} is the table. A verdict
    is kept with the versions of everything it rests on, and is shown as stale when one of them changes.
    """
    from mlver.cli.paths import any_target
    from mlver.errors import UsageError
    from mlver.render.rule_trials import ablate_page
    from mlver.verbs.rules_ablate import ablate_rules, ablations_of

    command = (*(words or ()), *(session.after_dashes or ()))
    with session.open() as repo:
        if show:
            result = ablations_of(repo, rule=rules.partition("#")[2] or None if rules else None)
        elif data is None:
            raise UsageError("no table is named", hint="mlver rules ablate DATA -- COMMAND, or --show")
        else:
            data, rules = any_target(repo, session.cwd, data), rules and any_target(repo, session.cwd, rules)
            with session.progress() as progress:
                result = ablate_rules(
                    repo, data, command, rules=rules, rev=rev, metrics=metric or [], pairs=pairs, timeout=timeout,
                    environment=dict(os.environ), progress=progress,
                )  # fmt: skip
    session.show(
        result,
        lambda: ablate_page(result),
        [f"{one.rules}#{'+'.join(a.off)}: {a.verdict}" for one in result.ablations for a in one.answers],
    )


@verb(
    app,
    examples=[
        ("mlver rules backtest 'data/live/*.csv' --set 'mean radius.max=20,25,30'", "which limit would have told?"),
        ("mlver rules backtest data/train.csv --where 'n_missing >= 3'", "and this condition?"),
    ],
)
def backtest(
    session: Session,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A path or a glob; all its versions.", autocompletion=complete.path)
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="COLUMN.FIELD=VALUE,...", help="A bound: max, min, nulls ...")
    ] = None,
    where: Annotated[list[str] | None, typer.Option("--where", metavar="CONDITION", help="A condition.")] = None,
    at_least: Annotated[
        float, typer.Option("--above", min=0.0, max=1.0, metavar="SHARE", help="Fires above this share of rows; 0.")
    ] = 0.0,
    timeout: Timeout = None,
) -> None:
    """Try bounds and conditions on every past version of the data, before anybody is paged by them.

    A version was a bad one when an alert that was acted on fired while it was the current one, or when a commit
    that holds it is marked bad: `true` is fired and bad, `missed` is bad and silent.
    """
    from mlver.cli.paths import any_target
    from mlver.cli.values import parse_pairs, parse_value
    from mlver.render.rule_trials import backtest_page
    from mlver.verbs.rules_backtest import backtest_rules

    pairs = {name: str(value) for name, value in parse_pairs(set_ or []).items()}
    settings = {name: [parse_value(one.strip()) for one in text.split(",")] for name, text in pairs.items()}
    with session.open() as repo:
        data = any_target(repo, session.cwd, data)
        result = backtest_rules(repo, data, settings=settings, where=where or [], at_least=at_least, timeout=timeout)
    session.show(result, lambda: backtest_page(result), [one.name for one in result.backtests])


@verb(
    app,
    dated=True,
    examples=[
        ("mlver rules leakage data/train.csv data/val/static.csv", "may this data judge that model?"),
        ("mlver rules leakage data/train.csv@prod data/val/static.csv --label ill", "what is live; the label's name"),
    ],
    exits={1: "something leaked"},
)
def leakage(
    session: Session,
    train: Annotated[
        str,
        typer.Argument(metavar="TRAIN", help="A table of training: PATH or PATH@REV.", autocompletion=complete.path),
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A table that judges: PATH or PATH@REV.", autocompletion=complete.path)
    ],
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="What is foretold; label, target, y or class.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="What orders rows; the only column of times.")
    ] = None,
    limit: Limit = 10,
    no_record: Annotated[bool, typer.Option("--no-record", help="Keep no record of the answer.")] = False,
) -> int:
    """Find what the data of training shares with the data that judges.

    Looks for rows of the same name, rows that say the same under another name, columns that tell the label, and rows
    of training that are younger than those that judge. The answer is kept for both contents; a stage of mlver.toml
    with `no_leakage = true` asks for it.
    """
    from mlver.cli.paths import any_target
    from mlver.render.leakage import leakage_page
    from mlver.verbs.rules_leakage import find_leakage

    with session.open() as repo:
        train, data = any_target(repo, session.cwd, train), any_target(repo, session.cwd, data)
        result = find_leakage(repo, train, data, label=label, time=time, limit=limit, record=not no_record)
    session.show(result, lambda: leakage_page(result), [leak.text for leak in result.leaks])
    return 1 if result.leaks else 0
