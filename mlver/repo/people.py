"""People as mlver.toml knows them, so that what somebody owned can be found when they are gone.

    [people.dana]
    left = 2024-03-12               # the day she left; leave it out while she is here
    aliases = ["d.meyer", "dana@clinic.example"]

A name matches however it is written, in any case: `Dana <dana@clinic.example>`, `dana`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.repo.persons import same_person

if TYPE_CHECKING:
    from mlver.repo.project import Project

_KNOWN = ("left", "aliases", "mail", "role", "team")


@frozen
class Person:
    """Somebody: their name, the other ways it is written, and when they left (None: they are here)."""

    name: str
    aliases: tuple[str, ...] = ()
    left: datetime | None = None

    def is_called(self, text: str) -> bool:
        """Whether `text` names this person."""
        return any(same_person(text, name) for name in (self.name, *self.aliases))


@frozen
class People:
    """Everybody in mlver.toml."""

    persons: tuple[Person, ...] = ()

    def find(self, text: str | None) -> Person | None:
        """Return the person that `text` names, None when nobody is known by it."""
        return next((person for person in self.persons if person.is_called(text)), None) if text else None

    def left(self, text: str | None, now: datetime) -> datetime | None:
        """Return when the person that `text` names left, None when they are here at `now`, or not known."""
        person = self.find(text)
        return person.left if person and person.left and person.left <= now else None


def people(project: Project) -> People:
    """Return the people of mlver.toml; UsageError naming file, line and entry that makes no sense."""
    found = []
    for name, section in project.sections("people").items():
        section.known(_KNOWN)
        mail = section.text("mail")
        aliases = (*section.texts("aliases"), *([mail] if mail else []))
        found.append(Person(name, aliases, section.moment("left")))
    return People(tuple(found))
