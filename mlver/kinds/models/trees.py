"""Ensembles of scikit-learn's trees: one unit per tree instead of some thirty, and feature importances.

Nobody asks for `estimators_.37.min_samples_leaf`; that trees were added or grew otherwise is the news.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import blake3

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.loaded import Loaded

if TYPE_CHECKING:
    import numpy as np

_TREE: Final = re.compile(r"((?:.*\.)?(?:estimators_|_predictors)(?:\.\d+){1,2})\.(tree_\.nodes|nodes)")
_NUMBERED: Final = re.compile(r"((?:.*\.)?(?:estimators_|_predictors)(?:\.\d+){1,2})(?:\.|$)")
_SHAPE: Final = re.compile(r"(?:.*\.)?(?:estimators_|_predictors)")


def is_tree(value: Value) -> bool:
    """Whether a unit's value is that of one tree of an ensemble."""
    return isinstance(value, dict) and "tree" in value and "leaves" in value


def gathered(loaded: Loaded) -> Loaded:
    """Return `loaded` with the units of each tree of an ensemble made one.

    Its `tree` is the digest of what the tree decides by, `settings` that of the rest (parameters, the
    state of random numbers), which a longer training of the same trees changes as well.
    """
    nodes = {found[1]: path for path in loaded.arrays if (found := _TREE.fullmatch(path))}
    if not nodes:
        return loaded
    parts: dict[str, dict[str, Value]] = {path: {} for path in nodes}
    units: dict[str, Value] = {}
    for path, value in loaded.units.items():
        inside = _tree_of(path, parts)
        if inside is None:
            units[path] = value
            continue
        if not parts[inside]:
            units[inside] = None  # its place in the order
        parts[inside][path[len(inside) + 1 :]] = value
    for path, inner in parts.items():
        units[path] = _value(inner, loaded.arrays[nodes[path]])
    for path in [path for path in units if _SHAPE.fullmatch(path) and f"{path}.0" not in units.keys() - parts.keys()]:
        if any(tree.startswith(f"{path}.") for tree in parts) and isinstance(units[path], dict):
            del units[path]  # the shape of the list of trees
    arrays = {path: array for path, array in loaded.arrays.items() if path in units}
    kept = {tree: loaded.arrays[path] for tree, path in nodes.items()}
    return replace(
        loaded,
        units=units,
        arrays=arrays,
        facts={**loaded.facts, "trees": len(parts)},
        importance=lambda: _importance(kept, units),
    )


def _tree_of(path: str, trees: Mapping[str, Any]) -> str | None:
    found = _NUMBERED.match(path)
    if found is None:
        return None
    inside = found[1]
    while inside not in trees:  # the second number may be one inside of the tree
        inside, dot, number = inside.rpartition(".")
        if not dot or not number.isdigit():
            return None
    return inside


def _value(parts: dict[str, Value], nodes: ArrayData) -> dict[str, Value]:
    own = parts.get("")
    value: dict[str, Value] = {"class": own["class"]} if isinstance(own, dict) and "class" in own else {}
    tree = {path: part for path, part in parts.items() if path.startswith(("tree_", "nodes"))}
    rest = {path: part for path, part in parts.items() if path not in tree}
    return value | {"tree": _digest(tree), "leaves": (nodes.count + 1) // 2, "settings": _digest(rest)}


def _digest(parts: dict[str, Value]) -> str:
    return blake3.blake3(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _importance(nodes: Mapping[str, ArrayData], units: Mapping[str, Value]) -> Mapping[str, float]:
    """Return the mean share each feature has in a tree's splits, as scikit-learn works it out."""
    import numpy as np

    total: dict[int, float] = {}
    for array in nodes.values():
        with np.errstate(all="ignore"):
            features, amounts = _gains(array.numpy().reshape(-1))
        whole = sum(amounts)
        for index, amount in zip(features, amounts, strict=True):
            total[index] = total.get(index, 0.0) + (amount / whole if whole > 0 else 0.0)
    whole = sum(total.values())
    names = _names(units)
    return {names.get(index, f"feature {index}"): part / whole for index, part in total.items()} if whole > 0 else {}


def _gains(rows: np.ndarray[Any, Any]) -> tuple[list[int], list[float]]:
    """Return the features of a tree's splits, and how much impurity or loss each split took away."""
    fields = set(rows.dtype.names or ())
    if fields >= {"left_child", "right_child", "feature", "impurity", "weighted_n_node_samples"}:
        inner = rows["left_child"] != -1
        left, right = (rows[name][inner].astype("i8") for name in ("left_child", "right_child"))
        if any(((side < 0) | (side >= len(rows))).any() for side in (left, right)):
            raise Unreadable("a tree whose nodes lead nowhere")
        weighted = rows["impurity"].astype("f8") * rows["weighted_n_node_samples"].astype("f8")
        gain = weighted[inner] - weighted[left] - weighted[right]
        return rows["feature"][inner].astype("i8").tolist(), gain.tolist()
    if fields >= {"feature_idx", "gain", "is_leaf"}:
        inner = rows["is_leaf"] == 0
        return rows["feature_idx"][inner].astype("i8").tolist(), rows["gain"][inner].astype("f8").tolist()
    return [], []


def _names(units: Mapping[str, Value]) -> dict[int, str]:
    for path, value in units.items():
        if path.endswith("feature_names_in_") and isinstance(value, dict) and isinstance(value.get("values"), list):
            return {index: str(name) for index, name in enumerate(value["values"])}
    return {}
