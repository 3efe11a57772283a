"""XGBoost's models, as JSON or UBJSON: one unit per tree, and every setting.

Both forms hold the same tree of values (`doc/model.schema` of XGBoost). A tree is known by a digest of
its columns in the types XGBoost has in memory, so that one model has one set of units in either form.
Models saved alone hold no training parameters; those in pickles do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import blake3

from mlver.kinds.base import Source, Unreadable, Value, read_all
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.symbols import PLAIN
from mlver.kinds.models.ubjson import parse_ubjson
from mlver.kinds.models.walk import Walker

if TYPE_CHECKING:
    import numpy as np

_LIMIT: Final = 1 << 29
_WEIGHTS: Final = "weights"
_FLOATS: Final = frozenset({_WEIGHTS, "base_weights", "loss_changes", "split_conditions", "sum_hessian"})
_NUMBER: Final = re.compile(r"\[?-?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][-+]?\d{1,3})?\]?")
_SAME: Final = {"eta": "learning_rate", "alpha": "reg_alpha", "lambda": "reg_lambda", "gamma": "min_split_loss"}
_LISTS: Final = ("iteration_indptr", "tree_info", "trees")


def looks_like_ubj(head: bytes) -> bool:
    """Whether a file starts as XGBoost's UBJSON does: an object whose first key has an 8-byte length."""
    return head[:6] == b"{L\0\0\0\0"


def is_xgboost(thing: Any) -> bool:
    """Whether a document is an XGBoost model."""
    return isinstance(thing, dict) and isinstance(thing.get("learner"), dict) and "version" in thing


def read_ubj(source: Source) -> Loaded:
    """Return the model in a UBJSON file; Unreadable when it is none."""
    thing = parse_ubjson(read_all(source, _LIMIT))
    if not is_xgboost(thing):
        raise Unreadable("UBJSON that is no XGBoost model")
    return xgboost_model(thing, "xgboost ubj")


def xgboost_model(thing: dict[str, Any], form: str) -> Loaded:
    """Return the model in a document; Unreadable when parts of it do not fit together."""
    walker = Walker()
    model = Model(thing)
    model.add_to(walker, "")
    objective = _at(thing, "learner", "objective", "name")
    facts: dict[str, Value] = {"objective": objective} if isinstance(objective, str) else {}
    if model.trees:
        facts["trees"] = len(model.trees)
    version = _plain(thing["version"])
    if isinstance(version, list):
        facts["library"] = f"XGBoost {'.'.join(map(str, version))}"
    importance = model.importance if model.trees else None
    return Loaded(form, walker.units, walker.arrays, PLAIN, title="XGBoost", facts=facts, importance=importance)


def settings(thing: dict[str, Any]) -> Any:
    """Return the training parameters that a pickled booster keeps beside its model."""
    learner = _at(thing, "Config", "learner")
    return _less(_numbers(learner)) if isinstance(learner, dict) else {}


def _less(part: Any) -> Any:
    """Return the settings without those that stand there twice."""
    if not isinstance(part, dict):
        return part
    return {
        key: _less(inner)
        for key, inner in part.items()
        if key not in ("learner_model_param", "objective", "gbtree_model_param") and _SAME.get(key) not in part
    }


class Model:
    """One XGBoost model: the document, its trees apart."""

    def __init__(self, thing: dict[str, Any]) -> None:
        booster = thing["learner"].get("gradient_booster")
        holder = booster.get("gbtree", booster) if isinstance(booster, dict) else None  # DART wraps it once more
        inner = holder.get("model") if isinstance(holder, dict) else None
        found = inner.get("trees") if isinstance(inner, dict) else None
        if found is not None and not (isinstance(found, list) and all(isinstance(tree, dict) for tree in found)):
            raise Unreadable("an XGBoost model whose trees are no list of trees")
        self.trees: list[dict[str, Any]] = found or []
        self.inner: dict[str, Any] = inner if isinstance(inner, dict) and found is not None else {}
        self.thing = thing

    def add_to(self, walker: Walker, path: str) -> None:
        """Add the units of the model under `path`, the trees as `trees.<number>`."""
        learner = {key: part for key, part in self.thing["learner"].items() if key != "gradient_booster"}
        prefix = f"{path}." if path else ""
        walker.walk(_numbers(learner), path)
        for key, part in self.thing.items():
            if key != "learner":
                walker.walk(_plain(part), prefix + key)
        booster: Any = _numbers(_without(self.thing["learner"].get("gradient_booster", {}), self.inner))
        if (
            weights := _at(self.thing, "learner", "gradient_booster", "model", "weights")
        ) is not None:  # of a linear booster
            column = _column(weights, _WEIGHTS)
            booster["model"]["weights"] = ArrayData(DType("f", 4), (len(column),), column.tobytes())
        counts = _at(booster, "model", "gbtree_model_param")
        if isinstance(counts, dict) and counts.get("num_trees") == len(self.trees):
            del counts["num_trees"]
        walker.walk(booster, f"{prefix}gradient_booster")
        groups, rounds = _plain(self.inner.get("tree_info", [])), _plain(self.inner.get("iteration_indptr", []))
        if isinstance(rounds, list) and len(rounds) > 1 and all(type(number) is int for number in rounds):
            steps = {after - before for before, after in pairwise(rounds)}
            each: Any = next(iter(steps)) if len(steps) == 1 else rounds
            walker.walk(each, f"{prefix}trees_per_round")
        for index, tree in enumerate(self.trees):
            value = _tree(tree)
            if isinstance(groups, list) and index < len(groups) and groups[index]:
                value["group"] = groups[index]
            walker.put(f"{prefix}trees.{index}", value)

    def importance(self) -> Mapping[str, float]:
        """Return the share of all loss reduction that each feature brought, by its name."""
        import numpy as np

        names = _plain(self.thing["learner"].get("feature_names", []))
        total: dict[int, float] = {}
        for tree in self.trees:
            left, feature, gain = (
                _column(tree.get(name), name) for name in ("left_children", "split_indices", "loss_changes")
            )
            if not len(left) == len(feature) == len(gain):
                raise Unreadable("a tree whose columns differ in length")
            inner = left != -1
            for index, amount in zip(feature[inner].tolist(), np.asarray(gain[inner], "f8").tolist(), strict=True):
                total[index] = total.get(index, 0.0) + amount
        known = isinstance(names, list)
        return shares({
            (str(names[index]) if known and 0 <= index < len(names) else f"f{index}"): gain
            for index, gain in total.items()
        })  # fmt: skip


def shares(total: Mapping[str, float]) -> dict[str, float]:
    """Return each part of the whole; nothing when there is no whole."""
    whole = sum(total.values())
    return {name: part / whole for name, part in total.items()} if whole > 0 else {}


def _tree(tree: dict[str, Any]) -> dict[str, Value]:
    digest = blake3.blake3()
    for key in sorted(tree):
        part = tree[key]
        if isinstance(part, (list, ArrayData)):
            digest.update(f"{key}\n".encode() + _column(part, key).tobytes())
        elif key != "id":
            digest.update(json.dumps([key, _numbers(part)], sort_keys=True, default=repr).encode())
    left = _column(tree.get("left_children", []), "left_children")
    return {"tree": digest.hexdigest(), "leaves": int((left == -1).sum())}


def _column(part: Any, name: str) -> np.ndarray[Any, Any]:
    """Return a column of a tree in the type XGBoost keeps it in; Unreadable when it does not fit."""
    import numpy as np

    kind = "<f4" if name in _FLOATS else "<i8"
    try:
        values = part.numpy() if isinstance(part, ArrayData) else np.asarray(part)
        broken = values.dtype.kind == "f" and kind == "<i8" and len(values)
        if values.ndim != 1 or values.dtype.kind not in "biuf" or broken:
            raise Unreadable(f"a booster whose {name} are not numbers")
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values.astype(kind))
    except (ValueError, TypeError, OverflowError) as error:
        raise Unreadable(f"a booster whose {name} are not numbers") from error


def _without(booster: Any, inner: dict[str, Any]) -> Any:
    """Return the booster without the lists that `Model.add_to` tells itself."""
    if booster is inner and inner:
        return {key: part for key, part in inner.items() if key not in _LISTS}
    if isinstance(booster, dict):
        return {key: _without(part, inner) for key, part in booster.items()}
    return booster


def _plain(part: Any) -> Any:
    return part.numpy().tolist() if isinstance(part, ArrayData) else part


def _numbers(part: Any) -> Any:
    """Return the document with numbers where XGBoost writes them as text, and arrays as lists."""
    if isinstance(part, dict):
        return {key: value if key == "attributes" else _numbers(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_numbers(member) for member in part] if len(part) < 10_000 else part
    if not isinstance(part, str):
        return _plain(part)
    if not _NUMBER.fullmatch(part):
        return part
    number = json.loads(part.strip("[]").removeprefix("+").replace("E", "e"))
    if isinstance(number, float):
        short = float(f"{number:.7g}")  # XGBoost computes in float32 and prints 0.100000001
        number = short if math.isfinite(number) and abs(short - number) <= abs(number) * 1e-7 else number
    return number


def _at(thing: Any, *keys: str) -> Any:
    for key in keys:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing
