"""How often a version of a dataset decided what goes live.

Each decision tells a little about the dataset, until it is no judge any more (C. Renggli et al., Continuous
integration of machine learning models with ease.ml/ci, SysML 2019): validation data has a shelf life.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId
from mlver.repo.ledger import ledger_of

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def uses(repo: Repository, dataset_id: BlobId) -> int:
    """Return how many promotions, let through or refused, were decided by a gate on this version of a dataset."""
    from mlver.repo.refusal_facts import REFUSAL

    let_through = {(e.stage, e.scope, e.since): _gate(e.live.evidence) for e in ledger_of(repo)}
    refused = [fact.body.get("rows") for fact in repo.facts.of(REFUSAL)] if repo.view.facts else []
    return sum(_rests_on(rows, dataset_id.hex()) for rows in [*let_through.values(), *refused])


def _gate(evidence: Plain) -> Plain:
    return evidence.get("gate") if isinstance(evidence, Mapping) else None


def _rests_on(rows: Plain, dataset_id: str) -> bool:
    return isinstance(rows, list) and any(
        isinstance(row, Mapping) and row.get("dataset_id") == dataset_id for row in rows
    )
