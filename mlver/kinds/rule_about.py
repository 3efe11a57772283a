"""What a rule says about itself: who owns it, why it is there, which ticket asked for it, when it ends.

Read from the rule's own fields, from what Great Expectations and dbt call `meta`, and from the labels and
annotations of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mlver.frozen import frozen
from mlver.kinds.base import Value

_OWNER: Final = ("owner", "maintainer", "team")
_WHY: Final = ("why", "reason", "notes", "rationale", "comment", "summary", "description")
_TICKET: Final = ("ticket", "issue", "jira")
_EXPIRES: Final = ("expires", "expires_at", "expiry", "valid_until", "until")
_PATCHES: Final = ("patches", "patches_model", "for_model")
_INNER: Final = ("meta", "annotations", "labels", "config")


@frozen
class About:
    """What a rule says about itself; None where it does not. `patches` is the model version it mends."""

    owner: str | None = None
    why: str | None = None
    ticket: str | None = None
    expires: str | None = None
    patches: str | None = None


def about(rule: Value) -> About:
    """Return what a rule says about itself."""
    if not isinstance(rule, dict):
        return About()
    places = list(_places(rule))
    return About(*(_first(places, names) for names in (_OWNER, _WHY, _TICKET, _EXPIRES, _PATCHES)))


def _places(rule: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    yield rule
    for name in _INNER:
        inner = rule.get(name)
        if isinstance(inner, dict):
            yield inner
            if isinstance(inner.get("meta"), dict):  # dbt nests it in `config`
                yield inner["meta"]


def _first(places: list[Mapping[str, Value]], names: tuple[str, ...]) -> str | None:
    for name in names:
        for place in places:
            value = place.get(name)
            if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
                return ", ".join(value)
            if isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value).strip():
                return " ".join(str(value).split())
    return None
