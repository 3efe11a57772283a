"""What a commit records of its surroundings: interpreter, packages, and the git work tree around it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mlver.objects.commit import Environment, GitState
from mlver.objects.ids import BlobId

_PATCH_LIMIT = 16 << 20
# Nothing of the user's git may run or be written: no external diff, no text conversion, no
# file-system monitor, no refreshed index. Files that must never be published stay out of the patch.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotepath=true")
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "HEAD")
_PATCHED = ("--", ".", ":(exclude,glob)**/.env*")


def capture_environment() -> Environment:
    """Return interpreter, platform and installed packages of this process."""
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=f"{platform.system()} {platform.machine()}",
        packages=dict(sorted(_installed().items())),
    )


def canonical_name(package: str) -> str:
    """Return the one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _installed() -> dict[str, str]:
    """Versions by name, read off the names of the metadata folders: opening each would take a hundred times longer."""
    found: dict[str, str] = {}
    for folder in filter(None, sys.path):
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # a zip, or not there
        for name in names:
            package, dash, version = name.removesuffix(".dist-info").partition("-")
            if dash and name.endswith(".dist-info"):
                found.setdefault(canonical_name(package), version)
    return found


def git_state(root: Path, put_blob: Callable[[bytes], BlobId]) -> GitState | None:
    """Return the git commit, branch and uncommitted patch around `root`; None where there is no git commit.

    The patch is stored through `put_blob`; one above 16 MiB is left out, the commit id stays.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    commit = _git(root, "rev-parse", "--verify", "-q", "HEAD")
    if not commit:
        return None
    branch = (_git(root, "symbolic-ref", "-q", "--short", "HEAD") or b"").decode(errors="replace").strip()
    patch = _git(root, *_DIFF, *_PATCHED) or b""
    keep = bool(patch) and len(patch) <= _PATCH_LIMIT
    return GitState(commit.decode().strip(), branch or None, put_blob(patch) if keep else None)


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run([*_GIT, *words], cwd=root, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git, or one that hangs: the commit goes on without it
    return done.stdout if done.returncode == 0 else None
