"""The Python API: the verbs of the command line, with the same names and defaults.

    repo = mlver.Repo.open(".")
    repo.commit("v2", trailers={"why": ["week 1 is in"]})
    print(repo.diff("HEAD~1", "HEAD").to_dict())

Every method returns a frozen result with `to_dict()`; errors are those of `mlver.errors`, one
class per exit code of the command line.
"""

from mlver.api.repo import Repo, frozen_clock, open

__all__ = ["Repo", "frozen_clock", "open"]
