"""What one model file holds, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlver.kinds.base import Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.symbols import PLAIN


@dataclass(frozen=True)
class Loaded:
    """What one model file holds. `verdict` is of loading it with its own library; `running` the names behind it.

    `title` says what the model is where no class does (`XGBoost`, `state dict`). `facts` are numbers
    and words worth showing (`trees`, `layers`, `opset`). `importance` works out the share each
    feature has in the splits of a tree ensemble, on demand. `missing` names what another reader
    would show of this file, and how to get that reader.
    """

    format: str
    units: Mapping[str, Value]
    arrays: Mapping[str, ArrayData]
    verdict: str = PLAIN
    running: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    title: str = ""
    facts: Mapping[str, Value] = field(default_factory=dict)
    importance: Callable[[], Mapping[str, float]] | None = None
    missing: str = ""
