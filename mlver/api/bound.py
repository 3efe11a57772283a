"""How a verb becomes a method: the same arguments and defaults, without the repository."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from mlver.repo.repository import Repository

_P = ParamSpec("_P")
_R = TypeVar("_R")


def method(verb: Callable[Concatenate[Repository, _P], _R]) -> Callable[Concatenate[Bound, _P], _R]:
    """Return a verb as a method: the same arguments, without the repository."""

    @functools.wraps(verb)
    def bound(self: Bound, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        self.repository.refresh()  # others may have moved the state since the last call
        return verb(self.repository, *args, **kwargs)

    return bound


class Bound:
    """Something with verbs for methods."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
