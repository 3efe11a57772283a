"""What `repair` mended, and what is damaged still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import OperationId
from mlver.objects.result import Result
from mlver.verbs.fsck import Problem


@frozen
class Mended:
    """One thing that is right again: `what` names it as fsck does (`head.0`, `ops/3f…`, `what prod serves`)."""

    what: str
    how: str


@frozen
class RepairResult(Result):
    """`ok` is true when nothing is damaged any more. With `dry_run` all of it is what would be.

    `mended` lists files, `objects` counts what became readable again: `untangled` without any copy, `taken` from
    each place that had a good copy. `carried` objects were sound and are in a new pack now. `quarantine` holds, as
    paths below `.mlver`, the packs that were set aside by `operation`. `left` is what is damaged still, and hurts.
    """

    schema: ClassVar[str] = "mlver.repair/v1"
    ok: bool
    dry_run: bool
    mended: tuple[Mended, ...] = ()
    untangled: int = 0
    taken: Mapping[str, int] = field(default_factory=dict)
    carried: int = 0
    packs: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()
    operation: OperationId | None = None
    left: tuple[Problem, ...] = ()

    @property
    def objects(self) -> int:
        """Objects that can be read again."""
        return self.untangled + sum(self.taken.values())

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.mended or self.objects or self.packs or self.quarantine)
