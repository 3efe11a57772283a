"""mlver versions data, models, rules, metrics and alert histories together.

    import mlver
    repo = mlver.Repo.open(".")
    with mlver.open("models/triage.joblib@prod") as model: ...

Names load on first use, so that `import mlver` and the command line start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlver.api import Repo, frozen_clock, open

__version__ = "0.1.0"
__all__ = ["Repo", "__version__", "frozen_clock", "open"]


def __getattr__(name: str) -> Any:
    if name in ("Repo", "open", "frozen_clock"):
        from mlver import api

        return getattr(api, name)
    raise AttributeError(f"module 'mlver' has no attribute {name!r}")
