"""`config`: settings of this repository and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.repository import Repository


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
    raise NotImplementedError


def set_config(repo: Repository, name: str, value: str | None) -> ConfigResult:
    """Set a setting of this repository (None: back to the default) in `.mlver/config.toml`."""
    raise NotImplementedError
