"""Conditions on rows: `clinic='C' and label=1`, `"mean radius" > 20 or note is null`, `state in ('NY', 'CA')`.

A small grammar of its own, so that a condition can do nothing but compare.

    condition = any ("or" any)*          any = all ("and" all)*
    all       = "not" all | "(" condition ")" | column test
    test      = sign value | "is" ["not"] "null" | ["not"] "in" "(" value ("," value)* ")"
    sign      = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    column    = word | "quoted" | `quoted`          value = number | 'text' | word
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mlver.errors import UsageError
from mlver.kinds.tables.values import family, logical

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op><=|>=|<>|!=|==|[=<>(),])|'(?P<text>(?:[^']|'')*)'|"(?P<name>[^"]+)"|`(?P<tick>[^`]+)`|(?P<word>[^\s<>=!(),'"`]+))"""
)
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_where(text: str, schema: Any) -> Any:
    """Return `text` as a pyarrow expression over `schema`; UsageError says what makes no sense."""
    reader = _Reader(_tokens(text), schema)
    expression = reader.condition()
    if reader.left:
        raise UsageError(f"where: did not expect {reader.left[0][1]!r}")
    return expression


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise UsageError(f"where: can't read {text[at:].strip()[:20]!r}")
        group = "name" if match.lastgroup == "tick" else match.lastgroup
        value = match[match.lastgroup]
        found.append((group, value.replace("''", "'") if group == "text" else value))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], schema: Any) -> None:
        self.left = tokens
        self._schema = schema

    def condition(self) -> Any:
        result = self._all()
        while self._takes("or"):
            result = result | self._all()
        return result

    def _all(self) -> Any:
        result = self._one()
        while self._takes("and"):
            result = result & self._one()
        return result

    def _one(self) -> Any:
        if self._takes("not"):
            return ~self._one()
        if self._takes("("):
            result = self.condition()
            self._expect(")")
            return result
        return self._test()

    def _test(self) -> Any:
        name = self._next("a column")[1]
        column, kind = self._column(name)
        if self._takes("is"):
            absent = not self._takes("not")
            self._expect("null")
            return column.is_null() if absent else column.is_valid()
        negated = self._takes("not")
        if self._takes("in"):
            self._expect("(")
            values = [self._value(kind)]
            while self._takes(","):
                values.append(self._value(kind))
            self._expect(")")
            chosen = column.isin(pa.array([value.as_py() for value in values], values[0].type))
            return ~chosen if negated else chosen
        group, sign = self._next("a comparison")
        if negated or group != "op" or sign not in _COMPARE:
            raise UsageError(f"where: {name} needs a comparison such as = or <, not {sign!r}")
        return _COMPARE[sign](column, self._value(kind))

    def _column(self, name: str) -> tuple[Any, Any]:
        """Return a column, or a field inside a struct column (`attrs.color`), and its type."""
        if name in self._schema.names:
            return pc.field(name), logical(self._schema.field(name).type)
        first, *rest = name.split(".")
        kind = self._schema.field(first).type if first in self._schema.names else None
        for part in rest:
            if kind is not None:
                known = pa.types.is_struct(kind) and kind.get_field_index(part) >= 0
                kind = kind.field(part).type if known else None
        if kind is None:
            raise UsageError(f"where: no column {name}", hint=f"columns: {', '.join(self._schema.names[:12])}")
        return pc.field(first, *rest), logical(kind)

    def _value(self, kind: Any) -> Any:
        text = self._next("a value")[1]
        try:
            if family(kind) == "number":
                return pa.scalar(int(text) if re.fullmatch(r"[-+]?\d{1,18}", text) else float(text))
            return pa.scalar(text) if family(kind) == "text" else pa.scalar(text).cast(kind)
        except (ValueError, pa.ArrowException) as error:
            raise UsageError(f"where: {text!r} is no {kind}") from error

    def _next(self, wanted: str) -> tuple[str, str]:
        if not self.left:
            raise UsageError(f"where: {wanted} is missing at the end")
        return self.left.pop(0)

    def _takes(self, word: str) -> bool:
        if self.left and self.left[0][0] in ("word", "op") and self.left[0][1].lower() == word:
            self.left.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise UsageError(f"where: {word} is missing")
