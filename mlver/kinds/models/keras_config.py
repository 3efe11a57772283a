"""The configuration of a Keras model: nested objects with a class, as units `layers.<name>.<setting>`.

The form: `keras/src/saving/serialization_lib.py`. Nothing named in it is imported; names decide the
verdict. Ids of shared objects are left out, as each saving makes new ones.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.limits import MAX_DEPTH, MAX_NAME
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.scalars import clean
from mlver.kinds.models.symbols import RUNS, UNKNOWN, is_data, runs_code
from mlver.kinds.models.values import Call, Pairs, Symbol
from mlver.kinds.models.walk import Walker

_LAMBDAS: Final = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer")  # the last two load other files
_FRAME: Final = ("module", "class_name", "config", "registered_name", "shared_object_id")


class Config:
    """Reads configurations and remembers the names in them."""

    def __init__(self) -> None:
        self.title = ""
        self.facts: dict[str, Value] = {}
        self.names: dict[str, None] = {}
        self.renamed: dict[str, str] = {}

    def add_text(self, walker: Walker, text: str, path: str) -> None:
        """Add the units of a configuration in JSON under `path`; Unreadable when it is broken."""
        try:
            thing = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unreadable("a Keras configuration that is not proper JSON") from error
        if not isinstance(thing, dict):
            raise Unreadable("a Keras configuration that is no JSON object")
        inner = thing.get("config")
        self.renamed |= _renumbered(thing)
        if not path and isinstance(thing.get("class_name"), str):
            self.title = clean(thing["class_name"][:60])
            layers = inner.get("layers") if isinstance(inner, dict) else None
            if isinstance(layers, list):
                self.facts["layers"] = len(layers)
        walker.walk(self._thing(thing, 0), path)

    def loaded(self, form: str, walker: Walker, title: str, facts: dict[str, Value], missing: str) -> Loaded:
        """Return what was read. Code in a Lambda layer runs when the model is used, so it is the worst there is."""
        running = tuple(sorted(name for name in self.names if runs_code(name) or _lambda(name)))
        unlisted = tuple(sorted(name for name in self.names if not is_data(name) and name not in running))
        verdict = RUNS if running else UNKNOWN
        return Loaded(
            form, walker.units, walker.arrays, verdict, running, unlisted, (), title, facts,
            missing=missing, imports=tuple(self.names),
        )  # fmt: skip

    def _thing(self, thing: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Unreadable(f"a Keras configuration nested more than {MAX_DEPTH} levels deep")
        if isinstance(thing, list):
            return self._list(thing, depth)
        if not isinstance(thing, dict):
            return self.renamed.get(thing, thing) if isinstance(thing, str) else thing
        if isinstance(thing.get("class_name"), str) and "config" in thing:
            return self._object(thing, depth)
        return Pairs([(key, self._thing(part, depth + 1)) for key, part in thing.items() if key != "shared_object_id"])

    def _object(self, thing: dict[str, Any], depth: int) -> Any:
        module = thing.get("module") if isinstance(thing.get("module"), str) else "keras"
        name = clean(f"{module}.{thing['class_name']}")
        if len(name) > MAX_NAME:
            raise Unreadable("a name longer than 4 KiB")
        self.names[name] = None
        if isinstance(thing["config"], str):  # `function` and the like: the name is what the configuration says
            self.names[clean(f"{module}.{thing['config']}")[:MAX_NAME]] = None
        if thing["class_name"] == "__tuple__" and isinstance(thing["config"], list):
            return self._list(thing["config"], depth)
        registered = thing.get("registered_name")
        extra = {key: part for key, part in thing.items() if key not in _FRAME}
        if isinstance(registered, str) and registered not in (name, thing["class_name"]):
            extra["registered_name"] = registered
        given = thing["config"] if isinstance(thing["config"], dict) else {"config": thing["config"]}
        parts = {**extra, **given}  # the configuration's own names win
        return Call(Symbol(name), states=[Pairs([(key, self._thing(part, depth + 1)) for key, part in parts.items()])])

    def _list(self, members: list[Any], depth: int) -> Any:
        made = [self._thing(member, depth + 1) for member in members]
        names = [_layer_name(member) for member in members]
        names = [self.renamed.get(name, name) for name in names]
        if made and all(isinstance(part, Call) for part in made) and all(names) and len(set(names)) == len(names):
            return list(zip(names, made, strict=True))  # known by their names, as the steps of a pipeline
        return made


def _renumbered(thing: dict[str, Any]) -> dict[str, str]:
    """Return new names for parts that Keras named itself, `dropout_7`: counted from the first in this model.

    Keras counts on through a whole process, so the second training in a notebook has other names for
    the same layers. Nothing is renamed where that would give two parts one name.
    """
    found: dict[str, str] = {}
    taken: dict[str, int] = {}
    others: set[str] = set()
    todo: list[Any] = [thing]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(reversed(part))
        if not isinstance(part, dict):
            continue
        todo.extend(reversed(part.values()))
        name, kind = _layer_name(part), part.get("class_name")
        own = _snake(kind) if isinstance(kind, str) else ""
        if name and own and re.fullmatch(rf"{re.escape(own)}(_\d{{1,9}})?", name):
            if name not in found:
                found[name] = f"{own}_{taken[own]}" if taken.get(own) else own
                taken[own] = taken.get(own, 0) + 1
        elif name:
            others.add(name)
    return {} if others & {new for old, new in found.items() if old != new} else found


def _snake(name: str) -> str:
    # as keras/src/utils/naming.py makes a name of a class
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _layer_name(member: Any) -> str:
    config = member.get("config") if isinstance(member, dict) else None
    name = config.get("name") if isinstance(config, dict) else None
    return name if isinstance(name, str) and 0 < len(name) <= 200 else ""


def _lambda(name: str) -> bool:
    return name.rpartition(".")[2] in _LAMBDAS
