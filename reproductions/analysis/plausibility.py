"""Records that are whole and cannot be true."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from ..data.registry import DATASETS
from ..evidence.canonical import canonical
from ..evidence.store import Record

OUTCOMES = ("finished", "diverged")


def implausible(records: Collection[Record]) -> Iterator[str]:
    """What cannot be, a sentence each."""
    trained = [record for record in records if "tier" in record["spec"]]
    for record in trained:
        try:
            yield from [f"{record['key']} {told}." for told in alone(record)]
        except TypeError as error:  # of what stands in columns
            yield f"{record['key']} is no record of training ({error})."
    yield from twins(trained)
    yield from mixed(trained)


def alone(record: Record) -> Iterator[str]:
    """Of a run by itself."""
    spec, result, circumstances = (record[name] for name in ("spec", "result", "circumstances"))
    curves, seconds = result["curves"], circumstances["epochs"]["seconds"]
    steps, last = spec["tier"]["steps"], (curves["step"] or [0])[-1]
    if result["outcome"] not in OUTCOMES:
        yield f"is called {result['outcome']!r}, not {' or '.join(OUTCOMES)}"
    if result["outcome"] == "finished" and last != steps:
        yield f"is called finished after step {last} of {steps}"
    if len({len(column) for column in (*curves.values(), seconds)}) > 1:
        yield "has columns of different lengths"
    if not all(is_share(e) for name in ("train_error", "test_error") for e in curves[name]):
        yield "has an error that is no share"
    if not 0 < circumstances["seconds"] >= sum(seconds):
        yield f"took {circumstances['seconds']} seconds, less than its epochs together"
    error = result["final"].get("test_error")
    dataset = DATASETS.get(spec["data"]["name"])
    least = dataset.least_error if dataset and not spec["recipe"].get("classes") else 0.0
    if error is not None and error < least:
        yield f"has a test error of {100 * error:.2f} %, less than any of the papers"


def is_share(error: Any) -> bool:
    """Between 0 and 1, or unknown."""
    return error is None or (isinstance(error, float | int) and 0 <= error <= 1)


def twins(records: Collection[Record]) -> Iterator[str]:
    """Seeds of one experiment with the same weights: they are not independent."""
    seen: dict[bytes, Record] = {}
    for record in records:
        kind = {name: value for name, value in record["spec"].items() if name != "seed"}
        for place, digest in (("start", "initial_sha256"), ("end", "weights_sha256")):
            weights = canonical([place, kind, record["result"][digest]])
            other = seen.setdefault(weights, record)
            if other["key"] != record["key"]:
                yield (
                    f"{record['key']} and {other['key']} have other seeds and the same weights at "
                    f"the {place}: they are one run."
                )


def mixed(records: Collection[Record]) -> Iterator[str]:
    """One name for several data sets."""
    found = defaultdict(set)
    for record in records:
        data = record["spec"]["data"]
        found[data["name"], data["version"]].add(data["sha256"][:16])
    for (name, version), digests in found.items():
        if len(digests) > 1:
            told = ", ".join(sorted(digests))
            yield f"{name} {version} is {len(digests)} different data sets here ({told})."
