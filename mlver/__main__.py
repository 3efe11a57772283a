"""`python -m mlver` is `mlver`."""

import sys

from mlver.cli.main import main

sys.exit(main())
