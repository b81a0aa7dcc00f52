"""How long runs may take, by the records of those that were made, here or elsewhere."""

import math
import statistics
from collections.abc import Collection, Mapping
from typing import Any

from ..evidence.canonical import canonical
from ..evidence.snapshot import EXPLORED, JUDGED, RERUN, Snapshot
from ..evidence.store import Record
from .spec import Spec


def known_durations(evidence: Snapshot) -> list[Record]:
    """What tells how long runs take: the records of a folder, judged and explored, and the
    committed ones, at the pace of the folder's.
    """
    here = judged_and_explored(evidence)
    return [*here, *paced(judged_and_explored(evidence.committed), here)]


def known_durations_of_rerun(evidence: Snapshot) -> list[Record]:
    """The same at the pace of the machine on which committed runs were made again."""
    anew = list(evidence.committed.records(RERUN).values())
    every = judged_and_explored(evidence.committed)
    there = {record["circumstances"]["environment"] for record in anew}
    mine = [record for record in every if record["circumstances"]["environment"] in there]
    others = [record for record in every if record["circumstances"]["environment"] not in there]
    return [*anew, *mine, *paced(others, anew)]


def judged_and_explored(evidence: Snapshot) -> list[Record]:
    return [record for part in (JUDGED, EXPLORED) for record in evidence.records(part).values()]


def minutes(spec: Spec, known: Collection[Mapping[str, Any]]) -> float | None:
    """Estimated minutes of one run: the mean of its seeds' known records; else from those of its
    backend nearest in effort.
    """
    times: dict[tuple[bool, float], list[float]] = {}
    for record in known:
        if record["spec"]["backend"] == spec["backend"] and alike(spec, record["spec"]):
            factor = effort(spec) / effort(record["spec"])
            seconds = factor * record["circumstances"]["seconds"]
            twin = but_seed(record["spec"]) == but_seed(spec)
            times.setdefault((not twin, abs(math.log(factor))), []).append(seconds)
    return statistics.mean(times[min(times)]) / 60 if times else None


def paced(elsewhere: Collection[Record], here: Collection[Mapping[str, Any]]) -> list[Record]:
    """Records of another machine, in seconds as of this one; as they are where no pace is known."""
    pace = paces(elsewhere, here)

    def taken(record: Record) -> Record:
        around = record["circumstances"]
        seconds = pace.get(record["spec"]["backend"], 1.0) * around["seconds"]
        return {**record, "circumstances": {**around, "seconds": seconds}}

    return [taken(record) for record in elsewhere]


def paces(
    elsewhere: Collection[Mapping[str, Any]], here: Collection[Mapping[str, Any]]
) -> dict[str, float]:
    """How many times as long training takes here, by backend: by the runs that both made, whatever
    their seeds.
    """
    mine, theirs = by_twins(here), by_twins(elsewhere)
    both = mine.keys() & theirs.keys()
    return {
        name: sum(mine[twins] for twins in both if twins[0] == name)
        / sum(theirs[twins] for twins in both if twins[0] == name)
        for name in {backend for backend, _ in both}
    }


def by_twins(records: Collection[Mapping[str, Any]]) -> dict[tuple[str, bytes], float]:
    """The mean seconds of training runs that differ in seeds alone, by backend and all else."""
    seconds: dict[tuple[str, bytes], list[float]] = {}
    for record in records:
        if "tier" in record["spec"]:
            twins = record["spec"]["backend"], canonical(but_seed(record["spec"]))
            seconds.setdefault(twins, []).append(record["circumstances"]["seconds"])
    return {twins: statistics.mean(some) for twins, some in seconds.items()}


def but_seed(spec: Spec) -> Spec:
    return {name: value for name, value in spec.items() if name != "seed"}


def shortest_first(
    runs: Mapping[str, Spec], known: Collection[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The estimated minutes of runs, in the order in which to make them; the unknown ones last."""
    guesses = {key: minutes(spec, known) for key, spec in runs.items()}
    return dict(sorted(guesses.items(), key=lambda item: math.inf if item[1] is None else item[1]))


def alike(one: Spec, other: Spec) -> bool:
    """Whether both are training runs, or both checks."""
    return ("tier" in one) == ("tier" in other)


def effort(spec: Spec) -> float:
    """A number about proportional to the multiplications of a run's training."""
    if "tier" not in spec:
        return 1.0  # checks take seconds, all of them
    tier, depth = spec["tier"], spec["arm"].get("depth", 20)
    layers = dict(tier["depths"]).get(depth, depth)
    pixels = (tier["width"] * tier["image_size"]) ** 2
    return layers * pixels * tier["steps"] * spec["recipe"]["batch_size"]
