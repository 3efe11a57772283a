"""Whether two ways of writing a person mean the same one."""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"\s*(?P<name>[^<]*?)\s*(?:<(?P<mail>[^>]*)>)?\s*")


def same_person(a: str, b: str) -> bool:
    """Whether `a` and `b` name one person: `Ana <ana@clinic.example>`, `ana@clinic.example` and `ana` do."""
    return bool(_names(a) & _names(b))


def name_of(person: str) -> str:
    """Return the name in `Ana <ana@clinic.example>`; the whole text when there is no more to it."""
    return person.partition("<")[0].strip() or person


def _names(text: str) -> set[str]:
    found = _WRITTEN.fullmatch(text)
    name, mail = (found["name"], found["mail"] or "") if found else (text, "")
    if not mail and "@" in name:
        name, mail = "", name
    local = mail.partition("@")[0]
    known = {mail, local if not name or name.casefold() == local.casefold() else "", name}
    return {one.casefold() for one in known if one}
