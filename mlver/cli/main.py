"""The console entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mlver import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; the table of codes is in `mlver.errors`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:  # nothing needs to be loaded to answer this
        sys.stdout.write(f"mlver {__version__}\n")
        return 0
    from mlver.cli.app import run

    return run(arguments)


def entry() -> NoReturn:
    """Run the command line of this process and end the process with its exit code.

    Once Arrow has read something, its threads can abort the process while the interpreter is taken
    down (apache/arrow#34314): a commit that succeeded would end with 134. All is written by then, so
    the process ends without taking anything down.
    """
    code = main()
    if "pyarrow" not in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader has gone: there is nobody left to tell
            code = code or 141
    os._exit(code)
