"""Conditions as people write them, turned into SQL expressions.

SQL is taken as it is. Beyond it: `==` is `=`; `"C"` in double quotes is a column, or a text when there is no
such column; names in backticks are columns; `in ["A", "B"]` may have square brackets; `None` is null; a column
whose name has spaces needs no quotes (`mean radius > 20`); `n_missing` counts the empty cells of a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MISSING_COUNT: Final = "n_missing"
_KEYWORDS: Final = frozenset({
    "and", "or", "not", "in", "is", "null", "none", "true", "false", "between", "like", "ilike", "case", "when", "then",
    "else", "end", "cast", "try_cast", "as",
})  # fmt: skip
_LONGEST = 20_000
_MOST_TOKENS = 2_000  # DuckDB's parser recurses, and so does what walks its tree
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)|(?P<text>'(?:[^']|'')*')|(?P<double>"(?:[^"]|"")*")|(?P<tick>`[^`]*`)"""
    r"""|(?P<word>[^\W\d]\w*)|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"""
    r"""|(?P<sign><=|>=|<>|!=|==|::|&&|\|\||//|\*\*|!?~~?\*?|.)""",
    re.DOTALL,
)


class Malformed(Exception):
    """This is no condition; `str()` says why in a few words."""


class Forbidden(Exception):
    """This is more than a condition: it reaches for something outside of the row. `str()` says for what."""


class _Token(NamedTuple):
    group: str
    text: str


def to_sql(text: str, columns: Sequence[str]) -> str:
    """Return a condition as SQL over `columns`; Malformed when it is too long or a quote is left open."""
    if len(text) > _LONGEST or "\0" in text:
        raise Malformed(f"longer than {_LONGEST:,} characters" if "\0" not in text else "it holds a NUL character")
    tokens = [_Token(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]
    tokens = [token for token in tokens if token.group != "space"]
    if not tokens:
        raise Malformed("it is empty")
    if len(tokens) > _MOST_TOKENS:
        raise Malformed(f"longer than {_MOST_TOKENS:,} words")
    if "--" in text or "/*" in text or any(token.text in ("'", '"', "`") for token in tokens):
        _explain(tokens)
    return " ".join(_translated(tokens, columns))


def _explain(tokens: Sequence[_Token]) -> None:
    """Refuse comments outside of quotes, and quotes that are never closed."""
    for token, after in zip(tokens, [*tokens[1:], _Token("", "")], strict=True):
        if token.text in ("'", '"', "`"):
            raise Malformed(f"the quote {token.text} is never closed")
        if token.group == after.group == "sign" and token.text + after.text in ("--", "/*"):
            raise Malformed("it holds a comment, or two minus signs in a row")


def _translated(tokens: Sequence[_Token], columns: Sequence[str]) -> list[str]:
    known = set(columns)
    spaced = sorted((name.split(" ") for name in columns if " " in name), key=len, reverse=True)
    found: list[str] = []
    brackets: list[str] = []
    at = 0
    while at < len(tokens):
        group, text = tokens[at]
        if words := _spaced_name(tokens, at, spaced):
            found.append(quoted(" ".join(words)))
            at += len(words)
            continue
        if group == "double":
            name = text[1:-1].replace('""', '"')
            found.append(quoted(name) if name in known or not name else literal(name))
        elif group == "tick":
            found.append(quoted(text[1:-1]))
        elif group == "word" and (text not in known or text.lower() in _KEYWORDS or _is_typed(tokens, at)):
            found.append("NULL" if text == "None" else text)
        elif text == "==":
            found.append("=")
        elif text in "[]":
            found.append(_bracket(text, brackets, after=found[-1] if found else ""))
        else:
            found.append(quoted(text) if group == "word" else text)
        at += 1
    return found


def _is_typed(tokens: Sequence[_Token], at: int) -> bool:
    """Whether the word is the type of a text, as in `date '2024-01-01'`, though a column may be called so."""
    return at + 1 < len(tokens) and tokens[at + 1].group == "text"


def _bracket(text: str, open_: list[str], after: str) -> str:
    """Return the bracket, or a round one where it holds the list of an `in`."""
    if text == "[":
        open_.append(")" if after.lower() == "in" else "]")
        return "(" if open_[-1] == ")" else "["
    return open_.pop() if open_ else "]"


def _spaced_name(tokens: Sequence[_Token], at: int, names: Sequence[list[str]]) -> list[str]:
    """Return the words of the longest column name with spaces that stands here; [] when none does."""
    for words in names:
        here = tokens[at : at + len(words)]
        if [token.text for token in here] == words and all(token.group in ("word", "number") for token in here):
            return words
    return []


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return a plain value as SQL; Malformed for what a cell can't be compared with."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) and abs(value) < 1 << 64:
        return str(value)
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return repr(value) if "e" in repr(value) else f"CAST({value!r} AS DOUBLE)"
    if isinstance(value, str) and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    raise Malformed(f"{str(value)[:40]!r} is no value to compare a cell with")
