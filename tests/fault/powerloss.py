"""Power cuts: every state a disk may be left in while a repository is worked with, opened and looked at.

    python -m tests.fault.powerloss [STATES [SEED]]    about 100,000 states, if none are given

Prints one line of JSON: raw and distinct states, violations, seed, seconds. docs/design/powerloss.md has the model.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlver.storage import durable
from tests.fault.powerloss_disk import Disk, Recorder
from tests.fault.powerloss_judge import CACHES, Judge, Layout, Verdict, spoil
from tests.fault.powerloss_states import Remains, Tree
from tests.fault.powerloss_story import SEED, Act, Known, Recording, recording, tell

WHERE = "/dev/shm" if Path("/dev/shm").is_dir() else None
_NONE = Known("nothing", -1, -1, None)


@dataclass
class Tally:
    """What came of it. `raw` counts states, `distinct` those that differ in some name or byte, `again` those in which
    the interrupted command was given once more; `kinds` counts how many had something absent, cut, and so on."""

    raw: int = 0
    distinct: int = 0
    cuts: int = 0
    whole_spaces: int = 0  # cuts of which every state was looked at
    again: int = 0
    lost_any: int = 0  # states that differ from what the running system saw
    caches: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bounds:
    """What was known before a cut, and what will be when the act under way is done."""

    known: Known
    next: Known
    act: Act | None

    def wrong(self, found: Verdict) -> list[str]:
        """Return what of a verdict must not be."""
        problems = list(found.problems)
        for what, number, low, high in (
            ("head", found.head, self.known.head, self.next.head),
            ("head of the hub", found.hub, self.known.hub, self.next.hub),
        ):
            if number < low:
                problems.append(f"LOST: {what} is {number}, and {low} was acknowledged")
            elif number > high:
                problems.append(f"{what} is {number}, past {high}")
        if found.served not in (self.known.served, self.next.served):
            problems.append("what is served is neither the old bundle nor the new one")
        return problems


class Campaign:
    """Looks at the states of one recording, each cut in turn."""

    def __init__(self, story: Recording, world: Path, seed: int, again_every: int) -> None:
        self.story, self.tally, self.rnd = story, Tally(), random.Random(seed)
        self.layout = Layout(world)
        self.judge = Judge(world, story.answers)
        self._again_every = again_every
        self._seen: dict[tuple[object, ...], Verdict] = {}

    def run(self, per_cut: int, stop: Callable[[Tally], bool] = lambda tally: False, first: int = 0) -> Tally:
        """Look at up to `per_cut` states after each event from the `first` on."""
        recorder, disk = self.story.recorder, Disk()
        bounds = list(_bounds(self.story))
        for number, event in enumerate(recorder.events):
            disk.apply(event)
            if not event.changes or number < first:
                continue
            self.tally.cuts += 1
            remains = Remains(disk)
            self.tally.whole_spaces += remains.size <= per_cut
            for choice in remains.choices(per_cut, self.rnd):
                self.tally.raw += 1
                self._state(remains.tree(choice, recorder.top), number, choice, bounds[number])
                if stop(self.tally):
                    return self.tally
        return self.tally

    def _state(self, tree: Tree, number: int, choice: tuple[int, ...], bounds: Bounds) -> None:
        hurt = bounds.known.hurt or bounds.next.hurt
        key = frozenset(tree.items()), hurt
        found = self._seen.get(key)
        if found is None:
            self.tally.distinct += 1
            how = self.rnd.choice(CACHES)
            self.tally.caches[how] += 1
            self._lay_out(tree, number, how)
            found = self._seen[key] = self.judge.judge(hurt)
            if self.tally.distinct % self._again_every == 0 and bounds.act and found.head == bounds.known.head:
                self.tally.again += 1
                self._lay_out(tree, number, "as they were")
                self._say(self.judge.go_on(bounds.act), number, choice, bounds)
        self._say(bounds.wrong(found), number, choice, bounds)

    def _lay_out(self, tree: Tree, number: int, how: str) -> None:
        caches = self.story.recorder.caches
        self.layout.put(tree, spoil(caches[number], caches[self.rnd.randrange(number + 1)], how, self.rnd))

    def _say(self, problems: list[str] | tuple[str, ...], number: int, choice: tuple[int, ...], bounds: Bounds) -> None:
        if problems:
            act = bounds.act.name if bounds.act else "init"
            self.tally.violations.append(f"{act}, event {number}, choice {choice}: {'; '.join(problems)}"[:600])


def _bounds(story: Recording) -> Iterator[Bounds]:
    """Yield the bounds of a cut after each event."""
    events, acts = story.recorder.events, {act.name: act for act in story.acts}
    known, at = [event.note for event in events if event.what == "ack"], 0
    for event in events:
        at += event.what == "ack"
        before, after = known[at - 1] if at else _NONE, known[min(at, len(known) - 1)]
        yield Bounds(before, after, acts.get(after.act) if at < len(known) else None)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield the folder of a world to be, in memory where there is such a place."""
    with tempfile.TemporaryDirectory(dir=WHERE) as folder:
        world = Path(folder).resolve() / "world"
        world.mkdir()
        yield world


def campaign(
    per_cut: int,
    seed: int = SEED,
    names: tuple[str, ...] | None = None,
    *,
    layer: Callable[[Recorder], object] | None = None,
    again_every: int = 25,
    stop: Callable[[Tally], bool] = lambda tally: False,
) -> Tally:
    """Record the story (`names`: only these acts; `layer`: with a defect) and look at its states."""
    with scratch() as world:
        story = tell(world, names, layer)
        with recording(durable.os_calls, seed):  # type: ignore[arg-type]
            return Campaign(story, world, seed, again_every).run(per_cut, stop)


def main(words: list[str]) -> int:
    """Run the campaign and print its figures; the exit code is 1 when anything was violated."""
    start = time.monotonic()
    states, seed = int(words[0]) if words else 100_000, int(words[1]) if len(words) > 1 else SEED
    tally = campaign(1 << 30, seed, stop=lambda tally: True)  # how many cuts there are is not known yet
    del tally
    tally = campaign(states // 400, seed)
    found = {"campaign": "powerloss", "states": tally.raw, "distinct": tally.distinct, "cuts": tally.cuts}
    found |= {"all of them": tally.whole_spaces, "again": tally.again, "caches": dict(tally.caches)}
    found |= {"violations": len(tally.violations), "first": tally.violations[:5], "seed": seed}
    print(json.dumps(found | {"seconds": round(time.monotonic() - start)}))
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
