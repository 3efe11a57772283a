"""Frozen dataclasses for which no code is compiled.

`dataclasses` compiles six functions for each class, in half a millisecond; a command imports sixty classes and makes a
few instances of some. Here all classes share what does the same for any fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Return `cls` as `dataclass(frozen=True)` would make it; `fields`, `replace` and `asdict` know it as one."""
    cls.__doc__ = cls.__doc__ or cls.__name__  # or the signature would be looked up for it
    made = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    compared = [field.name for field in fields if field.compare]
    methods = _methods(attrgetter(*compared) if compared else _nothing)
    own = {name for name in methods if made.__dict__.get(name) is not None}
    methods |= {"__init__": _init(made, fields), "__setattr__": _refuse, "__delattr__": _refuse}
    for name in methods.keys() - own:
        setattr(made, name, methods[name])
    return made


def _methods(compared: Callable[[Any], object]) -> dict[str, Any]:
    def equal(self: Any, other: Any) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    return {"__eq__": equal, "__hash__": hashed, "__repr__": _repr}


def _init(cls: type[Any], fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names = [field.name for field in fields]
    given = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    fresh = {f.name: f.default_factory for f in fields if f.default_factory is not dataclasses.MISSING}
    count, known = len(names), frozenset(names)
    after = getattr(cls, "__post_init__", None)

    def init(self: Any, *args: object, **words: object) -> None:
        own = self.__dict__
        if not words and len(args) == count:
            own.update(zip(names, args, strict=False))
        elif not args and words.keys() == known:
            own.update(words)
        else:
            said = dict(zip(names, args, strict=False)) | words
            own |= given | {name: make() for name, make in fresh.items() if name not in said} | said
            if len(said) < len(args) + len(words) or own.keys() != known:
                raise _misfit(cls, fields, args, words)
        if after is not None:
            after(self)

    return init


def _misfit(
    cls: type[Any], fields: Iterable[dataclasses.Field[Any]], args: tuple[object, ...], words: dict[str, object]
) -> TypeError:
    """Return what says which argument is missing, unknown, given twice or one too many."""
    from inspect import Parameter, Signature

    wanted = {field.name: Parameter.empty if _is_needed(field) else None for field in fields}
    asked = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default) for name, default in wanted.items()]
    try:
        Signature(asked).bind(*args, **words)
    except TypeError as error:
        return TypeError(f"{cls.__qualname__}(): {error}")
    raise AssertionError("these arguments fit")


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to or delete field {name!r}")


def _nothing(_: object) -> tuple[()]:
    return ()


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"
