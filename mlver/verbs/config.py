"""`config`: settings of this repository and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.repo.settings import KNOWN, Settings, about, parse_value, write_setting
from mlver.repo.transaction import recorded


@dataclass(frozen=True)
class Setting:
    """One setting; `origin` is `default`, `user`, `repository` or `mlver.toml`."""

    name: str
    value: Value
    origin: str
    about: str


@dataclass(frozen=True)
class ConfigResult(Result):
    """Settings by name."""

    schema: ClassVar[str] = "mlver.config/v1"
    settings: tuple[Setting, ...]


def get_config(repo: Repository, name: str | None = None) -> ConfigResult:
    """Return one setting, or all. Raises UsageError for a name that does not exist."""
    names = sorted(KNOWN) if name is None else [name]
    return ConfigResult(tuple(_setting(repo.settings, wanted) for wanted in names))


def set_config(repo: Repository, name: str, value: str | None) -> ConfigResult:
    """Set a setting of this repository (None: back to the default) in `.mlver/config.toml`."""
    path = repo.dot / "config.toml"
    repo.settings.get(name)  # raises when there is no such setting
    write_setting(path, name, None if value is None else parse_value(name, value))
    with recorded():
        repo.settings = repo.settings.reloaded(path)
    return ConfigResult((_setting(repo.settings, name),))


def _setting(settings: Settings, name: str) -> Setting:
    return Setting(name, settings.get(name), settings.origin(name), about(name))
