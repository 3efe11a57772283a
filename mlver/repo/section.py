"""One named table of mlver.toml, `[slo.triage]` or `[people.dana]`, read strictly and named in every complaint."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import UTC, date, datetime
from typing import Any

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.time import parse_time


@frozen
class Section:
    """What stands under one header. `where` names file, line and header: `mlver.toml:12: slo.triage`.

    Every method raises UsageError naming the entry when it is not what is asked for.
    """

    name: str
    where: str
    entries: Mapping[str, Any] = field(default_factory=dict)

    def known(self, names: Collection[str]) -> None:
        """Raise UsageError when there is an entry that is none of `names`."""
        for name in self.entries:
            if name not in names:
                raise UsageError(f"{self.where}: unknown entry {name!r}", hint=f"known are {', '.join(sorted(names))}")

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a text."""
        value: str | None = self._of(name, str, "a text", default)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; a single text counts as a list of one, nothing as none."""
        value = self.entries.get(name, [])
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(name, "expected a text or a list of texts")

    def flag(self, name: str, default: bool = False) -> bool:
        """Return true or false."""
        return bool(self._of(name, bool, "true or false", default))

    def number(self, name: str, default: float | None = None) -> float | None:
        """Return a number."""
        value = self.entries.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise self.wrong(name, "expected a number")
        return value

    def moment(self, name: str) -> datetime | None:
        """Return a moment: a TOML date or time, or a text such as `2024-03-12`. UTC unless it says otherwise."""
        value = self.entries.get(name)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, str):
            try:
                return parse_time(value)
            except UsageError as error:
                raise self.wrong(name, error.message) from None
        if value is not None:
            raise self.wrong(name, "expected a date")
        return None

    def wrong(self, name: str, what: str) -> UsageError:
        """Return the error that says `what` of one entry."""
        return UsageError(f"{self.where}.{name}: {what}")

    def _of(self, name: str, type_: type, what: str, default: Any) -> Any:
        value = self.entries.get(name, default)
        if value is not None and not isinstance(value, type_):
            raise self.wrong(name, f"expected {what}")
        return value


def sections(table: Mapping[str, Mapping[str, Any]], top: str, file: str, text: str) -> dict[str, Section]:
    """Return the sections below one top-level name of a TOML file; `text` is the file, for line numbers."""
    return {name: Section(name, _where(top, name, file, text), entries) for name, entries in table.items()}


def section(entries: Mapping[str, Any], top: str, file: str, text: str) -> Section:
    """Return the section of a top-level name whose entries stand in it directly, such as `[policy]`."""
    return Section(top, f"{file}{_line(re.escape(top), text)}: {top}", entries)


def place(file: str, text: str, *names: str, nth: int = 1) -> str:
    """Return `mlver.toml:12`, where a name stands the `nth` time as a header or a key; the file alone if it does not.

    Several names are a header within a header: `[metrics.recall]`.
    """
    path = r"\s*\.\s*".join(map(_quoted, names))
    found = list(re.finditer(rf"^[ \t]*(?:\[\[?\s*{path}\s*[\].]|{path}\s*[.=])", text, re.MULTILINE))
    return f"{file}:{text.count(chr(10), 0, found[nth - 1].start()) + 1}" if len(found) >= nth else file


def _quoted(name: str) -> str:
    return rf"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"


def _where(top: str, name: str, file: str, text: str) -> str:
    line = _line(rf"{re.escape(top)}\s*\.\s*{_quoted(name)}", text)
    return f"{file}{line}: {top}.{name}"


def _line(header: str, text: str) -> str:
    """Return `:12`, the line at which a header ends; nothing when it is not found."""
    found = re.search(rf"^\s*\[\s*{header}\s*[\].]", text, re.MULTILINE)
    return f":{text.count(chr(10), 0, found.end()) + 1}" if found else ""
