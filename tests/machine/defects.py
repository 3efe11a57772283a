"""Defects to put into mlver on purpose: the machine must find each, or it proves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from mlver.index.stats import pack
from mlver.repo import overlay
from mlver.repo.moves import with_joined
from mlver.repo.snapshot import Snapshot
from mlver.verbs import commit as commit_verb
from mlver.verbs import merge_lay


def _undo_leaves_stages(view: Any, since: int, chain: Any) -> Any:
    log = list(chain)
    return replace(with_joined(view, since, log), stages=log[0][1].view.stages)


_snapshot = commit_verb._Commit._snapshot


def _commit_keeps_deleted(self: Any, *words: Any) -> Snapshot:
    made = _snapshot(self, *words)
    kept = {**self.before.artifacts, **made.artifacts}
    return Snapshot(dict(sorted(kept.items())), made._opener)


def _merge_forgets_a_parent(repo: Any, view: Any, merging: Any, plan: Any) -> Any:
    return _merge_commit(repo, view, replace(merging, parents=()), plan)


_merge_commit = merge_lay._commit


def _sizes(fields: Any) -> bytes:
    return pack([(mode, size, 0, 0, 1) for mode, size, *_ in fields])


def _write_alone(store: Any, folder: Any, steps: Any, **words: Any) -> None:
    _carry_out(store, folder, [step for step in steps if step.new is not None], **words)


_carry_out = overlay.carry_out


# name -> what is replaced by what
DEFECTS: Mapping[str, tuple[str, Any]] = {
    "undo leaves stages as they are": ("mlver.verbs.undo.with_joined", _undo_leaves_stages),
    "undo leaves links as they are": ("mlver.verbs.undo.settle_after", lambda repo: None),
    "commit keeps deleted files": ("mlver.verbs.commit._Commit._snapshot", _commit_keeps_deleted),
    "gc forgets what was live": ("mlver.verbs.gc_survey.ledger_roots", lambda log: iter(())),
    "gc forgets facts": ("mlver.verbs.gc_survey.fact_roots", lambda *words: iter(())),
    "gc forgets older operations": ("mlver.verbs.gc_survey.operation_roots", lambda log, since: iter(())),
    "gc forgets tags and branches": ("mlver.verbs.gc_survey.view_roots", lambda view: []),
    "a merge has one parent": ("mlver.verbs.merge_lay._commit", _merge_forgets_a_parent),
    "switch leaves files of the old branch": ("mlver.verbs.switch.carry_out", _write_alone),
    "the same size passes for the same bytes": (
        "mlver.repo.scan.pack mlver.index.stats.Stat.settled",
        (_sizes, lambda stat: True),
    ),
    "push moves branches back": ("mlver.verbs.push._moves_on", lambda *words: True),
}


@contextmanager
def defect(name: str) -> Iterator[None]:
    """Put one defect in."""
    where, what = DEFECTS[name]
    with ExitStack() as stack:
        for one, other in zip(where.split(), what if isinstance(what, tuple) else (what,), strict=True):
            stack.enter_context(patch(one, other))
        yield
