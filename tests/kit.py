"""A repository to play with: a fixed clock that ticks, an actor, and files written in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlver.objects.ids import CommitId
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit

START = datetime(2024, 4, 1, 9, 0, tzinfo=UTC)


class Ticking:
    """A clock that moves on by one minute each time it is asked."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        self.moment += timedelta(minutes=1)
        return self.moment


class Bench:
    """A repository in a folder, and short ways to change and commit it."""

    def __init__(self, root: Path, actor: str = "ana") -> None:
        self.root = root
        self.clock = Ticking()
        self.repo = Repository.init(root, actor=actor, clock=self.clock)[0]

    def write(self, path: str, content: Any) -> None:
        """Write text, bytes, or anything else as JSON; its time lies in the past, so that no entry is racy."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")
        self.settle(path)

    def settle(self, path: str) -> None:
        """Give a file a modification time of its own, well in the past."""
        past = 1_600_000_000_000_000_000 + self.clock.moment.minute * 60_000_000_000
        os.utime(self.root / path, ns=(past, past))

    def commit(self, message: str | None = None, *, by: str | None = None, **words: Any) -> CommitId:
        """Commit everything and return the id."""
        if by:
            self.repo.actor = by
        trailers: Mapping[str, list[str]] = words.pop("trailers", {})
        result = commit(self.repo, message, trailers=trailers, **words)
        assert result.commit is not None
        return result.commit

    def like(self, made: Bench) -> None:
        """Be a copy of another, in a folder of its own, which is made 20 times as fast as its commits were."""
        root = self.root
        shutil.copytree(made.root, root, symlinks=True, dirs_exist_ok=True)
        self.__dict__.update(made.__dict__)
        self.root, self.clock = root, Ticking(made.clock.moment)
        self.repo = Repository.open(root, actor=made.repo.actor, clock=self.clock)

    def reopen(self) -> Repository:
        """Open the repository anew, as another process would."""
        self.repo = Repository.open(self.root, actor=self.repo.actor, clock=self.clock)
        return self.repo
