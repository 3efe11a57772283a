"""The demo: a night at a clinic, played on real data with real commands."""

from __future__ import annotations

from importlib.util import find_spec

from mlver.errors import UsageError

_NEEDS = ("sklearn", "pandas", "joblib")


def check_installed() -> None:
    """Raise UsageError, with the command that helps, unless what the demo trains with is installed."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise UsageError(f"the demo needs {', '.join(missing)}", hint="pip install 'mlver[demo]'")
