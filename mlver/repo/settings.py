"""Settings of one copy of a repository: defaults < the user's file < `.mlver/config.toml`. They never travel."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.storage import durable
from mlver.storage.trouble import NotAFile


@frozen
class Known:
    """A setting that exists: its default, the values allowed (empty: any), and what it is for.

    A `personal` one counts in the user's own file alone: a folder that somebody handed over must not have a say in it.
    """

    default: Any
    allowed: tuple[str, ...]
    about: str
    personal: bool = False


ALWAYS, ASKED = "always", "asked"
YES, NO = "true", "false"
AT_COMMIT, ON_DEMAND = "commit", "need"
KNOWN: dict[str, Known] = {
    "author": Known(None, (), "who commits, promotes and records; default: the name you are logged in as"),
    "symlinks": Known("refuse", ("refuse", "store", "skip"), "what commit does with symbolic links"),
    "diff.tables": Known(AT_COMMIT, (AT_COMMIT, ON_DEMAND), "when large tables are compared: at commit or when needed"),
    "releases.keep": Known(3, (), "how many releases per stage stay on disk for an instant rollback"),
    "releases.write": Known(ALWAYS, (ALWAYS, ASKED), "which stages are written to disk here: all, or those moved here"),
    "gc.retention": Known("90d", (), "how long gc keeps what lost its name: a deleted branch, a commit undone"),
    "gc.trash": Known("2w", (), "how long what gc dropped lies in the trash, where gc --restore finds it"),
    "gc.keep": Known("", (), "what else gc keeps: best:5:recall,days:30,measured"),
    "jobs.address": Known(None, (), "the cluster that dask, ray or spark work on; only in your own settings", True),
    "jobs.backend": Known(
        "loky", ("loky", "threading", "dask", "ray", "spark"), "what does the work of --jobs: processes, or a cluster"
    ),
    "jobs.count": Known(0, (), "how many workers read large amounts without being asked to by --jobs; 0: none"),
    "commit.sign": Known(NO, (YES, NO), "whether every commit is signed, as by commit -S"),
    "promote.sign": Known(NO, (YES, NO), "whether every promotion and rollback is signed, as by promote -S"),
    "signing.allowed_signers": Known(None, (), "an allowed-signers file of yours: it alone says whose keys count"),
    "signing.key": Known(None, (), "the SSH key that signs: the private one, or the .pub of one that an agent holds"),
    "stage.default": Known("prod", (), "the stage that alerts belong to when none is named"),
}


REMOTE = "remote."  # and a name
_REMOTE = re.compile(r"remote\.[A-Za-z0-9_-]{1,100}")
_DIGITS = 9  # of a whole number
_LIMIT = 1 << 20  # bytes of a config file


class Settings:
    """Layered settings; each value remembers where it comes from.

    A file that is malformed stops what needs a setting, and nothing else: history can still be read.
    """

    def __init__(self, layers: Mapping[str, Mapping[str, Any]], trouble: UsageError | None = None) -> None:
        self._layers = layers
        self._trouble = trouble

    @classmethod
    def load(cls, repository: Path, user: Path | None) -> Settings:
        """Read the user's and the repository's file; LocalIO when the disk does not give them."""
        try:
            return cls({"user": _read(user) if user else {}, "repository": _of_repository(repository)})
        except UsageError as trouble:
            return cls({}, trouble)

    def reloaded(self, repository: Path) -> Settings:
        """Return the settings with the repository's file read again; UsageError when it is malformed."""
        return Settings({**self._layers, "repository": _of_repository(repository)}, self._trouble)

    def check(self) -> None:
        """Raise UsageError, naming file and entry, when a file is malformed."""
        if self._trouble is not None:
            raise UsageError(self._trouble.message, hint=self._trouble.hint)

    def origin(self, name: str) -> str:
        """Where the value of `name` comes from: `default`, `user` or `repository`. Raises as `get`."""
        _known(name)
        self.check()
        return next((layer for layer in ("repository", "user") if name in self._layers.get(layer, {})), "default")

    def get(self, name: str) -> Any:
        """Return the value of a setting that exists; UsageError naming file and entry when a file is malformed."""
        layer = self._layers.get(self.origin(name), {})
        return layer.get(name, _known(name).default)

    def remotes(self) -> dict[str, str]:
        """Return the folders of other repositories by name, as this copy knows them; UsageError as `get`."""
        self.check()
        names = [name for name in self._layers.get("repository", {}) if _REMOTE.fullmatch(name)]
        return {name.removeprefix(REMOTE): str(self.get(name)) for name in sorted(names)}


def _known(name: str) -> Known:
    if _REMOTE.fullmatch(name):
        return Known(None, (), "the folder of another repository; see mlver remote")
    if name not in KNOWN:
        raise UsageError(f"no setting {name!r}", hint=f"there are {', '.join(sorted(KNOWN))}")
    return KNOWN[name]


def about(name: str) -> str:
    """Return what a setting is for; UsageError when there is none of that name."""
    return _known(name).about


def parse_value(name: str, text: str) -> Any:
    """Return `text` as a value of the setting `name`; UsageError when it does not fit."""
    known = _known(name)
    if known.allowed and text not in known.allowed:
        raise UsageError(f"{name} must be one of {', '.join(known.allowed)}, not {text!r}")
    if isinstance(known.default, int):
        if not text.isdecimal() or len(text) > _DIGITS:
            raise UsageError(f"{name} must be a whole number, not {text[:80]!r}")
        return int(text)
    if not text or not text.isprintable():
        raise UsageError(f"{name} must be one line of text, not {text[:80]!r}")
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        plain = tomllib.loads(durable.read_file(path, limit=_LIMIT).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except NotAFile as error:
        raise UsageError(error.message, hint="move it away") from None
    except RecursionError:
        raise UsageError(f"{durable.show(path)}: nested too deeply") from None
    except ValueError as error:  # of TOML or UTF-8
        raise UsageError(f"{durable.show(path)}: {error}") from None
    try:
        return {name: parse_value(name, _text(name, value)) for name, value in _flatten(plain)}
    except RecursionError:
        raise UsageError(f"{durable.show(path)}: nested too deeply") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from None


def _of_repository(path: Path) -> dict[str, Any]:
    found = _read(path)
    for name in found:
        try:
            _refuse_personal(name)
        except UsageError as error:
            raise UsageError(f"{durable.show(path)}: {error.message}", hint=error.hint) from None
    return found


def _refuse_personal(name: str) -> None:
    if _known(name).personal:
        raise UsageError(
            f"{name} counts only in your own settings file", hint="~/.config/mlver/config.toml, or MLVER_CONFIG"
        )


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool) and YES in _known(name).allowed:
        return YES if value else NO
    if isinstance(value, str) or (type(value) is int and isinstance(_known(name).default, int)):
        return str(value)
    raise UsageError(f"{name} cannot be {value!r}")


def _flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        found += _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def write_setting(path: Path, name: str, value: Any) -> None:
    """Set (None: remove) one setting in a config file, durably."""
    flat = _read(path)
    flat.pop(name, None)
    if value is not None:
        _refuse_personal(name)
        flat[_checked(name)] = value
    # JSON strings of printable text, and integers, are TOML too
    text = "".join(f"{key} = {json.dumps(item, ensure_ascii=False)}\n" for key, item in sorted(flat.items()))
    durable.write_file(path, text.encode())


def _checked(name: str) -> str:
    _known(name)
    return name
