"""What the acts of the story share: who plays, in which world, and where."""

from __future__ import annotations

import json
from pathlib import Path

from mlver.demo.player import Player

NIGHT = "2024-04-22"
LIVE2, LIVE3, LABELS3 = "data/live/w2.csv", "data/live/w3.csv", "data/labels/w3.csv"
STATIC = "data/val/static.csv"
EVALUATE = "python evaluate.py {data}"
TRAIN = (
    "mlver run --name train --in data/train.csv --in config/pipeline.json --out models/triage.joblib -- python train.py"
)
MEASURE = f"python evaluate.py {STATIC} --out metrics/static.json"
RECORD = f"mlver metrics add HEAD --from metrics/static.json --on {STATIC}"


class Night:
    """One performance. `whole` plays every step; otherwise what is most worth seeing in half a minute."""

    def __init__(self, player: Player, seed: int, *, whole: bool) -> None:
        self.player, self.seed, self.whole = player, seed, whole

    @property
    def hub(self) -> Path:
        """Where the team's shared repository lies."""
        return self._beside("hub")

    @property
    def colleague(self) -> Path:
        """Where ben's copy of the repository lies."""
        return self._beside("ben")

    def edit(self, *names: str, folder: Path | None = None) -> None:
        """Let the story's people change files of the project, or of a colleague's copy in `folder`."""
        from mlver.demo import world

        for name in names:
            world.edit(folder or self.player.folder, name, self.seed)

    def blamed(self, target: str, *options: str) -> str:
        """The commit, in short, that last changed a unit, or removed it."""
        return str(self.player.ask_json(" ".join(["blame", f"'{target}'", *options]))["units"][0]["commit"])[:10]

    def flipped_patient(self) -> str:
        """A patient of clinic C whose label is the wrong way round."""
        from mlver.demo.patients import deal

        week2 = deal(self.seed).week2
        return str(week2[week2.clinic == "C"].patient_id.iloc[0])

    def missed_patients(self) -> list[str]:
        """The patients of clinic C with cancer whom the night's release sent home, as known once labels are in."""
        from mlver.demo.patients import deal

        week3 = deal(self.seed).week3
        ill = week3[(week3.clinic == "C") & (week3.label == 1)]
        code = (
            "import json, pandas, triage; table = pandas.read_csv('data/live/w3.csv', index_col='patient_id');"
            "print(json.dumps({k: int(v) for k, v in zip(table.index, triage.decide(table.reset_index()))}))"
        )
        answers = json.loads(self.player.ask(f'python -c "{code}"', folder=self.taken_out))
        return [str(id) for id in ill.patient_id if not answers[str(id)]]

    @property
    def taken_out(self) -> Path:
        """Where the night's release is taken out to, once more, when it is known who was ill."""
        return self._beside("night")

    def _beside(self, what: str) -> Path:
        return self.player.folder.parent / f"{self.player.folder.name}-{what}"
