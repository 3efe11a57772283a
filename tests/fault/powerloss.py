"""Power cuts: every state a disk may be left in while a repository is worked with, opened and looked at.

    python -m tests.fault.powerloss [STATES [SEED]]    100,000 states, if none are given

First one long story, then the same with a process killed or an fsync failing in the middle of each act, which is then
given again; then stories of random acts until there are enough states. Prints one line of JSON: raw and distinct
states, violations, seed, seconds. docs/design/powerloss.md has the model.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlver.storage.syscalls import OsCalls
from tests.fault.powerloss_disk import Disk
from tests.fault.powerloss_judge import CACHES, Judge, Layout, Verdict, spoil
from tests.fault.powerloss_states import Entry, Remains, Tree
from tests.fault.powerloss_story import ACTS, SEED, Act, Known, Layer, Recording, random_acts, recording, tell

WHERE = "/dev/shm" if Path("/dev/shm").is_dir() else None
PER_CUT = 256  # states looked at after one event: all there are, nearly always
_LOOKS = 3  # at the same store, each time with other caches and another work tree
_NONE = Known("nothing", -1, -1, None)


@dataclass
class Tally:
    """What came of it: `states` looked at, `distinct` those that differ in a name or a byte from all others.

    Of `cuts` all possible states were looked at in `exhausted`. `opened` counts how often a store was laid out, opened
    and read whole, `again` how often the interrupted act was given once more then.
    """

    states: int = 0
    distinct: int = 0
    cuts: int = 0
    exhausted: int = 0
    opened: int = 0
    again: int = 0
    broken: int = 0  # acts in which a process was killed or an fsync failed
    caches: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another campaign in."""
        for name in ("states", "distinct", "cuts", "exhausted", "opened", "again", "broken"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.caches += other.caches
        self.violations += other.violations


@dataclass(frozen=True)
class Bounds:
    """What was known before a cut, and what will be when the act under way is done."""

    known: Known
    next: Known
    act: Act | None
    erased: tuple[bytes, ...] = ()

    def wrong(self, tree: Tree, here: Verdict, there: Verdict) -> list[str]:
        """Return what must not be of a state and of the verdicts about the repository and about the hub."""
        problems = [*here.problems, *there.problems]
        for secret in self.erased:
            found = [path for path, entry in tree.items() if path.startswith("repo/.mlver") and secret in entry[1]]
            problems += [f"what was redacted is back in {path}" for path in found]
        for what, number, low, high in (
            ("head", here.number, self.known.head, self.next.head),
            ("head of the hub", there.number, self.known.hub, self.next.hub),
        ):
            if number < low:
                problems.append(f"LOST: {what} is {number}, and {low} was acknowledged")
            elif number > high:
                problems.append(f"{what} is {number}, past {high}")
        if here.served not in (self.known.served, self.next.served):
            problems.append("what is served is neither the old bundle nor the new one")
        return problems


_Part = frozenset[tuple[str, Entry]]


class Campaign:
    """Looks at the states of one recording, each cut in turn."""

    def __init__(self, story: Recording, world: Path, seed: int, again_every: int) -> None:
        self.story, self.tally, self.rnd = story, Tally(), random.Random(seed)
        self.layout = Layout(world)
        self.judge = Judge(world, story.answers)
        self.looks = _LOOKS
        self._again_every = again_every
        self._seen: set[int] = set()
        self._here: dict[tuple[_Part, bool], list[Verdict]] = {}
        self._there: dict[_Part, Verdict] = {}

    def run(self, per_cut: int = PER_CUT, most: int = 1 << 60, first: int = 0, enough: int = 1 << 60) -> Tally:
        """Look at up to `per_cut` states after each event from the `first` on.

        Ends when `most` were looked at, or when there are `enough` violations.
        """
        recorder, disk = self.story.recorder, Disk()
        bounds = list(_bounds(self.story))
        for number, event in enumerate(recorder.events):
            disk.apply(event)
            if not event.changes or number < first:
                continue
            self.tally.cuts += 1
            remains = Remains(disk)
            self.tally.exhausted += remains.size <= per_cut
            whole = remains.tree((0,) * len(remains.axes), recorder.top)
            for choice in remains.choices(per_cut, self.rnd):
                self.tally.states += 1
                tree = remains.tree(choice, recorder.top)
                try:
                    problems = self._state(tree, whole, number, bounds[number])
                except Exception as error:  # noqa: BLE001 - anything but an answer is a violation
                    problems = [f"{type(error).__name__}: {error}"]
                if problems:
                    self._say(problems, number, choice, bounds[number])
                if self.tally.states >= most or len(self.tally.violations) >= enough:
                    return self.tally
        return self.tally

    def _state(self, tree: Tree, whole: Tree, number: int, bounds: Bounds) -> list[str]:
        """Return what is wrong in one state. A store seen before is opened again a few times only."""
        hurt = bounds.known.hurt or bounds.next.hurt
        key = hash(frozenset(tree.items()))
        new = key not in self._seen
        self._seen.add(key)
        self.tally.distinct += new
        kept = _part(tree, "repo/" if hurt else "repo/.mlver"), hurt
        there = _part(tree, "hub")
        here = self._here.setdefault(kept, [])
        problems: list[str] = []
        if not here or (new and len(here) < self.looks):
            how = self.rnd.choice(CACHES)
            self.tally.caches[how] += 1
            self.tally.opened += 1
            self._lay_out(tree, number, how)
            if there not in self._there:
                self._there[there] = self.judge.other()
            here.append(self.judge.repository(hurt))
            if here[-1] != here[0]:
                problems.append(f"caches {how}: {here[-1]}, and {here[0]} with others")
            if self.tally.opened % self._again_every == 0 and bounds.act and here[-1].number == bounds.known.head:
                self.tally.again += 1
                self._lay_out(_with_work_tree(tree, whole), number, "as they were")
                problems += self.judge.go_on(bounds.act)
        elif there not in self._there:
            self._lay_out(tree, number, "none")
            self._there[there] = self.judge.other()
        return problems + bounds.wrong(tree, here[-1], self._there[there])

    def _lay_out(self, tree: Tree, number: int, how: str) -> None:
        caches = self.story.recorder.caches
        self.layout.put(tree, spoil(caches[number], caches[self.rnd.randrange(number + 1)], how, self.rnd))

    def _say(self, problems: list[str], number: int, choice: tuple[int, ...], bounds: Bounds) -> None:
        act = bounds.act.name if bounds.act else bounds.next.act
        self.tally.violations.append(f"{act}, event {number}, choice {choice}: {'; '.join(problems)}"[:600])


def _with_work_tree(tree: Tree, whole: Tree) -> Tree:
    """Return the tree with the work tree of another: mlver does not write over files that seem to be changed."""
    kept = {path: entry for path, entry in tree.items() if path.startswith(("repo/.mlver", "hub"))}
    return kept | {path: entry for path, entry in whole.items() if not path.startswith(("repo/.mlver", "hub"))}


def _part(tree: Tree, prefix: str) -> _Part:
    return frozenset(item for item in tree.items() if item[0].startswith(prefix))


def _bounds(story: Recording) -> Iterator[Bounds]:
    """Yield the bounds of a cut after each event."""
    events, acts = story.recorder.events, story.acts
    known, at = [event.note for event in events if event.what == "ack"], 0
    for event in events:
        at += event.what == "ack"
        before, after = known[at - 1] if at else _NONE, known[min(at, len(known) - 1)]
        erased = tuple(acts[one.act].erases for one in known[:at] if one.act in acts and acts[one.act].erases)
        yield Bounds(before, after, acts.get(after.act) if at < len(known) else None, erased)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield the folder of a world to be, in memory where there is such a place."""
    with tempfile.TemporaryDirectory(dir=WHERE) as folder:
        world = Path(folder).resolve() / "world"
        world.mkdir()
        yield world


def campaign(
    acts: Sequence[Act] = ACTS,
    seed: int = SEED,
    *,
    layer: Layer | None = None,
    forgiving: bool = False,
    again_every: int = 25,
    per_cut: int = PER_CUT,
    most: int = 1 << 60,
    enough: int = 1 << 60,
) -> Tally:
    """Record a story (`layer`: with a defect) and look at its states."""
    with scratch() as world:
        story = tell(world, acts, layer, forgiving=forgiving)
        with recording(OsCalls(), seed + 1000):  # names of temporary files are others than those recorded
            return Campaign(story, world, seed, again_every).run(per_cut, most, enough=enough)


def main(words: list[str]) -> int:
    """Run the campaign and print its figures; the exit code is 1 when anything was violated."""
    from tests.fault.powerloss_broken import broken

    start = time.monotonic()
    states, seed = int(words[0]) if words else 100_000, int(words[1]) if len(words) > 1 else SEED
    tally, stories = campaign(seed=seed), 1
    _progress(tally, "one long story")
    tally.add(broken(seed=seed))
    _progress(tally, "each act of it broken")
    while tally.states < states:
        acts = random_acts(random.Random(seed + stories), 40)
        tally.add(campaign(acts, seed + stories, forgiving=True, most=states - tally.states))
        stories += 1
        _progress(tally, f"{stories} stories")
    found = {"campaign": "powerloss", "states": tally.states, "distinct": tally.distinct, "opened": tally.opened}
    found |= {"cuts": tally.cuts, "exhausted": tally.exhausted, "stories": stories, "broken": tally.broken}
    found |= {"again": tally.again, "caches": dict(tally.caches)}
    found |= {"violations": len(tally.violations), "first": tally.violations[:5], "seed": seed}
    print(json.dumps(found | {"seconds": round(time.monotonic() - start)}))
    return 1 if tally.violations else 0


def _progress(tally: Tally, what: str) -> None:
    said = f"{what}: {tally.states} states, {len(tally.violations)} violations {tally.violations[:2]}"
    print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
