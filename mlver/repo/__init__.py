"""The repository's state: operations, facts, work tree, snapshots, releases."""
