"""Rules written as SQL: a unit is a statement. Read as text, never run.

A statement is named by a comment `-- name: x` before it, else by what it creates, else by its place among
the unnamed ones: `statement 3`. Comments and whitespace are no part of it. Other comments of that form say
more of the rule: `-- owner: dana`, `-- why: ...`, `-- ticket: TRI-31`, `-- expires: 2024-06-01`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlver.frozen import frozen
from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.documents import read_text
from mlver.kinds.documents.reading import MIB, line_at

_LIMIT = 16 * MIB
_NAME = "name"
_SAID = (_NAME, "owner", "why", "reason", "ticket", "expires", "patches", "severity", "action", "then")
_SAYS = re.compile(rf"\s*({'|'.join(_SAID)})\s*:\s*(\S.*?)\s*", re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*)|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>\w*)\$)"""
    r"""|(?P<end>;)|(?P<space>\s+)|(?P<open>['"`])|(?P<word>[\w.]+|[<>=!|]+|.)""",
    re.DOTALL,
)
_SIGNS = "<>=!|"
_BLOCK = re.compile(r"/\*|\*/")
_CREATES = re.compile(
    r"CREATE (?:OR REPLACE )?(?:(?:TEMP|TEMPORARY|GLOBAL|LOCAL|MATERIALIZED|RECURSIVE|UNIQUE) )*"
    r"(?:VIEW|TABLE|FUNCTION|MACRO|PROCEDURE|TRIGGER|RULE|INDEX) (?:IF NOT EXISTS )?"
    r"(?P<name>(?:\"(?:[^\"]|\"\")+\"|`[^`]+`|[\w$]+)(?:\.(?:\"(?:[^\"]|\"\")+\"|`[^`]+`|[\w$]+))*)",
    re.IGNORECASE,
)


@frozen
class _Statement:
    text: str
    line: int
    said: dict[str, str]


def read_sql(source: Source) -> dict[str, Value]:
    """Return every statement by its name; Unreadable with the line of a quote left open or a name used twice."""
    return {name: value for name, value, _ in _named(read_text(source, _LIMIT))}


def lines_of(source: Source) -> dict[str, int]:
    """Return the line in which each statement begins."""
    return {name: line for name, _, line in _named(read_text(source, _LIMIT))}


def _named(text: str) -> Iterator[tuple[str, Value, int]]:
    places: dict[str, int] = {}
    unnamed = 0
    for statement in _statements(text):
        said = dict(statement.said)
        name = said.pop(_NAME, None) or _created(statement.text)
        if name is None:
            unnamed += 1
            name = f"statement {unnamed}"
        if name in places:
            raise Unreadable(f"line {statement.line}: duplicate rule id {name} (first in line {places[name]})")
        places[name] = statement.line
        yield name, {"sql": statement.text, **said}, statement.line


def _created(text: str) -> str | None:
    found = _CREATES.match(text)
    return found["name"].replace('"', "").replace("`", "") if found else None


def _statements(text: str) -> Iterator[_Statement]:
    """Cut the text at its semicolons, those in quotes and comments aside."""
    at, line, words = 0, 1, list[str]()
    said: dict[str, str] = {}
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None
        start, at = at, found.end()
        if found["comment"]:
            at = _after_comment(text, start) if found["comment"] == "/*" else at
            if (says := _SAYS.fullmatch(found["comment"][2:])) and not words:
                said[says[1].lower()] = says[2]
            if words:
                words.append(" ")
        elif found["space"]:
            if words:
                words.append(" ")
        elif found["end"]:
            if words:
                yield _Statement(_joined(words), line, said)
            words, said = [], {}
        elif found["open"]:
            raise Unreadable(f"line {line_at(text, start)}: the quote {found['open']} is never closed")
        else:
            if not words:
                line = line_at(text, start)
            at = _after_dollars(text, found) if found["tag"] is not None else at
            words.append(text[start:at])
    if words:
        yield _Statement(_joined(words), line, said)


def _joined(words: list[str]) -> str:
    """Return the words with the spaces of a tidy hand, wherever they were written."""
    line: list[str] = []
    for word in words:
        if word in (" ", ",", ")") or word[0] in _SIGNS:
            while line and line[-1] == " ":
                line.pop()
        if word == " ":
            line += [" "] if line and line[-1] != "(" else []
        elif word[0] in _SIGNS:
            line += [" ", word, " "]
        else:
            line += [word, " "] if word == "," else [word]
    return "".join(line).strip()


def _after_comment(text: str, start: int) -> int:
    """Return where a block comment ends; they nest."""
    depth = 0
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise Unreadable(f"line {line_at(text, start)}: the comment is never closed")


def _after_dollars(text: str, opened: re.Match[str]) -> int:
    """Return where a text in dollar quotes ends, which PostgreSQL has for the bodies of functions."""
    end = text.find(opened[0], opened.end())
    if end < 0:
        raise Unreadable(f"line {line_at(text, opened.start())}: the quote {opened[0]} is never closed")
    return end + len(opened[0])
