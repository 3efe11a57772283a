"""Models of every common format, as dotted paths of parameters and arrays; see `models/load.py` for the list.

Nothing of a file is imported or run; see `models/pickle_vm.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mlver.kinds.base import Comparison, Delta, Kind, Source, Spec, Units, Value, short_json
from mlver.kinds.recognise import score

if TYPE_CHECKING:
    from mlver.kinds.models.arrays import ArrayData
    from mlver.kinds.models.loaded import Loaded


class ModelUnits(Units):
    """The units of one model file, with its arrays at hand. Large arrays stay in the file until asked for."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.units)
        self.loaded = loaded

    def array(self, path: str) -> ArrayData | None:
        """The array behind a unit; None when the unit is none."""
        return self.loaded.arrays.get(path)

    @property
    def verdict(self) -> str:
        """What loading the file would do as far as its names tell: `plain data`, `unknown` or `runs code`."""
        return self.loaded.verdict


class ModelKind(Kind):
    """Model files; diff says which parameters changed and how far arrays moved."""

    name: ClassVar[str] = "model"
    order: ClassVar[int] = 40

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of model suffixes; likely of documents and binary files in `models/`, and of pickles anywhere."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> Units:
        """See `Kind.units`; the result is a `ModelUnits`."""
        from mlver.kinds.models.load import load

        return ModelUnits(load(source))

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """See `Kind.compare`: parameters changed, and a table of the arrays that moved, most moved first."""
        from mlver.kinds.models.compare import compare_models

        return compare_models(old, new, delta)

    def text(self, key: str, value: Value) -> str:
        """See `Kind.text`: an array as `float64 1x30`, its values when few, else the start of its digest."""
        if isinstance(value, dict) and "shape" in value and "dtype" in value:
            shape = "x".join(map(str, value["shape"])) or "scalar"
            what = (
                f" {short_json(value['values'], 120)}" if "values" in value else f" {str(value.get('digest', ''))[:12]}"
            )
            return _visible(f"{value['dtype']} {shape}{what}".rstrip())
        if isinstance(value, dict) and "tree" in value and "leaves" in value:
            return f"tree of {value['leaves']} leaves {str(value['tree'])[:12]}"
        if isinstance(value, dict) and isinstance(value.get("class"), str):
            inside = short_json({key: part for key, part in value.items() if key != "class"})
            return _visible(value["class"] if inside == "{}" else f"{value['class']} {inside}")
        return _visible(short_json(value))

    def change_text(self, key: str, old: Value, new: Value) -> tuple[str, str]:
        """See `Kind.change_text`; of arrays the whole is told, how far they moved is in `compare`."""
        return self.text(key, old), self.text(key, new)

    def summary(self, units: Units) -> Mapping[str, Value]:
        """See `Kind.summary`: class, format, library version, counts, and the verdict on loading the file."""
        from mlver.kinds.models.describe import facts

        return facts(units)


def _visible(text: str) -> str:
    """Return `text` with control characters written out: it comes from a file nobody vouches for."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
