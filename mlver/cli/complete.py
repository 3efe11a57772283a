"""Shell completion of revisions, stages and paths, from the repository around the current folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlver.errors import MlverError

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def _offer(ctx: typer.Context, incomplete: str, names: Callable[[Repository], Iterable[str]]) -> list[str]:
    """The names that begin as typed; nothing, silently, when the repository can't be read."""
    from mlver.repo.repository import Repository

    folder = ctx.find_root().params.get("folder")
    try:
        with Repository.open(Path.cwd() / (folder or "")) as repo:
            return sorted({name for name in names(repo) if name.startswith(incomplete)})
    except (MlverError, OSError):
        return []


def _references(repo: Repository) -> list[str]:
    from mlver.repo.refs import remote_branches

    view = repo.view
    return ["HEAD", *view.branches, *view.tags, *view.stages, *remote_branches(view)]


def revision(ctx: typer.Context, incomplete: str) -> list[str]:
    """Branches, tags and stages."""
    return _offer(ctx, incomplete, _references)


def branch(ctx: typer.Context, incomplete: str) -> list[str]:
    """Branches."""
    return _offer(ctx, incomplete, lambda repo: repo.view.branches)


def tag(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tags."""
    return _offer(ctx, incomplete, lambda repo: repo.view.tags)


def stage(ctx: typer.Context, incomplete: str) -> list[str]:
    """Stages that were ever promoted to."""
    return _offer(ctx, incomplete, lambda repo: repo.view.stages)


def path(ctx: typer.Context, incomplete: str) -> list[str]:
    """Artifacts of HEAD."""
    return _offer(ctx, incomplete, lambda repo: repo.head_snapshot().artifacts)


def part(ctx: typer.Context, incomplete: str) -> list[str]:
    """Revisions and artifacts."""
    return _offer(ctx, incomplete, lambda repo: [*_references(repo), *repo.head_snapshot().artifacts])


def remote(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of other repositories."""
    return _offer(ctx, incomplete, lambda repo: repo.settings.remotes())


def setting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of settings."""
    from mlver.repo.settings import KNOWN

    return [name for name in KNOWN if name.startswith(incomplete)]
