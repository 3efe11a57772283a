"""Whether two ways of writing a person mean the same one."""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"\s*(?P<name>[^<]*?)\s*(?:<(?P<mail>[^>]*)>)?\s*")


def same_person(a: str, b: str) -> bool:
    """Whether `a` and `b` name one person: `Ana <ana@clinic.example>`, `ana@clinic.example` and `ana` do."""
    return bool(_names(a) & _names(b))


def is_meant(listed: str, person: str) -> bool:
    """Whether `person` is the one that a list of who may do something means by `listed`.

    `ana@partner.example` may be the one who is `ana@clinic.example` elsewhere. Nobody gets her rights for that.
    """
    mails = {mail.casefold() for text in (listed, person) if (mail := _parts(text)[1])}
    return same_person(listed, person) and len(mails) < 2


def name_of(person: str) -> str:
    """Return the name in `Ana <ana@clinic.example>`; the whole text when there is no more to it."""
    return person.partition("<")[0].strip() or person


def _parts(text: str) -> tuple[str, str]:
    found = _WRITTEN.fullmatch(text)
    name, mail = (found["name"], found["mail"] or "") if found else (text, "")
    return ("", name) if not mail and "@" in name else (name, mail)


def _names(text: str) -> set[str]:
    name, mail = _parts(text)
    local = mail.partition("@")[0]
    known = {mail, local if not name or name.casefold() == local.casefold() else "", name}
    return {one.casefold() for one in known if one}
