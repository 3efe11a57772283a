"""`config`: settings of this repository and where each comes from."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.gc_roots import GC_SETTINGS, gc_setting
from mlver.repo.repository import Repository
from mlver.repo.settings import KNOWN, Settings, about, parse_value, write_setting
from mlver.repo.transaction import recorded

_FILES: Final = ("signing.key", "signing.allowed_signers")  # which a relative path would name from wherever one stands


@frozen
class Setting:
    """One setting; `origin` is `default`, `user`, `repository` or `mlver.toml`."""

    name: str
    value: Value
    origin: str
    about: str


@frozen
class ConfigResult(Result):
    """Settings by name."""

    schema: ClassVar[str] = "mlver.config/v1"
    settings: tuple[Setting, ...]


def get_config(repo: Repository, name: str | None = None) -> ConfigResult:
    """Return one setting, or all. Raises UsageError for a name that does not exist."""
    names = sorted(KNOWN) if name is None else [name]
    return ConfigResult(tuple(_setting(repo.settings, wanted) for wanted in names))


def set_config(repo: Repository, name: str, value: str | None) -> ConfigResult:
    """Set a setting of this repository (None: back to the default) in `.mlver/config.toml`.

    Raises UsageError for a name that does not exist, and for a value that does not fit.
    """
    path = repo.dot / "config.toml"
    repo.settings.get(name)  # raises when there is no such setting
    if value is not None:
        _check(name, value)
    write_setting(path, name, None if value is None else parse_value(name, value))
    with recorded():
        repo.settings = repo.settings.reloaded(path)
    return ConfigResult((_setting(repo.settings, name),))


def _check(name: str, value: str) -> None:
    if name in _FILES and not Path(value).is_absolute():
        raise UsageError(f"{name} must be an absolute path, not {value[:200]!r}", hint=f"mlver config {name} PATH")
    if name in GC_SETTINGS:
        gc_setting(name, value, GC_SETTINGS[name])


def _setting(settings: Settings, name: str) -> Setting:
    return Setting(name, settings.get(name), settings.origin(name), about(name))
