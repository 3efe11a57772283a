"""The console entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mlver import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; the table of codes is in `mlver.errors`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:  # nothing needs to be loaded to answer this
        sys.stdout.write(f"mlver {__version__}\n")
        return 0
    from mlver.cli.app import run

    return run(arguments)
