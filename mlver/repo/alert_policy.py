"""`[alerts.TYPE]` of mlver.toml: after how long an alert that nobody did anything about counts as ignored.

    [alerts.default]
    ignored_after = "14d"          # what holds when nothing is said

    [alerts."null_fraction"]       # and every null_fraction.COLUMN; the longest name that fits counts
    ignored_after = "never"

An alert that wakes people is never ignored by itself: it stays open until somebody settles it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from mlver.errors import LocalIO, UsageError
from mlver.frozen import frozen
from mlver.objects.time import parse_span
from mlver.repo.project import Project
from mlver.repo.section import Section

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

DEFAULT = "default"
NEVER = "never"
_IGNORED_AFTER = "ignored_after"
_TWO_WEEKS = timedelta(days=14)


@frozen
class AlertPolicy:
    """How long an alert of each type waits for somebody; None for ever."""

    spans: Mapping[str, timedelta | None] = field(default_factory=dict)

    def ignored_after(self, type: str) -> timedelta | None:
        """Return after how long an alert of a type counts as ignored, None for never."""
        named = max((name for name in self.spans if name != DEFAULT and covers_type(name, type)), key=len, default=None)
        return self.spans[named] if named is not None else self.spans.get(DEFAULT, _TWO_WEEKS)


def covers_type(name: str, type: str) -> bool:
    """Whether `name` names this type, or a family of types that it belongs to (`psi` names `psi.mean_texture`)."""
    return type == name or type.startswith(f"{name}.")


def alert_policy(project: Project) -> AlertPolicy:
    """Return what a mlver.toml says; UsageError naming file, line and entry when it is malformed."""
    spans: dict[str, timedelta | None] = {}
    for name, section in project.sections("alerts").items():
        section.known([_IGNORED_AFTER])
        if (text := section.text(_IGNORED_AFTER)) is not None:
            spans[name] = _span(section, text)
    return AlertPolicy(spans)


def lenient_policy(repo: Repository) -> AlertPolicy:
    """Return what the mlver.toml of the work tree says; what holds without one when it cannot be read.

    For those who ask what is wrong with prod: a typo in a file that they did not touch must not keep it from them.
    """
    try:
        return alert_policy(repo.project())
    except (UsageError, LocalIO):
        return AlertPolicy()


def _span(section: Section, text: str) -> timedelta | None:
    if text == NEVER:
        return None
    try:
        return parse_span(text)
    except UsageError as error:
        raise UsageError(section.wrong(_IGNORED_AFTER, error.message).message, hint='write "14d", or "never"') from None
