"""`[policy]` of mlver.toml: what the repository as a whole asks for, whatever the stage.

[policy]
allowed_signers = "keys/allowed_signers"   # whose signatures count, see signers.py
promote = "plain data"                     # no other model goes live anywhere; or ["plain data", "unknown"]
"""

from __future__ import annotations

from mlver.frozen import frozen
from mlver.kinds.verdicts import PLAIN, VERDICTS
from mlver.repo.project import Project
from mlver.repo.section import Section

SIGNERS = "allowed_signers"
PROMOTE = "promote"
_KNOWN = (SIGNERS, PROMOTE)


@frozen
class WholePolicy:
    """What `[policy]` says: the path of the list of signers; the verdicts of models that go live (empty: all)."""

    allowed_signers: str | None = None
    promote: tuple[str, ...] = ()


def whole_policy(project: Project) -> WholePolicy:
    """Return what `[policy]` says; UsageError naming file, line and entry of what makes no sense."""
    section = project.policy
    section.known(_KNOWN)
    return WholePolicy(section.text(SIGNERS), verdicts_of(section, PROMOTE))


def verdicts_of(section: Section, entry: str) -> tuple[str, ...]:
    """Return the verdicts an entry names, in the order of `VERDICTS`; none when it is not there.

    `plain data` must be among them: what lets worse through lets that through.
    """
    if entry not in section.entries:
        return ()
    named = section.texts(entry)
    wrong = next((word for word in named if word not in VERDICTS), None)
    if wrong is not None:
        raise section.wrong(entry, f"no verdict on a model is called {wrong!r}; there are {', '.join(VERDICTS)}")
    if PLAIN not in named:
        raise section.wrong(entry, f"must name {PLAIN!r}")
    return tuple(word for word in VERDICTS if word in named)
