"""What a model is, in a line and a few numbers, from its units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlver.kinds.base import MISSING, Units, Value
from mlver.kinds.models.paths import ROOT_CLASS, join

_STEPS = ("steps", "transformer_list", "transformers")


def facts(units: Units) -> Mapping[str, Value]:
    """Return class, format, library version, number of parameters, arrays and array elements, and the verdict.

    What only the file itself tells (format, verdict) is missing from units that were not read just now.
    """
    arrays = [value for key in list(units.keys()) if is_array(value := units.get(key))]
    said: dict[str, Value] = {}
    if name := model_class(units):
        said["class"] = name
    loaded: Any = getattr(units, "loaded", None)
    if loaded is not None:
        said["format"] = loaded.format
    if library := _library(units):
        said["library"] = library
    said["parameters"] = sum(not is_array(value) and not is_class(value) for value in map(units.get, units.keys()))
    said["arrays"] = len(arrays)
    said["elements"] = sum(_count(value["shape"]) for value in arrays)
    if loaded is not None:
        said["verdict"] = loaded.verdict
        if loaded.running:
            said["runs"] = list(loaded.running[:20])
        if loaded.oddities:
            said["oddities"] = list(loaded.oddities)
    return said


def is_array(value: Value) -> bool:
    """Whether a unit's value is that of an array."""
    return isinstance(value, dict) and "shape" in value and "dtype" in value


def is_class(value: Value) -> bool:
    """Whether a unit's value is the class of an object."""
    return isinstance(value, dict) and isinstance(value.get("class"), str) and not is_array(value)


def model_class(units: Units) -> str:
    """Return `Pipeline(StandardScaler, LogisticRegression)` for the outermost model, `""` when there is none."""
    path = _root(units)
    return "" if path is None else _named(units, path, 0)


def short_class(units: Units) -> str:
    """Return the one class name that says most: of a pipeline the last step's. `""` when there is none."""
    path = _root(units)
    for _ in range(5):
        if path is None:
            return ""
        steps = units.get(join(path, "steps"))
        if (
            not isinstance(steps, list)
            or not steps
            or not is_class(units.get(last := join(path, f"steps.{steps[-1]}")))
        ):
            return _short(units.get(path or ROOT_CLASS))
        path = last
    return _short(units.get(path or ROOT_CLASS))


def _root(units: Units) -> str | None:
    if is_class(units.get(ROOT_CLASS)):
        return ""
    found = [key for key in list(units.keys()) if not key.startswith("__") and is_class(units.get(key))]
    return min(found, key=lambda key: key.count("."), default=None)


def _named(units: Units, path: str, depth: int) -> str:
    name = _short(units.get(path or ROOT_CLASS))
    for attribute in _STEPS:
        steps = units.get(join(path, attribute))
        if isinstance(steps, list) and depth < 4:
            paths = [join(path, f"{attribute}.{step}") for step in steps[:12]]
            parts = [_named(units, step, depth + 1) for step in paths if is_class(units.get(step))]
            return f"{name}({', '.join(parts)})" if parts else name
    return name


def _short(value: Value) -> str:
    return str(value["class"]).rpartition(".")[2] if is_class(value) else ""


def _library(units: Units) -> str:
    for key in list(units.keys()):
        if key.endswith("_sklearn_version") and isinstance(version := units.get(key), str):
            return f"scikit-learn {version}"
    version = units.get("metadata.format")
    return f"safetensors ({version})" if version is not MISSING and isinstance(version, str) else ""


def _count(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
