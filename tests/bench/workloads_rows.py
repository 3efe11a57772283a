"""W7 and W8: tables by row, and long histories of small commits."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import answers, data
from tests.bench.clock import MLVER, Took, all_in_turn, empty, in_turn, median, run
from tests.bench.peers import Mlver, Peer, python_of
from tests.bench.workloads import Bench, packs

_FEW = 20
DUCKDB = """
import duckdb, json, sys
con, key = duckdb.connect(), "id"
con.execute(f"create view a as from '{sys.argv[1]}'; create view b as from '{sys.argv[2]}'")
columns = [row[0] for row in con.execute("describe a").fetchall() if row[0] != key]
differs = " or ".join(f'a."{name}" is distinct from b."{name}"' for name in columns)
rows = con.execute(f'''select coalesce(a.{key}, b.{key}), case when a.{key} is null then 'added'
  when b.{key} is null then 'removed' else 'changed' end from a full join b on a.{key} = b.{key}
  where a.{key} is null or b.{key} is null or {differs}''').fetchall()
print(json.dumps({kind: [k for k, what in rows if what == kind] for kind in ("added", "removed", "changed")}))
"""
_DOLT_PUT = """
import doltlite, sqlite3, sys, pyarrow.parquet as pq
con = sqlite3.connect(sys.argv[1], isolation_level=None)
for path in sys.argv[2:]:
    table = pq.read_table(path)
    columns = ", ".join(f'"{c}"' + (" integer primary key" if c == "id" else "") for c in table.column_names)
    con.execute(f"create table if not exists t ({columns})")
    con.execute("begin")
    con.execute("delete from t")
    marks = ", ".join("?" * table.num_columns)
    for batch in table.to_batches(50_000):
        cells = [c.cast("int64").to_pylist() if "timestamp" in str(c.type) else c.to_pylist() for c in batch.columns]
        con.executemany(f"insert into t values ({marks})", zip(*cells))
    con.execute("commit")
    con.execute("select dolt_commit('-A', '-m', 'v')").fetchone()
"""
_DOLT_DIFF = """
import doltlite, json, sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None)
rows = con.execute("select coalesce(to_id, from_id), diff_type from dolt_diff_t "
                   "where to_commit = (select commit_hash from dolt_log limit 1)").fetchall()
print(json.dumps({ours: [k for k, what in rows if what == kind]
    for ours, kind in (("added", "added"), ("removed", "removed"), ("changed", "modified"))}))
"""


def rows_of(bench: Bench, rows: int) -> tuple[Path, Path, dict[str, list[int]]]:
    """Return the two versions of a table and the true keys that differ."""
    old, new, truth = data.tables(bench.work, rows)
    return old, new, json.loads(truth.read_text())


def table_rows(bench: Bench) -> None:
    """W7: a table of 2,000,000 rows and 12 columns: commit with its comparison, and the difference by row."""
    old, new, truth = rows_of(bench, bench.size(2_000_000))
    mlver, *dvc = bench.find("dvc")
    commits: dict[str, list[Took]] = {"mlver": [], "dvc": []}
    for _ in range(bench.reps):
        for peer in (mlver, *dvc):
            repo = bench.repo(peer)
            (repo / "data").mkdir()
            for version, source in (("v1", old), ("v2", new)):
                shutil.copyfile(source, repo / "data" / "t.parquet")
                took = peer.commit(repo, version)
            commits[peer.name].append(took)
    repo = bench.at(mlver)
    bench.table.took("W7 commit of the second version, rows compared", commits)
    diff = [*MLVER, "diff", "v1", "v2"]
    known = {"mlver": lambda: run(diff, repo)}
    if dolt := python_of(bench.peers, "dolt"):
        store = empty(bench.work / "dolt") / "t.db"
        run([dolt, "-c", _DOLT_PUT, store, old, new], bench.work)
        known["doltlite"] = lambda: run([dolt, "-c", _DOLT_DIFF, store], bench.work)
    _answered(bench, "W7 row diff, once indexed", known, truth, digits=3)
    unknown = {"mlver": checked_diffs(repo, "v1", "v2", truth)}
    if tables := python_of(bench.peers, "tables"):
        unknown["DuckDB join of the files"] = lambda: run([tables, "-c", DUCKDB, old, new], bench.work)
    _answered(bench, "W7 row diff, nothing indexed", unknown, truth)


def _answered(
    bench: Bench, work: str, ways: dict[str, Callable[[], Took]], truth: dict[str, list[int]], digits: int = 2
) -> None:
    """Time the ways to a diff; say how right those of the peers are. Ours was checked."""
    taken = all_in_turn(bench.reps, ways)
    said = [answers.judged(name, json.loads(took[-1].out), truth) for name, took in taken.items() if name != "mlver"]
    bench.table.took(work, taken, digits=digits, note="; ".join(filter(None, said)) or "all keys right")


def checked_diffs(repo: Path, old: str, new: str, truth: answers.Keys) -> Callable[[], Took]:
    """Check the kept diff of two versions and one made anew; return a call that makes it anew, timed. SystemExit."""
    derived = repo / ".mlver" / "cache" / "derived.db"
    asked = [*MLVER, "diff", "--json", old, new, "--limit", "5000"]
    answers.must_be(run(asked, repo).out, truth)
    derived.unlink(missing_ok=True)
    answers.must_be(run(asked, repo).out, truth)

    def cold() -> Took:
        derived.unlink(missing_ok=True)
        return run([*MLVER, "diff", old, new], repo)

    return cold


def growing_table(bench: Bench) -> None:
    """W7b: what the store grows by when a table grows by 1 %, written by mlver.write_table, and by a new part."""
    import pyarrow.parquet as pq

    import mlver

    whole = pq.read_table(rows_of(bench, bench.size(2_000_000))[0])
    repo = bench.repo(Mlver("mlver"))
    (repo / "data" / "parts").mkdir(parents=True)
    path, sizes, stores = repo / "data" / "t.parquet", [], []
    took = Took(0)
    for rows in (whole.num_rows * 100 // 101, whole.num_rows):
        mlver.write_table(whole.slice(0, rows), path, key="id")
        took = run([*MLVER, "commit", "-q", "-m", "rows"], repo)
        sizes.append(path.stat().st_size)
        stores.append(packs(repo))
    ratio = (stores[1] - stores[0]) / (sizes[1] - sizes[0])
    bench.table.add("W7b commit of 1 % more rows", {"mlver": took.wall}, note=f"store +{ratio:.2f}x the bytes appended")
    part = repo / "data" / "parts" / "day=2.parquet"
    mlver.write_table(whole.slice(0, whole.num_rows // 100), part, key="id")
    took, before = run([*MLVER, "commit", "-q", "-m", "part"], repo), stores[1]
    ratio = (packs(repo) - before) / part.stat().st_size
    bench.table.add("W7b commit of a new part", {"mlver": took.wall}, note=f"store +{ratio:.2f}x the bytes appended")


def small_commits(bench: Bench) -> None:
    """W8: commits of one small metrics and one small rules file; log and blame after some of them and after all."""
    count = max(bench.size(300), 3 * _FEW)
    peers = bench.find("git", "dvc")
    mine = 0.0
    for peer in peers:
        repo = bench.repo(peer)
        (repo / "data").mkdir()
        took = []
        for number in range(count if peer.name != "dvc" else _FEW):
            _step(repo, number)
            took.append(peer.commit(repo, f"v{number}", flush=False))
            if number + 1 == _FEW and peer.name == "mlver":
                _questions(bench, peers[:1], _FEW)
        times = {"first": median(took[:_FEW]), "last": median(took[-_FEW:])}
        if peer.name == "mlver":
            mine = times["last"]
            bench.table.add(f"W8 a small commit, the first {_FEW}", {"mlver": times["first"]}, digits=3)
        else:
            work = f"W8 a small commit of {count}, the last {_FEW}, {peer.name} beside"
            bench.table.add(work, {"mlver": mine, peer.name: times["last"]}, digits=3)
    _questions(bench, [peer for peer in peers if peer.name != "dvc"], count)
    back = {peer.name: (lambda p=peer: p.back(bench.at(p), "v10")) for peer in peers}
    bench.table.add("W8 commit 10 back", in_turn(bench.reps, back), digits=3)
    inside = run([sys.executable, "-c", _IN_PROCESS, empty(bench.work / "inside")], bench.work)
    bench.table.add("W8 a commit through the Python API", {"mlver": float(inside.out)}, digits=4)


def _questions(bench: Bench, peers: list[Peer], count: int) -> None:
    logs = {peer.name: (lambda p=peer: p.log(bench.at(p))) for peer in peers}
    bench.table.add(f"W8 log of {count}", in_turn(bench.reps, logs), digits=3)
    repo = bench.at(peers[0])
    blame = {"mlver": lambda: run([*MLVER, "blame", "data/rules.json#rule_07"], repo)}
    bench.table.add(f"W8 blame of a key, {count} commits", in_turn(bench.reps, blame), digits=3)


_IN_PROCESS = """
import json, pathlib, statistics, sys, time
import mlver
root = pathlib.Path(sys.argv[1])
repo, took = mlver.Repo.init(root), []
for number in range(300):
    (root / "metrics.json").write_text(json.dumps({"epoch": number}))
    start = time.perf_counter()
    repo.commit(f"v{number}")
    took.append(time.perf_counter() - start)
print(statistics.median(took))
"""


def _step(repo: Path, number: int, rules: int = 40) -> None:
    rnd = random.Random(number)
    (repo / "data" / "metrics.json").write_text(json.dumps({"epoch": number, "auc": rnd.random()}, indent=1))
    said = []
    for rule in range(rules):
        last = number - (number - rule) % rules if number >= rule else 0
        level = random.Random(rule * 1000 + last).randint(1, 999)
        said.append({"id": f"rule_{rule:02}", "when": f"feature_{rule % 7} > {level / 1000}", "action": "drop"})
    (repo / "data" / "rules.json").write_text(json.dumps({"rules": said}, indent=1))
