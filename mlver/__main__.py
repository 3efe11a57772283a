"""`python -m mlver` is `mlver`."""

from mlver.cli.main import entry

entry()
