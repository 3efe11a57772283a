"""mlver versions data, models, rules, metrics and alert histories together.

    import mlver
    repo = mlver.Repo.open(".")
    with mlver.open("models/triage.joblib@prod") as model: ...
    mlver.write_table(frame, "data/train.parquet", key="id")

Names load on first use, so that `import mlver` and the command line start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlver.api import Repo, frozen_clock, open
    from mlver.kinds.tables.writing import write_table

__version__ = "0.1.0"
__all__ = ["Repo", "__version__", "frozen_clock", "open", "write_table"]


def __getattr__(name: str) -> Any:
    if name in ("Repo", "open", "frozen_clock"):
        from mlver import api

        return getattr(api, name)
    if name == "write_table":
        from mlver.kinds.tables.writing import write_table

        return write_table
    raise AttributeError(f"module 'mlver' has no attribute {name!r}")
