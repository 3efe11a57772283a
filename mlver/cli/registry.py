"""Which commands there are. Their modules are imported only when they are asked for."""

from __future__ import annotations

from mlver.frozen import frozen

RECORD = "Record"
LOOK = "Look and compare"
STAGES = "Stages: what is live"
LEARN = "Learned later: metrics, alerts, notes"
MOVE = "Branches, files and undo"
SHARE = "Share with others"
HOUSE = "Housekeeping"


@frozen
class Entry:
    """A command: its name, the line that sums it up, and the panel of `mlver --help` it stands in."""

    name: str
    summary: str
    panel: str

    @property
    def module(self) -> str:
        """The module that holds it."""
        return f"mlver.cli.commands.{self.name.replace('-', '_')}"


_ALL = (
    Entry("init", "Make a repository.", RECORD),
    Entry("status", "What changed here, what is stale, what is live.", RECORD),
    Entry("commit", "Take one snapshot of everything together.", RECORD),
    Entry("run", "Run a command; record what it read and wrote.", RECORD),
    Entry("log", "List commits, newest first.", LOOK),
    Entry("show", "Everything known about a commit, artifact or unit.", LOOK),
    Entry("cat", "Print an artifact or unit as of any revision.", LOOK),
    Entry("diff", "What changed, in each kind's own terms.", LOOK),
    Entry("blame", "Who last changed each part, when and why.", LOOK),
    Entry("lineage", "What a model, metric or table was made from.", LOOK),
    Entry("impact", "What was made from it, and where it went live.", LOOK),
    Entry("query", "Ask anything about the past, in SQL.", LOOK),
    Entry("search", "Find words in messages, reasons, notes and alerts.", LOOK),
    Entry("bisect", "Which commit, or which changes together, did it?", LOOK),
    Entry("suspect", "What do some bad predictions have in common?", LOOK),
    Entry("reproduce", "Run recorded steps again; does the same come out?", LOOK),
    Entry("check", "Would a commit pass the gate of a stage?", STAGES),
    Entry("promote", "Make a commit live on a stage.", STAGES),
    Entry("rollback", "Move a stage back to its last good release.", STAGES),
    Entry("fallback", "What serves when nothing else may; drill it.", STAGES),
    Entry("deployed", "What is or was live: where, for whom and why.", STAGES),
    Entry("metrics", "Record, show and compare metric values of commits.", LEARN),
    Entry("slo", "Whether what was promised holds: met, broken, unknown.", LEARN),
    Entry("alerts", "Record alerts and actions; see which ever mattered.", LEARN),
    Entry("oncall", "You were paged: where to look first.", LEARN),
    Entry("rules", "Which rules there are, which fire, which can go.", LEARN),
    Entry("exp", "Experiments: what varied, what came of it.", LEARN),
    Entry("note", "Write down what was learned about a part.", LEARN),
    Entry("handover", "What the next one on call has to know.", LEARN),
    Entry("report", "One page on releases, metrics, alerts: text or HTML.", LEARN),
    Entry("evidence", "One archive that shows what was live and known, to verify offline.", LEARN),
    Entry("incident", "What went wrong: take it down, have the report written.", LEARN),
    Entry("branch", "List, make or delete branches.", MOVE),
    Entry("switch", "Move to another branch; the files follow.", MOVE),
    Entry("merge", "Bring another branch in, unit by unit.", MOVE),
    Entry("revert", "Take back what one commit changed, in a new one.", MOVE),
    Entry("tag", "List, make or delete tags.", MOVE),
    Entry("restore", "Write old files into the work tree or elsewhere.", MOVE),
    Entry("undo", "Take back the last operation.", MOVE),
    Entry("op", "Show every operation on this repository.", MOVE),
    Entry("clone", "Copy a whole repository, with its history of stages.", SHARE),
    Entry("remote", "Name the repositories to push to and fetch from.", SHARE),
    Entry("push", "Send what is new here: branches, stages, facts.", SHARE),
    Entry("fetch", "Bring what is new there; branches here stay.", SHARE),
    Entry("pull", "Fetch, and merge into the branch you are on.", SHARE),
    Entry("verify", "Who signed it, and is every byte as it was signed?", HOUSE),
    Entry("fsck", "Name what is damaged and say what that hurts.", HOUSE),
    Entry("repair", "Mend damage, from what is left and from a copy.", HOUSE),
    Entry("gc", "Drop what nothing needs; keep what was ever live.", HOUSE),
    Entry("redact", "Remove bytes for good; history goes on reading.", HOUSE),
    Entry("config", "Show or change settings of this repository.", HOUSE),
    Entry("demo", "Play the night at the clinic on real data.", HOUSE),
)

COMMANDS: dict[str, Entry] = {entry.name: entry for entry in _ALL}
