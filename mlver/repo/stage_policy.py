"""`[stages.NAME]` of mlver.toml: what has to hold before a commit may go live there.

[stages.prod]
require = ["recall{clinic=*} >= 0.9 on data/val/static.csv", "accuracy >= baseline - 0.01"]
after = "canary"            # the commit was live there before; --skip needs a reason
approvers = ["ana", "ben"]  # nobody else promotes
second_person = true        # whoever promotes did not write the commit
automation = ["cron"]       # needs no second person
no_open_alerts = true       # no open critical alert fired under the commit, nobody marked it bad
lineage = "complete"        # how every model was made is recorded, and its inputs are committed
fresh = true                # no model is older than its inputs
no_leakage = true           # data of training was compared with data that judges, and shares nothing
signed = true               # the commit is signed by its author, whose key counts
require_signed = true       # so is the promotion, by whoever promotes
percents = [5, 25, 100]     # shares of the traffic, in this order
environment = "requirements.txt"  # what serves; models were trained with the same versions
fallback = "models/fallback.json"
models = "plain data"       # of what verdict models may be; both this and `promote` of [policy] hold
"""

from __future__ import annotations

from mlver.frozen import frozen
from mlver.repo.conditions import Condition, parse_condition
from mlver.repo.project import PROJECT_FILE, Project
from mlver.repo.section import Section
from mlver.repo.whole_policy import verdicts_of, whole_policy

COMPLETE = "complete"
_KNOWN = (
    "include", "require", "after", "approvers", "second_person", "automation", "no_open_alerts", "lineage", "fresh",
    "no_leakage", "signed", "require_signed", "percents", "environment", "fallback", "models",
)  # fmt: skip


@frozen
class StagePolicy:
    """What one stage asks for; of a stage nobody wrote about, nothing. `where` names the section."""

    stage: str
    where: str
    require: tuple[Condition, ...] = ()
    after: str | None = None
    approvers: tuple[str, ...] = ()
    second_person: bool = False
    automation: tuple[str, ...] = ()
    no_open_alerts: bool = False
    lineage: bool = False
    fresh: bool = False
    no_leakage: bool = False
    signed: bool = False
    require_signed: bool = False
    percents: tuple[int, ...] = ()
    environment: str | None = None
    fallback: str | None = None
    models: tuple[str, ...] = ()  # verdicts that may go live, empty: all

    @property
    def asks(self) -> bool:
        """Whether it asks for anything at all."""
        plain = (self.second_person, self.no_open_alerts, self.lineage, self.fresh, self.no_leakage, self.signed)
        return any(plain) or bool(
            self.require or self.after or self.approvers or self.percents or self.environment or self.models
        )


def stage_policy(project: Project, stage: str) -> StagePolicy:
    """Return what `stage` asks for; UsageError naming file, line and entry of what makes no sense."""
    section = project.sections("stages").get(stage)
    if section is None:
        return StagePolicy(stage, f"{PROJECT_FILE}: stages.{stage}", models=whole_policy(project).promote)
    section.known(_KNOWN)
    texts = section.texts("require")
    return StagePolicy(
        stage=stage,
        where=section.where,
        require=tuple(parse_condition(text, f"{section.where}.require[{n}]") for n, text in enumerate(texts, 1)),
        after=_after(section, project),
        approvers=section.texts("approvers"),
        second_person=section.flag("second_person"),
        automation=section.texts("automation"),
        no_open_alerts=section.flag("no_open_alerts"),
        lineage=_lineage(section),
        fresh=section.flag("fresh"),
        no_leakage=section.flag("no_leakage"),
        signed=section.flag("signed") or section.flag("require_signed"),
        require_signed=section.flag("require_signed"),
        percents=_percents(section),
        environment=section.text("environment"),
        fallback=section.text("fallback"),
        models=_models(section, project),
    )


def check_policies(project: Project) -> None:
    """Raise UsageError naming the first stage, or the entry of `[policy]`, that makes no sense."""
    whole_policy(project)
    for stage in project.sections("stages"):
        stage_policy(project, stage)


def _after(section: Section, project: Project) -> str | None:
    after, seen = section.text("after"), {section.name}
    before = after
    while before is not None:
        if before in seen:
            raise section.wrong("after", f"{before} comes before itself")
        seen.add(before)
        other = project.sections("stages").get(before)
        before = other.text("after") if other else None
    return after


def _models(section: Section, project: Project) -> tuple[str, ...]:
    own, whole = verdicts_of(section, "models"), whole_policy(project).promote
    return tuple(word for word in own if word in whole) if own and whole else own or whole


def _lineage(section: Section) -> bool:
    value = section.text("lineage")
    if value not in (None, COMPLETE):
        raise section.wrong("lineage", f'must be "{COMPLETE}"')
    return value is not None


def _percents(section: Section) -> tuple[int, ...]:
    value = section.entries.get("percents", [])
    if not isinstance(value, list) or not all(type(item) is int and 1 <= item <= 100 for item in value):
        raise section.wrong("percents", "expected whole numbers from 1 to 100")
    if value != sorted(set(value)):
        raise section.wrong("percents", "they must rise")
    return tuple(value)
