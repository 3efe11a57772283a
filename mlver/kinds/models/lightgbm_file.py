"""LightGBM's text models: one unit per tree, the training parameters, and the header.

The form: `src/boosting/gbdt_model_text.cpp` of LightGBM. What only repeats the trees (their sizes in
bytes, the table of importances) makes no unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import blake3

from mlver.kinds.base import Source, Unreadable, Value, read_all
from mlver.kinds.models.limits import MAX_UNITS
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.symbols import PLAIN
from mlver.kinds.models.walk import Walker
from mlver.kinds.models.xgboost_file import shares

MAGIC: Final = b"tree\n"
_LIMIT: Final = 1 << 28
_NUMBER: Final = re.compile(r"[-+]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][-+]?\d{1,3})?")
_WHOLE: Final = re.compile(r"[-+]?\d{1,300}")
_WORDS: Final = ("feature_names", "feature_infos", "monotone_constraints")


@dataclass
class TextModel:
    """The parts of one text: header, trees (each a map of its lines), parameters, what follows."""

    header: dict[str, str] = field(default_factory=dict)
    trees: list[dict[str, str]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    def add_to(self, walker: Walker, path: str) -> None:
        """Add the units under `path`: the header's lines, `trees.<number>`, `parameters.<name>`."""
        prefix = f"{path}." if path else ""
        for key, text in self.header.items():
            if key != "tree_sizes":
                walker.walk(text.split() if key in _WORDS else scalar(text), prefix + key)
        for name, part in (("parameters", self.params), ("", self.after)):
            for key, text in part.items():
                walker.walk(scalar(text), prefix + (f"{name}.{key}" if name else key))
        for index, tree in enumerate(self.trees):
            walker.put(f"{prefix}trees.{index}", _tree(tree))

    def importance(self) -> Mapping[str, float]:
        """Return the share of all gain that each feature brought, by its name."""
        names = self.header.get("feature_names", "").split()
        total: dict[str, float] = {}
        for tree in self.trees:
            features, gains = tree.get("split_feature", "").split(), tree.get("split_gain", "").split()
            for feature, gain in zip(features, gains, strict=False):
                index, amount = scalar(feature), scalar(gain)
                if type(index) is int and isinstance(amount, (int, float)):
                    name = names[index] if 0 <= index < len(names) else f"Column_{index}"
                    total[name] = total.get(name, 0.0) + amount
        return shares(total)


def read_lightgbm(source: Source) -> Loaded:
    """Return the model in a text file; Unreadable when it is none, or cut short."""
    try:
        text = read_all(source, _LIMIT).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a LightGBM model that is not UTF-8 text") from error
    model, walker = parse_text(text), Walker()
    model.add_to(walker, "")
    facts: dict[str, Value] = {"objective": model.header.get("objective", ""), "trees": len(model.trees)}
    return Loaded("lightgbm text", walker.units, {}, PLAIN, title="LightGBM", facts=facts, importance=model.importance)


def parse_text(text: str) -> TextModel:
    """Return the parts of a model's text; Unreadable when it is no LightGBM model, or cut short."""
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    if next(lines, "") != "tree":
        raise Unreadable("not a LightGBM model")
    if not text.endswith("\n"):
        raise Unreadable("ends early: the last line of the LightGBM model is cut")
    model = TextModel()
    ended = _read_trees(lines, model)
    if not ended:
        raise Unreadable("ends early: the LightGBM model has no end of trees")
    if str(len(model.header.get("tree_sizes", "").split())) != str(len(model.trees)):
        raise Unreadable("a LightGBM model with more or fewer trees than it says")
    _read_rest(lines, model)
    return model


def _read_trees(lines: Iterator[str], model: TextModel) -> bool:
    part = model.header
    for line in lines:
        if line == "end of trees":
            return True
        if line.startswith("Tree="):
            if line != f"Tree={len(model.trees)}" or len(model.trees) >= MAX_UNITS:
                raise Unreadable("a LightGBM model whose trees are not numbered one after the other")
            part = {}
            model.trees.append(part)
        elif line.strip():
            key, _, value = line.partition("=")
            if key in part:
                raise Unreadable(f"a LightGBM model that says {key[:60]!r} twice")
            part[key] = value
    return False


def _read_rest(lines: Iterator[str], model: TextModel) -> None:
    section = ""
    for line in lines:
        if line in ("feature_importances:", "parameters:", "end of parameters"):
            section = line
        elif section == "parameters:" and line.startswith("[") and line.endswith("]"):
            key, _, value = line[1:-1].partition(": ")
            model.params[key.removesuffix(":")] = value
        elif line.strip() and (section != "feature_importances:" or "=" not in line):
            key, _, value = line.partition(":")
            model.after[key] = value
    if section == "parameters:":
        raise Unreadable("ends early: the LightGBM model has no end of parameters")


def _tree(tree: dict[str, str]) -> dict[str, Value]:
    digest = blake3.blake3()
    for key in sorted(tree):
        digest.update(f"{key}={' '.join(tree[key].split())}\n".encode())
    leaves = scalar(tree.get("num_leaves", ""))
    return {"tree": digest.hexdigest(), "leaves": leaves if type(leaves) is int else 0}


def scalar(text: str) -> Any:
    """Return a number where the text is one, else the text."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
