"""What a model is, in a line and a few numbers, from its units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlver.kinds.base import MISSING, Units, Value
from mlver.kinds.models.paths import ROOT_CLASS, join
from mlver.kinds.models.trees import is_tree

_COUNTED = (("trees", "tree"), ("layers", "layer"), ("nodes", "node"))
_IMPORTS = 40
_STEPS = ("steps", "transformer_list", "transformers")


def facts(units: Units) -> Mapping[str, Value]:
    """Return class, format, library version, number of parameters, arrays and array elements, and the verdict.

    Some formats add to it: `trees`, `layers`, `opset`, `objective`. What only the file itself tells
    (format, verdict) is missing from units that were not read just now.
    """
    loaded: Any = getattr(units, "loaded", None)
    arrays = [value for key in list(units.keys()) if is_array(value := units.get(key))]
    said: dict[str, Value] = {}
    if name := model_class(units):
        said["class"] = name
    if loaded is not None:
        said["format"] = loaded.format
        said |= {key: value for key, value in loaded.facts.items() if key != "library"}
    if library := _library(units):
        said["library"] = library
    said["parameters"] = sum(is_parameter(value) for value in map(units.get, units.keys()))
    said["arrays"] = len(arrays)
    said["elements"] = sum(_count(value["shape"]) for value in arrays)
    if loaded is not None:
        said["verdict"] = loaded.verdict
        if loaded.imports:
            said["imports"] = [*loaded.imports[:_IMPORTS], *_more(len(loaded.imports) - _IMPORTS)]
        if loaded.running:
            said["runs"] = list(loaded.running[:20])
        if loaded.oddities:
            said["oddities"] = list(loaded.oddities)
        if loaded.missing:
            said["missing"] = loaded.missing
    return said


def _more(count: int) -> list[str]:
    return [f"{count} more"] if count > 0 else []


def is_array(value: Value) -> bool:
    """Whether a unit's value is that of an array."""
    return isinstance(value, dict) and "shape" in value and "dtype" in value


def is_class(value: Value) -> bool:
    """Whether a unit's value is the class of an object."""
    return (
        isinstance(value, dict) and isinstance(value.get("class"), str) and not is_array(value) and not is_tree(value)
    )


def is_parameter(value: Value) -> bool:
    """Whether a unit's value is neither an array, nor a tree, nor the class of an object."""
    return not is_array(value) and not is_class(value) and not is_tree(value)


def size_text(said: Mapping[str, Value]) -> str:
    """Return how large a model is, from its facts, in the words that fit: `100 trees`, `3 layers, 529 weights`."""
    parts = [_counted(said[key], word) for key, word in _COUNTED if type(said.get(key)) is int]
    if "trees" in said or (said["parameters"] and not parts):
        parts.append(_counted(said["parameters"], "parameter"))
    if not parts or (len(parts) == 1 and not said.get("trees") and not said.get("layers")):
        parts.append(_counted(said["arrays"], "array"))
    if said["parameters"] < said["arrays"] or "layers" in said:
        parts.append(_counted(said["elements"], "weight"))
    return ", ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def model_class(units: Units) -> str:
    """Return `Pipeline(StandardScaler, LogisticRegression)` for the outermost model, `""` when there is none."""
    if title := _title(units):
        return title
    path = _root(units)
    return "" if path is None else _named(units, path, 0)


def short_class(units: Units) -> str:
    """Return the one class name that says most: of a pipeline the last step's. `""` when there is none."""
    if title := _title(units):
        return title
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


def _title(units: Units) -> str:
    return str(getattr(getattr(units, "loaded", None), "title", ""))


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
    told = getattr(getattr(units, "loaded", None), "facts", {}).get("library")
    if isinstance(told, str):
        return told
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
