"""Which words are revisions and which are paths, and what a path means in a subfolder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import UnknownRevision, UsageError
from mlver.storage.looking import exists

if TYPE_CHECKING:
    from mlver.cli.session import Session
    from mlver.repo.repository import Repository


def split_revisions(
    repo: Repository, session: Session, words: Sequence[str], *, most: int, ranges: bool = False
) -> tuple[list[str], list[str]]:
    """Return the revisions and the targets among `words`.

    After `--` everything is a path and before it everything a revision; without it a word that
    names a commit is a revision, and from the first that does not, all are paths. At most `most`
    revisions are taken. `a..b` counts as two, or as one word when `ranges` are the verb's matter.
    """
    if session.after_dashes is not None:
        revisions = _expanded(words, ranges)
        if len(revisions) > most:
            raise UsageError(f"too many revisions: {' '.join(words)}", hint=f"at most {most}, then -- and paths")
        return revisions, [tree_target(repo, session.cwd, word) for word in session.after_dashes]
    revisions = []
    for index, word in enumerate(words):
        pair = _expanded([word], ranges)
        ends = word.split("..") if ".." in word else pair
        if len(revisions) + len(pair) > most or not all(not end or repo.is_revision(end) for end in ends):
            rest = words[index:]
            return revisions, [_existing_target(repo, session.cwd, word) for word in rest]
        revisions += pair
    return revisions, []


def _expanded(words: Sequence[str], ranges: bool) -> list[str]:
    if ranges:
        return list(words)
    found: list[str] = []
    for word in words:
        old, dots, new = word.partition("..")
        found += [old or "HEAD", new or "HEAD"] if dots else [word]
    return found


def _existing_target(repo: Repository, cwd: Path, word: str) -> str:
    """Return a word as a target; UnknownRevision when it names neither a revision nor any path."""
    target = tree_target(repo, cwd, word)
    path = target.partition("#")[0]
    known = repo.head_snapshot().artifacts
    is_glob = any(character in path for character in "*?[")
    if is_glob or exists(repo.root / path) or path in known or any(name.startswith(f"{path}/") for name in known):
        return target
    if any(mark in path for mark in ("~", "^", "@{")):
        for end in filter(None, path.split("..")):
            repo.resolve(end)  # raises, and says which step leads nowhere
    raise UnknownRevision(
        f"neither a revision nor a path: {word}", hint="mlver log shows revisions; put -- before paths that are gone"
    )


def tree_target(repo: Repository, cwd: Path, word: str) -> str:
    """Return `PATH[#UNIT]` as seen from the root of the work tree.

    `REV:PATH` counts from the root already, as in git. UsageError when the path lies outside.
    """
    path, mark, unit = word.partition("#")
    if ":" in path and repo.is_revision(path.partition(":")[0]):
        return word
    if cwd == repo.root and not (path.startswith(("/", ".."))):
        return word
    return repo.tree_path(path, cwd) + mark + unit


def any_target(repo: Repository, cwd: Path, word: str) -> str:
    """Like `tree_target`, for a word that may also be a revision: then it is left as it is."""
    path = word.partition("#")[0]
    if cwd == repo.root or (not exists(cwd / path) and repo.is_revision(path)):
        return word if not word.startswith("/") else tree_target(repo, cwd, word)
    return tree_target(repo, cwd, word)


def tree_paths(repo: Repository, session: Session, words: Sequence[str]) -> list[str]:
    """Return paths as seen from the root of the work tree."""
    return [tree_target(repo, session.cwd, word) for word in words]
