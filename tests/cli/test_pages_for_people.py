"""Reports, incidents and handovers as HTML: one file, nothing outside of it, nothing in it that runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

HOSTILE = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>&\"'\x1b[31m\u202e"
VOID = {"meta", "br"}
TOML = """
[metrics.missed]
direction = "lower"
product = true

[metrics.unneeded]
direction = "lower"
product = true

[slo.triage]
stage = "prod"
require = ["missed <= 3"]
"""


class Page(HTMLParser):
    """Takes a page apart: tags with their attributes, and the text between them; every tag must be closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


@pytest.fixture
def story(mlver: Terminal, bench: Bench) -> Bench:
    """Two releases, the second rolled back from after an alert; every word anybody wrote is hostile."""
    bench.write("mlver.toml", TOML)
    bench.commit(f"v3 {HOSTILE}")
    bench.write("data/live/w3.csv", "patient_id,label\nP7,1\n")  # came after the release, so it says how that did
    on = ("--on", "data/live/w3.csv")
    for args in (
        ("promote", "prod", "HEAD~1", "--reason", HOSTILE, "--date", "2024-04-20T10:00Z"),
        ("promote", "prod", "HEAD", "--reason", HOSTILE, "--date", "2024-04-22T02:00Z"),
        ("alerts", "add", "flag_rate", "--id", "A1", "--severity", "page", "--summary", HOSTILE, "--stage", "prod",
         "--at", "2024-04-22T03:05Z"),
        ("incident", "open", "INC-1", "--alert", "A1", "--reason", HOSTILE, "--date", "2024-04-22T03:06Z"),
        ("rollback", "prod", "--reason", f"A1 {HOSTILE}", "--date", "2024-04-22T03:09Z"),
        ("incident", "note", "INC-1", HOSTILE, "--author", HOSTILE[:40], "--date", "2024-04-22T03:10Z"),
        ("incident", "link", "INC-1", "--cause", "HEAD~1", "--text", HOSTILE, "--date", "2024-04-22T04:00Z"),
        ("incident", "link", "INC-1", "--affected", "P1", "P<b>2", "--date", "2024-04-22T04:01Z"),
        ("incident", "link", "INC-1", "--follow-up", HOSTILE, "--date", "2024-04-22T04:02Z"),
        ("metrics", "add", "HEAD", "missed=9", "unneeded=0", *on, "--date", "2024-05-06T12:00Z"),
        ("metrics", "add", "HEAD", "missed=11", *on, "--date", "2024-05-08T12:00Z"),
        ("metrics", "add", "HEAD~1", "missed=1", "unneeded=9", *on, "--date", "2024-05-08T12:00Z"),
    ):  # fmt: skip
        answer = mlver(*args)
        assert answer.code == 0, (args, answer.err)
    return bench


PAGES = {
    "report": ("report", "prod"),
    "incident": ("incident", "report", "INC-1"),
    "handover": ("handover", "--since", "20-Apr", "--date", "2024-05-14"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_file_that_loads_nothing_and_runs_nothing(mlver: Terminal, story: Bench, name: str) -> None:
    answer = mlver(*PAGES[name], "--html", "page.html")
    assert answer.code == 0, answer.err
    source = (story.root / "page.html").read_text()
    page = Page(source)
    names = {tag for tag, _ in page.tags}
    assert not names & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "a",
        "audio",
        "use",
        "image",
    }
    attributes = [(key, value or "") for _, given in page.tags for key, value in given.items()]
    assert not [key for key, _ in attributes if key.startswith("on") or key in ("src", "href", "xlink:href", "srcdoc")]
    assert not [value for key, value in attributes if "://" in value]
    style = source.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = next(given for tag, given in page.tags if given.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy["content"] or "")


@pytest.mark.parametrize("name", PAGES)
def test_what_people_wrote_is_shown_and_never_markup(mlver: Terminal, story: Bench, name: str) -> None:
    mlver(*PAGES[name], "--html", "page.html")
    source = (story.root / "page.html").read_text()
    assert "<script" not in source and "<img" not in source and "<b>2" not in source
    assert "\x1b" not in source and "\u202e" not in source
    assert "<script>alert(1)</script>" in Page(source).text  # as text


@pytest.mark.parametrize("name", PAGES)
def test_the_same_repository_gives_the_same_bytes(mlver: Terminal, story: Bench, name: str) -> None:
    for file in ("a.html", "b.html"):
        assert mlver(*PAGES[name], "--html", f"../{file}").code == 0
    story.reopen()
    top = story.root.parent
    assert (top / "a.html").read_bytes() == (top / "b.html").read_bytes()
    assert mlver(*PAGES[name], "--md").out == mlver(*PAGES[name], "--md").out


def test_the_report_draws_releases_product_metrics_objectives_and_alerts(mlver: Terminal, story: Bench) -> None:
    assert mlver("report", "--html", "page.html", "--date", "2024-05-14").code == 0
    source = (story.root / "page.html").read_text()
    drawn = re.findall(r"<svg[^>]*><title>([^<]*)</title><desc>([^<]*)</desc>", source)
    titles = [title for title, _ in drawn]
    assert titles == [
        "missed by release", "unneeded by release", "What served when", "Objectives over time",
        "missed as it became known", "unneeded as it became known", "Alerts by type",
    ]  # fmt: skip
    about = dict(drawn)
    assert "2024-04-22 02:00Z – 03:09Z" in about["What served when"]
    assert "9 known 2024-05-06 12:00Z, 11 known 2024-05-08 12:00Z" in about["missed as it became known"]
    assert "unknown then, broken now" in about["Objectives over time"]
    assert "flag_rate: 1 alert" in about["Alerts by type"]
    text = Page(source).text
    assert "rolled back" in text and "less is better" in text


def test_a_report_as_text_has_no_titles_of_figures_it_cannot_draw(mlver: Terminal, story: Bench) -> None:
    text = mlver("report").out
    assert "less is better" not in text and "<svg" not in text
    assert "Product metrics by release" in text


def test_a_report_of_nothing_says_so(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("report", "--html", "page.html")
    assert answer.code == 0
    text = Page((bench.root / "page.html").read_text()).text
    assert "nothing is live on prod" in text and "none fired" in text


def test_the_incident_tells_minutes_causes_affected_and_what_is_left(mlver: Terminal, story: Bench) -> None:
    text = mlver("incident", "report", "INC-1", "--md").out
    assert "**69 min** a bad release served" in text
    told = [line for line in text.splitlines() if line.startswith("| 2024-04-22")]
    minutes = [re.sub(r"\s+", " ", line.split("|")[2]).strip() for line in told]
    assert minutes == ["+0 min", "+65 min", "+66 min", "+69 min", "+70 min"]
    assert "2 ids: P1, P\\<b\\>2" in text
    mlver("incident", "link", "INC-1", "--done", "1")
    mlver("incident", "close", "INC-1", "--reason", "over")
    result = mlver("incident", "report", "INC-1", "--json").json
    assert result["incident"]["state"] == "closed"
    assert result["served_seconds"] == 69 * 60
    assert [one["done"] is not None for one in result["incident"]["follow_ups"]] == [True]


def test_days_may_be_said_as_people_say_them(mlver: Terminal, story: Bench) -> None:
    said = {
        mlver("handover", "--since", since, "--date", "2024-05-14", "--json").json["since"]
        for since in ("20-Apr", "20 April", "20 apr 2024", "2024-04-20")
    }
    assert said == {"2024-04-20T00:00:00Z"}
    last_year = mlver("handover", "--since", "20-May", "--date", "2024-05-14", "--json").json
    assert last_year["since"] == "2023-05-20T00:00:00Z"
    assert mlver("handover", "--since", "31-Feb", "--date", "2024-05-14").code == 2


def test_a_page_is_not_written_where_it_must_not_be(mlver: Terminal, story: Bench, tmp_path: Path) -> None:
    assert mlver("report", "--html", ".mlver/page.html").code == 3
    assert mlver("report", "--html", "none/page.html").code == 2
    assert mlver("report", "--html", "data").code == 2


def test_a_report_on_a_stage_that_never_was_is_refused(mlver: Terminal, story: Bench) -> None:
    answer = mlver("report", "prdo")
    assert (answer.code, answer.out) == (2, "")
    assert "no stage 'prdo'" in answer.err and "stages are prod" in answer.err
