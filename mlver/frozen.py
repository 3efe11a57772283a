"""Frozen dataclasses that cost little where they are not used.

`dataclasses` compiles six functions for each class, in half a millisecond; a command imports sixty classes and makes a
few instances of some. Here nothing is compiled for a class before two dozen instances of it are made, and then only
`__init__`, by `dataclasses`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")
_FEW = 24  # instances that cost less one by one than a quick `__init__` does


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Return `cls` as `dataclass(frozen=True)` would make it; `fields`, `replace` and `asdict` know it as one."""
    cls.__doc__ = cls.__doc__ or cls.__name__  # or the signature would be looked up for it
    made = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    compared = [field.name for field in fields if field.compare]
    methods = _methods(attrgetter(*compared) if compared else _nothing)
    own = {name for name in methods if made.__dict__.get(name) is not None}
    methods |= {"__init__": _first_init(made, fields), "__setattr__": _refuse, "__delattr__": _refuse}
    for name in methods.keys() - own:
        setattr(made, name, methods[name])
    return made


def _methods(compared: Callable[[Any], object]) -> dict[str, Any]:
    def equal(self: Any, other: Any) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    return {"__eq__": equal, "__hash__": hashed, "__repr__": _repr}


def _first_init(cls: type[Any], fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """Return an `__init__` for the first instances, which then has a quick one made and puts it in its own place."""
    names = [field.name for field in fields]
    given = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    fresh = {f.name: f.default_factory for f in fields if f.default_factory is not dataclasses.MISSING}
    needed, left = {*names} - given.keys() - fresh.keys(), _FEW

    def first(self: Any, *args: object, **words: object) -> None:
        nonlocal left
        left -= 1
        said = dict(zip(names, args, strict=False)) | words
        as_asked = len(said) == len(args) + len(words) and needed <= said.keys() <= {*names}
        if not left or not as_asked:  # which says what is wrong, too
            cls.__init__ = _init_of(cls)
            cls.__init__(self, *args, **words)
            return
        for name in names:
            self.__dict__[name] = said[name] if name in said else fresh[name]() if name in fresh else given[name]
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    return first


def _init_of(cls: type[Any]) -> Callable[..., None]:
    fields = [(field.name, field.type, field) for field in dataclasses.fields(cls)]
    after = {name: getattr(cls, name) for name in ("__post_init__",) if hasattr(cls, name)}
    twin = dataclasses.make_dataclass(
        cls.__name__, fields, namespace=after, frozen=True, repr=False, eq=False, match_args=False
    )
    made: Callable[..., None] = twin.__dict__["__init__"]
    return made


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to or delete field {name!r}")


def _nothing(_: object) -> tuple[()]:
    return ()


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"
