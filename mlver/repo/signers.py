"""Whose keys count: the list of allowed signers, and which version of it may be trusted.

The setting `signing.allowed_signers` names a file of the user's own. It never travels, so it counts before all else.

Otherwise a file of the repository does, named in mlver.toml:

    [policy]
    allowed_signers = "keys/allowed_signers"

Whoever commits can change that one. So it is not taken from the commit that is asked about, nor simply from HEAD: on
the way from the first commit to HEAD, along first parents, a change of the list counts only when the commit that made
it is signed by somebody on the list as it was before. The first list is taken as it is; see docs/design/signing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.tree import FILE_TYPES, LINK
from mlver.repo.project import PROJECT_FILE, Project, parse_project
from mlver.repo.snapshot import find_in_tree
from mlver.repo.whole_policy import SIGNERS, whole_policy
from mlver.storage import durable

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

SETTING = "signing.allowed_signers"
_LARGEST = 1 << 20  # bytes of a list

# whether a commit is signed by somebody on the list with these bytes
Vouched = Callable[[CommitId, bytes], bool]


@frozen
class Signers:
    """A list that counts: its bytes (None: there is none), where it stands, and what is to be said of it.

    `commit` is the commit whose version it is. `passed_over` are those that changed it without being entitled to.
    """

    data: bytes | None
    where: str
    commit: CommitId | None = None
    passed_over: tuple[CommitId, ...] = ()


def signers_path(project: Project) -> str | None:
    """Return the path that `[policy]` names; UsageError naming file, line and entry of what makes no sense."""
    return whole_policy(project).allowed_signers


def trusted_signers(repo: Repository, vouched: Vouched) -> Signers:
    """Return the list that counts here and now. Raises UsageError when the setting or mlver.toml makes no sense."""
    own = repo.settings.get(SETTING)
    if own is not None:
        return Signers(_own(str(own)), str(own))
    signers_path(repo.head_snapshot().project)
    return _versioned(repo, vouched)


def _own(text: str) -> bytes:
    path = Path(text)
    if not path.is_absolute():
        raise UsageError(f"{SETTING} must be an absolute path, not {text!r}", hint=f"mlver config {SETTING} PATH")
    try:
        return durable.read_file(path, limit=_LARGEST)
    except FileNotFoundError:
        raise UsageError(f"{SETTING}: no such file: {text}", hint=f"mlver config {SETTING} PATH") from None


def _versioned(repo: Repository, vouched: Vouched) -> Signers:
    line = list(_first_parents(repo))[::-1]
    reader = _Lists(repo)
    counts: tuple[str, BlobId] | None = None
    since: CommitId | None = None
    passed: list[CommitId] = []
    before: tuple[str, BlobId] | None = None
    for id in line:
        found = reader.named(id)
        if found == before:
            continue
        before = found
        if found == counts:
            passed.clear()  # somebody put it right
        elif counts is None or vouched(id, reader.read(counts[1])):
            counts, since = found, id
            passed.clear()
        else:
            passed.append(id)
    if counts is None or since is None:
        return Signers(None, f"no list: neither {SETTING} nor [policy] {SIGNERS} in {PROJECT_FILE}")
    return Signers(reader.read(counts[1]), f"{counts[0]} of commit {since.short}", since, tuple(passed))


def _first_parents(repo: Repository) -> Iterator[CommitId]:
    id = repo.view.head
    while id is not None:
        yield id
        parents = repo.commit(id).parents
        id = parents[0] if parents else None


class _Lists:
    """Finds the list of each commit: the path that its mlver.toml names, and the blob there."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._paths: dict[BlobId, str | None] = {}

    def named(self, id: CommitId) -> tuple[str, BlobId] | None:
        """Return path and blob id, None when there is no list, or a mlver.toml that cannot be read."""
        store, tree = self._repo.store, self._repo.commit(id).tree
        project = find_in_tree(store, tree, PROJECT_FILE)
        if project is None or project.type not in FILE_TYPES:
            return None
        blob = BlobId(project.id)
        if blob not in self._paths:
            self._paths[blob] = self._path(blob)
        path = self._paths[blob]
        entry = find_in_tree(store, tree, path) if path else None
        if path is None or entry is None or entry.type not in FILE_TYPES or entry.type == LINK:
            return None
        return path, BlobId(entry.id)

    def read(self, id: BlobId) -> bytes:
        """Return the bytes of a list; UsageError when it is far too large for one."""
        with self._repo.store.open_blob(id) as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UsageError(f"the list of signers {id.short} is larger than {_LARGEST} bytes")
        return data

    def _path(self, blob: BlobId) -> str | None:
        try:
            return signers_path(parse_project(self.read(blob)))
        except UsageError:
            return None
