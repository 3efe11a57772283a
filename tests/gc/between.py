"""Two commands interleaved: the second runs whole before the n-th call that the first makes to its storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from mlver.storage.local import LocalStorage, _LocalWriter

CHANGES = ("create", "compare_and_swap", "move", "delete", "commit")
ALL = (*CHANGES, "read", "list", "writer")


@dataclass
class Between:
    """Counts calls by name; before the `at`-th (from 1) it runs `act`, whose own calls do not count."""

    at: int | None
    act: Callable[[], object]
    log: list[str] = field(default_factory=list)
    fired: bool = False
    inside: bool = False

    def call(self, name: str) -> None:
        """Take note of a call that is about to be made."""
        if self.inside or self.fired:
            return
        self.log.append(name)
        if len(self.log) == self.at:
            self.fired = self.inside = True
            try:
                self.act()
            finally:
                self.inside = False


@contextmanager
def between(at: int | None, act: Callable[[], object], names: tuple[str, ...] = ALL) -> Iterator[Between]:
    """Run `act` before the `at`-th call of these names to any local storage, within the block."""
    rig = Between(at, act)
    with ExitStack() as stack:
        for name in names:
            owner = _LocalWriter if name == "commit" else LocalStorage
            stack.enter_context(patch.object(owner, name, _counted(rig, getattr(owner, name), name)))
        yield rig


def _counted(rig: Between, real: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        rig.call(name)
        if name != "compare_and_swap" or rig.inside:
            return real(*args, **kwargs)
        rig.inside = True  # one step: it holds the lock
        try:
            return real(*args, **kwargs)
        finally:
            rig.inside = False

    return call
