"""`mlver query`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT
from mlver.cli.session import Session

app = new_app()
_LIMIT = 1000

_EVER_WITHOUT_R2 = (
    "SELECT DISTINCT d.commit_id FROM deployments d WHERE d.stage = 'prod' AND NOT EXISTS (SELECT 1 FROM rules r "
    "WHERE r.commit_id = d.commit_id AND r.id = 'R2')"
)
_NEVER_ACTED = "SELECT type, count(*) AS fired, sum(state = 'acted') AS acted FROM alerts GROUP BY type"
_WHO_TOUCHED = (
    "SELECT c.time, c.author, u.change, u.old, u.new FROM units_changed u JOIN commits c ON c.id = u.commit_id"
)


@verb(
    app,
    examples=[
        (f'mlver query "{_EVER_WITHOUT_R2}"', "ever in prod, without rule R2"),
        (f'mlver query "{_NEVER_ACTED}"', "which alerts matter?"),
        (f"mlver query \"{_WHO_TOUCHED} WHERE u.unit = 'impute' ORDER BY c.number\"", "the life of one setting"),
        ("mlver query \"SELECT about, text FROM search('scanner') ORDER BY rank\"", "full text, as in mlver search"),
        ("datasette $(mlver query --path)", "in the browser"),
    ],
)
def query(
    session: Session,
    sql: Annotated[str | None, typer.Argument(metavar="[SQL]", help="One SELECT; - reads it from stdin.")] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="Fills in :NAME.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, metavar="N", help="At most N rows; 1000.")] = _LIMIT,
    timeout: Annotated[float, typer.Option("--timeout", min=0.01, metavar="SECONDS", help="Give up after; 30.")] = 30.0,
    schema: Annotated[bool, typer.Option("--schema", help="List tables and columns.")] = False,
    path: Annotated[bool, typer.Option("--path", help="Print where the index lies, brought up to date.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV, ids whole.", rich_help_panel=OUTPUT)] = False,
    md: Annotated[bool, typer.Option("--md", help="Markdown.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Ask anything about the past, in SQL.

    The tables are derived from the repository, brought up to date by each question, and can only be
    read: commits, artifacts, units_changed, metrics, alerts, deployments, rules, derivations, notes
    and more. Deleting them loses nothing.
    """
    from mlver.cli import output
    from mlver.cli.values import parse_pairs, read_text
    from mlver.errors import UsageError
    from mlver.render import query as pages
    from mlver.verbs import query as verbs

    if sum((sql is not None, schema, path)) != 1:
        raise UsageError("say what to ask: SQL, --schema or --path", hint='mlver query "SELECT * FROM refs"')
    if schema:
        tables = verbs.query_schema()
        listing = pages.schema_markdown if md else pages.schema_page
        session.show(tables, lambda: listing(tables), [table.name for table in tables.tables])
        return
    with session.open() as repo:
        if path:
            where = verbs.query_path(repo)
            session.show(where, lambda: pages.path_page(where), [where.path])
            return
        asked = read_text(session.cwd, "-") if sql == "-" else str(sql)
        result = verbs.query(repo, asked, parse_pairs(parameters or []), limit=limit, timeout=timeout)
    if csv and not session.json:
        output.write(pages.query_csv(result))
    else:
        page = pages.query_markdown if md else pages.query_page
        session.show(result, lambda: page(result), pages.first_column(result))
    if result.more and (csv or md or session.quiet):
        session.warn(f"only the first {limit} rows: --limit N for more")
