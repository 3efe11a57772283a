"""Rules as conditions over the rows of a table: from every shape rules are written in to SQL, run in a sandbox.

A condition is an expression and nothing else. It is parsed by DuckDB, checked node by node against what a
condition may use, and evaluated on an Arrow table in memory by a DuckDB that can reach no file, no network,
no extension and no setting.
"""
