"""A night at the clinic: five months of a small model's life, and the night that mlver is for.

Every command shown is really run, every model really trained; nothing here knows the answers.
"""

from __future__ import annotations

import json
import shlex
import shutil
from itertools import count
from pathlib import Path

from mlver.demo import check_installed
from mlver.demo.player import Player
from mlver.errors import Refused

SEED = 46
NIGHT = "2024-04-22"
TRAIN = (
    "mlver run --name train --in data/train.csv --in config/pipeline.json --out models/triage.joblib -- python train.py"
)
STATIC = "python evaluate.py data/val/static.csv --out metrics/static.json"
RECORD = "mlver metrics add HEAD --from metrics/static.json --on data/val/static.csv"


def new_folder(parent: Path) -> Path:
    """Return the first of `mlver-demo`, `mlver-demo-2` ... that does not exist in `parent` yet."""
    names = ("mlver-demo" + (f"-{n}" if n > 1 else "") for n in count(1))
    return next(parent / name for name in names if not (parent / name).exists())


def run(folder: Path, pause: bool, seed: int = SEED) -> int:
    """Play the story in `folder`; returns the exit code.

    Raises UsageError when scikit-learn is missing, Refused when the directory holds something.
    """
    check_installed()
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty", hint="mlver demo OTHER-FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    player = Player(folder, pause=pause)
    play(player, seed)
    player.say("What to try next:")
    for command, what in NEXT:
        player.suggest(command, what)
    player.finish()
    return 0


NEXT = (
    ("mlver log --oneline --graph", "the whole history"),
    ("mlver diff v2 night", "what went wrong, on one screen"),
    ("mlver blame prod", "who stands behind every part of what is live"),
    ("mlver lineage prod", "what the live model was made from"),
    ("mlver op log", "every move; mlver undo takes back the last"),
)


def play(player: Player, seed: int = SEED) -> None:
    """Play all scenes in the world of `seed`."""
    night = _Night(player, seed)
    night.beginnings()
    night.good_release()
    night.three_harmless_changes()
    night.three_in_the_morning()
    night.three_causes()
    night.late_truth()


class _Night:
    """The scenes, and who does what in them."""

    def __init__(self, player: Player, seed: int) -> None:
        self.player = player
        self.seed = seed

    def _edit(self, *names: str) -> None:
        """Let the story's people change files of the project."""
        from mlver.demo import world

        for name in names:
            world.edit(self.player.folder, name, self.seed)

    def beginnings(self) -> None:
        from mlver.demo import world

        player = self.player
        world.lay_out(player.folder, "week0", self.seed)
        player.scene("5 February: a project becomes a repository", date="2024-02-05T10:00Z", author="ana")
        player.say(
            """Three clinics send measurements of breast masses. A model and a few hand-written rules decide who is
            referred to a doctor. Data, model, rules, checks, config and code live in one folder, and from today
            on they are versioned together."""
        )
        player.run("mlver init")
        player.run(TRAIN)
        player.run('mlver commit -m "v1: the history, rule R1"')
        player.run("mlver tag v1")
        player.run('mlver promote prod --reason "first release"')

        player.scene("11 February: a rule with a reason", date="2024-02-11T04:40Z", author="dana")
        self._edit("add_R2")
        player.say(
            """An alert at 04:10: many of clinic C's patients come without the 'worst' measurements. Dana adds rule
            R2: whoever misses three or more goes to a doctor. Reason, ticket and alert stay with the change."""
        )
        player.run(
            'mlver commit -m "add rule R2" --why "the scanner of clinic C drops the worst block" '
            "--ticket TRI-31 --alert A0020"
        )

    def good_release(self) -> None:
        player = self.player
        player.scene("1 April: the good release", date="2024-04-01T14:00Z", author="cleo")
        self._edit("train_w1", "live_w2", "alert_history")
        player.say("Week 1 is labelled. Cleo retrains, measures on the static hold-out, and records what she measured.")
        player.run(TRAIN)
        player.run(STATIC)
        player.run('mlver commit -m "v2: history and week 1"')
        player.run("mlver tag v2")
        player.run(RECORD)
        player.scene("1 April: live", date="2024-04-01T16:00Z", author="ana")
        player.run('mlver promote prod v2 --reason "recall .952 on the hold-out"')
        player.run("mlver deployed prod --at 2024-02-20")
        player.run("mlver alerts import alerts/history.jsonl")
        player.run("mlver alerts stats")
        player.say(
            "86 alerts in two months, 6 of them acted on. The table says which kind ever mattered, and what was done."
        )

    def three_harmless_changes(self) -> None:
        player = self.player
        player.scene("19 April: new labels", date="2024-04-19T11:00Z", author="temp-07")
        self._edit("labels_w2_flipped")
        player.say("A contractor labels week 2. At clinic C they write 0 for malignant, as scikit-learn does.")
        player.run('mlver commit -m "labels of week 2" --ticket LAB-9')

        player.scene("20 April: a simpler imputation", date="2024-04-20T15:00Z", author="ben")
        self._edit("impute_-1")
        player.run('mlver commit --why "one less statistic to keep up to date"')
        player.say("No message was given; this one was written from the diff.")

        player.scene("20 April: an unrelated good change", date="2024-04-20T17:00Z", author="cleo")
        self._edit("max_iter_3000")
        player.run('mlver commit --why "silences the convergence warning"')

        player.scene("21 April: tidying up", date="2024-04-21T20:40Z", author="eve")
        self._edit("drop_R2")
        player.run('mlver commit -m "remove rule R2" --why "0 hits in week 2, the model handles it"')

    def three_in_the_morning(self) -> None:
        player = self.player
        player.scene("22 April, 02:00: the nightly job", date=f"{NIGHT}T02:00Z", author="cron")
        player.say("Train, measure, promote. The gate looks at accuracy on the hold-out: .958, as good as ever.")
        player.run(TRAIN)
        player.run(STATIC)
        player.run('mlver commit -m "nightly retraining"')
        player.run("mlver tag night")
        player.run(RECORD)
        player.run('mlver promote prod --reason "nightly: accuracy >= .95 on the hold-out"')

        self._edit("live_w3")
        player.scene("22 April, 03:05: two alerts", date=f"{NIGHT}T03:05Z", author="monitor")
        player.run(f"mlver alerts add null_fraction.worst_radius --id A0087 --at {NIGHT}T02:40Z --severity warn")
        player.run("python evaluate.py data/live/w3.csv")
        player.run(
            f"mlver alerts add flag_rate_drop.clinic --id A0088 --at {NIGHT}T03:05Z --severity page "
            '--summary "clinic C refers 12 % of its patients, not 65 %"'
        )

        player.scene("22 April, 03:07: eve is paged", date=f"{NIGHT}T03:07Z", author="eve")
        player.say("Her first night on call. Which of the two matters? What did people do the last time?")
        player.run("mlver alerts ls --state open")
        player.run("mlver alerts stats --type null_fraction")
        player.run("mlver blame 'rules/rules.json#R2'")
        player.say(
            "The alert that was ignored 40 times in 41 led to rule R2 once. And R2 was removed last evening, by eve."
        )
        player.run("mlver diff v2 prod")
        player.say(
            "Everything that changed since the last good release, on one screen. No need to understand it all now."
        )

        player.scene("22 April, 03:09: back", date=f"{NIGHT}T03:09Z", author="eve")
        player.run('mlver rollback prod --dry-run --reason "A0088, clinic C"')
        player.run('mlver rollback prod --reason "A0088, clinic C"')
        player.run("mlver rollback prod")
        player.say("Model, rules and config are back together, byte for byte; the second call had nothing left to do.")
        player.run("mlver status")

        player.scene("22 April, 03:20: who was served?", date=f"{NIGHT}T03:20Z", author="eve")
        player.run(f"mlver impact 'prod@{{{NIGHT}T02:30Z}}'")
        player.run('mlver alerts act A0088 --did "rolled back prod to v2" --ticket INC-1')
        player.run('mlver note night "missed cancers at clinic C: see INC-1" --mark bad --ticket INC-1')

    def three_causes(self) -> None:
        player = self.player
        player.scene("22 April, 09:30: three causes", date=f"{NIGHT}T09:30Z", author="ana")
        player.run("mlver blame 'config/pipeline.json#impute'")
        player.run("mlver blame rules/rules.json --deleted")
        player.run(f"mlver blame 'data/train.csv#{self._flipped_patient()}' --column label")
        player.say("Each change had a reason, each looked harmless. Together they missed 5 of clinic C's 8 cancers.")

        player.scene("22 April, 10:00: fixed forward", date=f"{NIGHT}T10:00Z", author="cleo")
        self._edit("add_R2", "impute_median", "labels_w2_fixed")
        player.run("mlver diff")
        player.run(TRAIN)
        player.run(STATIC)
        player.run('mlver commit -m "v4: labels, imputation and R2 put right" --why "INC-1" --ticket INC-1')
        player.run("mlver tag v4")
        player.run(RECORD)
        player.run("mlver diff v2 v4")
        player.say("Only the 80 new rows, cleo's max_iter and the retrained model are left of that week.")
        player.run('mlver promote prod v4 --reason "INC-1 closed"')

    def late_truth(self) -> None:
        player = self.player
        scratch = player.folder.parent / f".{player.folder.name}-night"
        player.scene("13 May: the labels arrive", date="2024-05-06T12:00Z", author="cleo")
        player.say(
            """Three weeks later it is known who was ill. The night's release is taken out once more and measured on the
            labels as they come in. Its commit does not change; what is known about it does."""
        )
        player.run(f"mlver restore --rev night --to {shlex.quote(str(scratch))}")
        try:
            for part, day in ((1, "2024-05-06"), (2, "2024-05-08"), (3, "2024-05-13")):
                self._measure_night(scratch, part, day)
        finally:
            shutil.rmtree(scratch)
        player.run("mlver metrics show night --name recall --history")
        player.run(f"mlver metrics show night --name recall --as-of {NIGHT}T03:07Z")
        player.say(
            """What is known today, and what anyone could know at 03:07 that night: of the patients then served, no
            recall at all."""
        )

    def _measure_night(self, scratch: Path, part: int, day: str) -> None:
        """Measure the night's release on the labels known on `day`, and record its recall at clinic C."""
        player = self.player
        player.be(date=f"{day}T12:00Z", author="cleo")
        self._edit(f"labels_w3_part{part}")
        for path in ("data/live/w3.csv", "data/labels/w3.csv"):
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(player.folder / path, scratch / path)
        found = json.loads(player.ask("python evaluate.py data/live/w3.csv", folder=scratch))["clinic=C"]
        player.run(
            f"mlver metrics add night 'recall{{clinic=C}}={found['recall']}' --on data/live/w3.csv "
            f"--n {found['malignant']} --as-of {day}"
        )

    def _flipped_patient(self) -> str:
        from mlver.demo.patients import deal

        week2 = deal(self.seed).week2
        return str(week2[week2.clinic == "C"].patient_id.iloc[0])
