"""`remote`: other repositories by name. Where they are is a setting of this copy and never travels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import ClassVar

from mlver.errors import Refused, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import View
from mlver.repo.refs import check_remote_free
from mlver.repo.remote import add_remote_setting
from mlver.repo.repository import Repository
from mlver.repo.transaction import recorded, transact
from mlver.storage.looking import is_folder


@frozen
class RemoteInfo:
    """One other repository: its folder, whether that is there now, and its branches when it was last seen.

    `operation` is the number of its newest operation then; None before it was ever seen.
    """

    name: str
    where: str
    exists: bool
    operation: int | None = None
    branches: Mapping[str, CommitId] = field(default_factory=dict)


@frozen
class RemotesResult(Result):
    """Other repositories, sorted by name; after adding or removing one, that one alone."""

    schema: ClassVar[str] = "mlver.remotes/v1"
    remotes: tuple[RemoteInfo, ...]


def list_remotes(repo: Repository) -> RemotesResult:
    """Return the other repositories known here."""
    view = repo.refresh()
    return RemotesResult(tuple(_info(view, name, where) for name, where in repo.settings.remotes().items()))


def add_remote(repo: Repository, name: str, where: Path) -> RemotesResult:
    """Give a folder a name; it need not be there yet. `where` is absolute.

    Raises UsageError for a malformed name or folder, Refused when the name is taken.
    """
    view = repo.refresh()
    check_remote_free(view, name)
    if not where.is_absolute() or not str(where).isprintable():
        raise UsageError(f"not an absolute path of printable characters: {where}")
    known = repo.settings.remotes()
    if name in known and known[name] != str(where):
        raise Refused(f"remote {name} exists already: {known[name]}", hint=f"mlver remote rm {name} first")
    made = RemotesResult((_info(view, name, str(where)),))
    add_remote_setting(repo, name, where)
    return made


def remove_remote(repo: Repository, name: str) -> RemotesResult:
    """Forget a repository and its branches as they were seen; nothing there is touched."""
    where = repo.settings.remotes().get(name)
    if where is None:
        raise UsageError(f"no remote {name!r}", hint="mlver remote lists them")
    removed = RemotesResult((_info(repo.refresh(), name, where),))

    def change(view: View) -> View:
        return replace(view, remotes={other: seen for other, seen in view.remotes.items() if other != name})

    transact(repo, f"remote rm {name}", change)
    with recorded():  # the setting last: until then the same command can be given again
        add_remote_setting(repo, name, None)
    return removed


def _info(view: View, name: str, where: str) -> RemoteInfo:
    seen = view.remotes.get(name)
    number, branches = (seen.number, seen.branches) if seen else (None, {})
    return RemoteInfo(name, where, is_folder(Path(where)), number, branches)
