"""What a commit leaves out: built-in defaults, then `.mlverignore` (gitignore syntax) on top."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from mlver.errors import UsageError
from mlver.storage import durable

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".mlverignore"
_LIMIT = 1 << 20  # bytes
# more stars in a row than one mean one, unless they are a whole ** between slashes
_STARS = re.compile(r"(?P<kept>\\.|(?:^!?|(?<=/))\*\*(?=/|\s*$))|\*{2,}")
_MOST_STARS = 12  # each may multiply the time one name takes

# Tools' own folders, caches and virtual environments; and what must never be published by accident.
_CACHES = ("__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")
_TOOLS = (".mlver", ".git", ".hg", ".svn", ".dvc", ".venv", "venv", "node_modules", ".tox", ".nox", ".idea", ".vscode")
FOLDERS = frozenset([*_CACHES, *_TOOLS, ".ssh", ".aws", ".gnupg"])
FILES = frozenset(
    (".git", ".DS_Store", "Thumbs.db", ".coverage", ".env", ".netrc", ".pypirc", "id_rsa", "id_ed25519", "id_ecdsa")
)
SUFFIXES = (".pyc", ".pyo", ".swp", ".swo", "~", ".pem", ".egg-info")
_ENV_EXAMPLES = (".example", ".sample", ".template")
_JUDGED = 1  # one more where names are judged otherwise than before, here or in names.py: what is cached rests on it
_DEFAULTS = repr((_JUDGED, sorted(FOLDERS), sorted(FILES), SUFFIXES, _ENV_EXAMPLES)).encode()


def _complaint(lines: list[str]) -> str:
    from pathspec import GitIgnoreSpec

    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            return f"{IGNORE_FILE} line {number}: {error}"
    return f"{IGNORE_FILE} cannot be read"


class Ignore:
    """Decides for one work tree. Folders that are ignored are never entered."""

    def __init__(self, spec: GitIgnoreSpec | None = None, data: bytes = b"") -> None:
        self._spec = spec
        self.mark = blake3(_DEFAULTS + data).digest(16)  # another one when other names may be left out

    @classmethod
    def load(cls, root: Path) -> Ignore:
        """Read `.mlverignore` of the work tree; UsageError when it is not UTF-8 or has a bad pattern."""
        try:
            data = durable.read_file(root / IGNORE_FILE, limit=_LIMIT)
            lines = data.decode("utf-8").split("\n")
        except FileNotFoundError:
            return cls()
        except UnicodeDecodeError as error:
            raise UsageError(f"{IGNORE_FILE} is not UTF-8: {error}") from None
        from pathspec import GitIgnoreSpec

        lines = [_STARS.sub(lambda run: run["kept"] or "*", line) for line in lines]
        for number, line in enumerate(lines, 1):
            if line.count("*") > _MOST_STARS and not line.startswith("#"):
                raise UsageError(f"{IGNORE_FILE} line {number}: more than {_MOST_STARS} wildcards")
        try:
            return cls(GitIgnoreSpec.from_lines(lines), data)
        except (ValueError, re.error):
            raise UsageError(_complaint(lines)) from None

    def file(self, path: str, name: str) -> bool:
        """Whether the file at tree path `path` is left out."""
        if self._spec is not None and (verdict := self._spec.check_file(path).include) is not None:
            return verdict
        return (
            name in FILES
            or name.endswith(SUFFIXES)
            or name.startswith(durable.TEMP_PREFIX)  # left by a restore that was cut short
            or (name.startswith(".env.") and not name.endswith(_ENV_EXAMPLES))
        )

    def folder(self, path: str, name: str) -> bool:
        """Whether the folder at tree path `path` is left out with all below it."""
        if name in (".mlver", ".git"):
            return True
        if self._spec is not None and (verdict := self._spec.check_file(path + "/").include) is not None:
            return verdict
        return name in FOLDERS or name.endswith(SUFFIXES)
