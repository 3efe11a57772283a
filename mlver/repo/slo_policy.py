"""Service level objectives: what has to hold while something is live. `[slo.NAME]` of mlver.toml.

[slo.triage]
require = ["recall{clinic=C} >= 0.9", "recall{*} >= 0.95"]
stage = "prod"
on = "data/live/*"
owner = "ana"
description = "what the clinics were promised"
"""

from __future__ import annotations

from mlver.frozen import frozen
from mlver.repo.conditions import Condition, parse_condition
from mlver.repo.project import Project
from mlver.repo.section import Section

_ENTRIES = ("require", "stage", "scope", "on", "owner", "description")
STAGE = "prod"


@frozen
class Objective:
    """One objective: every condition of `require` holds for what is live on `stage` (`scope` None: for all scopes).

    `on` are patterns of the datasets that tell; without any, those that are no part of the release count.
    `where` is the file, line and header that define it.
    """

    name: str
    require: tuple[Condition, ...]
    stage: str = STAGE
    scope: str | None = None
    on: tuple[str, ...] = ()
    owner: str | None = None
    description: str | None = None
    where: str = ""


def objectives(project: Project) -> tuple[Objective, ...]:
    """Return the objectives of a project, in their order; UsageError naming file, line and entry."""
    return tuple(_objective(section) for section in project.sections("slo").values())


def _objective(section: Section) -> Objective:
    section.known(_ENTRIES)
    texts = section.texts("require")
    if not texts:
        raise section.wrong("require", 'expected conditions, such as ["recall{clinic=C} >= 0.9"]')
    conditions = tuple(parse_condition(text, f"{section.where}.require") for text in texts)
    for condition in conditions:
        if condition.needs_baseline:
            raise section.wrong("require", f"{condition.text!r} compares with a baseline, and an objective has none")
    return Objective(
        name=section.name,
        require=conditions,
        stage=section.text("stage") or STAGE,
        scope=section.text("scope"),
        on=section.texts("on"),
        owner=section.text("owner"),
        description=section.text("description"),
        where=section.where,
    )
