"""The page of `diff`: what a person on call reads at 3 am in 80 columns."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len

from mlver.kinds.base import Detail
from mlver.render.console import to_text
from mlver.render.diff import diff_page, names_page, stat_page
from mlver.render.markdown import diff_markdown
from mlver.verbs.diff import DiffResult, Side, UnitChange
from tests.render import made

NIGHT = f"""\
from  prod~1  {made.V2.short}  2024-04-01 09:00Z  cleo  v2: history and week 1
to    prod    {made.BAD.short}  2024-04-22 02:00Z  cron  nightly retrain

metrics  on data/val/static.csv
  recall{{clinic=C}}  1.000  →  0.375  ↓ -0.625  worse  n 8
  the same: accuracy
metrics
  recall  0.969  →  unknown    changed  n 80 → ?
  beware: labels are not in yet

rules   rules/rules.json  -1 rule
  - R2  >= 3 missing values -> refer  (dana: clinic C scanner firmware drops the
        worst block)

config  config/pipeline.json  ~1 key
  ~ impute  "median" → "-1"

data    data/train.csv  +80 rows, 25 cells changed in label (25 rows)
  ~ P0400  label 1 → 0
  ~ P0401  label 1 → 0
  ~ P0402  label 1 → 0
  + P0500  clinic=A label=1 r=0
  + P0501  clinic=A label=1 r=1
  … 100 more: mlver diff prod~1 prod -- data/train.csv
    drift           PSI     KS
    worst radius  0.310  0.200
    mean area     0.040  0.051

model   models/triage.joblib  LogisticRegression: 1 parameter changed, 2 arrays
                              moved
  ~ model.steps.clf.max_iter  2000 → 3000
  … 1 more: mlver diff prod~1 prod -- models/triage.joblib
    arrays of model.steps
      parameter    shape  L2 change
      clf.coef_    1x30       3.449
      scale.mean_  30         20.63

code    train.py  +1 -1 lines
    @ L3
    - fit(0)
    +     fit(1)

data    data/extra.parquet  1000 B → 2 KiB  not readable as data: truncated
                            Parquet file

environment  2 packages differ
  scikit-learn  1.3.2 → 1.9.1
  numpy         none → 2.4.6

git     1111111111 → 2222222222

data    data/val/static.csv  same rows, written differently
"""


def test_one_screen_tells_the_night_the_most_telling_first() -> None:
    assert to_text(diff_page(made.NIGHT), width=80) == NIGHT


def test_no_line_is_wider_than_the_page() -> None:
    for width in (60, 80, 120):
        lines = to_text(diff_page(made.NIGHT), width=width).splitlines()
        too_wide = [line for line in lines if cell_len(line) > width and "mlver diff" not in line]
        assert too_wide == []


def test_colour_adds_nothing_but_colour() -> None:
    from rich.text import Text

    colored = to_text(diff_page(made.NIGHT), width=80, color=True)
    assert "\x1b[" in colored
    assert "".join(f"{line.rstrip()}\n" for line in Text.from_ansi(colored).plain.splitlines()) == NIGHT


def test_a_lone_artifact_gets_the_room_of_the_others() -> None:
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(made.DATA,))), width=80)
    assert page.count("label 1 → 0") == 20
    assert page.count("  + P05") == 20


def test_the_limit_asked_for_is_the_limit_shown() -> None:
    page = to_text(diff_page(made.NIGHT, room=2), width=80)
    assert page.count("label 1 → 0") == 1
    assert page.count("  + P05") == 1
    assert "… 103 more" in page


def test_equal_snapshots_say_so() -> None:
    nothing = DiffResult(made.NIGHT.old, Side("work tree", None), ())
    page = to_text(diff_page(nothing), width=80)
    assert page.splitlines()[1:] == ["to    work tree", "", "no difference"]


def test_the_text_of_a_setting_is_told_from_its_number() -> None:
    changes = (UnitChange("impute", "changed", "-1", -1, "-1", "-1"),)
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(replace(made.CONFIG, changes=changes),))), width=80)
    assert '  ~ impute  "-1" → -1\n' in page


def test_numbers_that_differ_never_look_alike() -> None:
    changes = (UnitChange("C", "changed", 1.00000001, 1.00000002, "1", "1"),)
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(replace(made.CONFIG, changes=changes),))), width=80)
    assert "  ~ C  1.00000001 → 1.00000002\n" in page


def test_hostile_names_and_values_cannot_act_on_the_terminal() -> None:
    evil = "a\x1b[2Jb\nc\u202ed"
    artifact = replace(
        made.RULES, path=evil, summary=evil, changes=(UnitChange(evil, "added", None, evil, None, evil),)
    )
    result = replace(made.NIGHT, artifacts=(artifact,), metrics=(), environment=((evil, evil, None),), git=None)
    for page in (diff_page(result), stat_page(result), names_page(result), diff_markdown(result)):
        text = to_text(page, width=200)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "a\\e[2Jb\\nc\\u202ed" in text or "a\\\\e\\[2Jb\\\\nc\\\\u202ed" in text


def test_stat_is_one_line_per_artifact() -> None:
    assert to_text(stat_page(made.NIGHT), width=80).split("\n\n", 1)[1] == (
        "modified   rules   rules/rules.json      -1 rule\n"
        "modified   config  config/pipeline.json  ~1 key\n"
        "modified   data    data/train.csv        +80 rows, 25 cells changed in label (25\n"
        "                                         rows)\n"
        "modified   model   models/triage.joblib  LogisticRegression: 1 parameter\n"
        "                                         changed, 2 arrays moved\n"
        "modified   code    train.py              +1 -1 lines\n"
        "modified   data    data/extra.parquet    1000 B → 2 KiB\n"
        "rewritten  data    data/val/static.csv   same rows, written differently\n"
        "\n"
        "7 artifacts\n"
    )


def test_name_only_is_paths_alone() -> None:
    assert to_text(names_page(made.NIGHT), width=20).splitlines() == [a.path for a in made.NIGHT.artifacts]


def test_markdown_holds_tables_and_escapes() -> None:
    text = to_text(diff_markdown(made.NIGHT), width=40)
    assert text.startswith(f"### prod\\~1 `{made.V2.short}` (cleo, 2024-04-01 09:00Z: v2: history and week 1) → prod `")
    assert "| recall{clinic=C} | 1.000 | 0.375 | ↓ -0.625 | worse | data/val/static.csv |\n" in text
    assert '- `~` `impute` "median" → "-1"\n' in text
    assert "```diff\n@ L3\n- fit(0)\n+     fit(1)\n```\n" in text
    assert "- … 100 more\n" in text
    assert "- `data/val/static.csv`: same rows, written differently\n" in text


def test_markdown_cannot_be_broken_out_of() -> None:
    evil = "x` <b>|</b> *y*"
    artifact = replace(made.CONFIG, path=evil, changes=(UnitChange(evil, "added", None, evil, None, evil),))
    text = to_text(diff_markdown(replace(made.NIGHT, artifacts=(artifact,), metrics=())), width=200)
    assert "**config** ``x` <b>|</b> *y*``: \\~1 key\n" in text
    assert "- `+` ``x` <b>|</b> *y*`` x\\` \\<b\\>\\|\\</b\\> \\*y\\*\n" in text


def test_numbers_that_are_recorded_as_facts_are_not_told_twice() -> None:
    row = ("clinic=C.recall", 1.0, 0.375, -0.625, "worse")
    detail = Detail("metrics", ("metric", "old", "new", "delta", "verdict"), (row,))
    file = replace(made.CONFIG, path="metrics/static.json", kind="metrics", changes=(), details=(detail,))
    other = replace(
        file, path="metrics/live.json", details=(replace(detail, rows=(("flag_rate", 0.3, 0.2, -0.1, "changed"),)),)
    )
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(file, other, made.RULES))), width=80)
    assert "clinic=C.recall" not in page
    assert "flag_rate  0.300  →  0.200  ↓ -0.100  changed" in page


def test_of_many_metrics_the_worst_are_shown_and_the_rest_counted() -> None:
    metrics = tuple(replace(made.METRICS[0], name=f"m{i:02}", slice="") for i in range(20))
    page = to_text(diff_page(replace(made.NIGHT, metrics=metrics)), width=80)
    assert page.count(" worse") == 8
    assert "  … 12 more that differ (mlver metrics diff)\n" in page


def test_what_is_most_urgent_of_an_artifact_stands_before_its_units() -> None:
    flip = Detail("association flipped", ("column", "r old"), (("label", 0.703),))
    code = Detail("runs code when loaded", ("name",), (("posix.system",), ("builtins.eval",)))
    data, model = replace(made.DATA, details=(flip, *made.DATA.details)), replace(made.MODEL, details=(code,))
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(data, model))), width=80)
    assert page.index("association flipped") < page.index("~ P0400") < page.index("drift")
    assert page.index("runs code when loaded: posix.system, builtins.eval") < page.index("max_iter")
    new = to_text(diff_page(replace(made.NIGHT, artifacts=(data, replace(model, change="added")))), width=80)
    assert "runs code when loaded: posix.system" in new


def test_an_array_that_came_is_named_and_one_that_moved_is_not_counted_again() -> None:
    came = UnitChange("extra", "added", None, {"digest": "c"}, None, "float64 3")
    counts = replace(made.MODEL.units, added=1, changed=2)
    model = replace(made.MODEL, changes=(*made.MODEL.changes, came), units=counts)
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(made.DATA, model))), width=80)
    assert "  + extra  " in page and "more: mlver diff prod~1 prod -- models" not in page


def test_a_lost_column_is_told_once_not_in_every_row() -> None:
    row = UnitChange("P1", "changed", {"sex": -1.5, "bmi": 1}, {"bmi": 2}, "", "")
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(replace(made.DATA, changes=(row,)),))), width=80)
    assert "  ~ P1  bmi 1 → 2\n" in page


def test_the_way_to_see_more_of_a_lone_artifact_is_the_limit() -> None:
    page = to_text(diff_page(replace(made.NIGHT, artifacts=(made.DATA,)), room=2), width=80)
    assert "… 103 more (--limit N)" in page
