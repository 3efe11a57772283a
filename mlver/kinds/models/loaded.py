"""What one model file holds, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.symbols import UNKNOWN


@frozen
class Loaded:
    """What one model file holds. `verdict` is of loading it with its own library; `running` the names behind it.

    `imports` are all names it would import, `unlisted` those that are neither known to make data nor to run code.

    `title` says what the model is where no class does (`XGBoost`, `state dict`). `facts` are numbers
    and words worth showing (`trees`, `layers`, `opset`). `importance` works out the share each
    feature has in the splits of a tree ensemble, on demand. `missing` names what another reader
    would show of this file, and how to get that reader.
    """

    format: str
    units: Mapping[str, Value]
    arrays: Mapping[str, ArrayData]
    verdict: str = UNKNOWN
    running: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    title: str = ""
    facts: Mapping[str, Value] = field(default_factory=dict)
    importance: Callable[[], Mapping[str, float]] | None = None
    missing: str = ""
    imports: tuple[str, ...] = ()


class UnreadableModel(Unreadable):
    """A model file that could not be read to its end, and what was seen of it before that.

    Loading it would have imported `imports` before it failed, so `verdict` is that of what was read: UNKNOWN or RUNS.
    """

    def __init__(self, reason: str, verdict: str = UNKNOWN, imports: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.imports = imports

    @property
    def known(self) -> Mapping[str, Value]:
        """See `Unreadable.known`: the verdict, and what was imported before the end."""
        return {"verdict": self.verdict, **({"imports": list(self.imports[:40])} if self.imports else {})}
