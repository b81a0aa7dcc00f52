"""Training and inference against Keras' own layers, keras.applications and PyTorch by hand."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from reproductions.workloads.backends import DATA_FORMATS

from .compare import compare
from .process import Contestant, workers


class Row(NamedTuple):
    """A comparison; it holds if the lower quartile of theirs / ours is at least `least`."""

    work: str
    against: str
    ours: Contestant
    theirs: Contestant
    least: float | None
    rounds: int = 9


FASTEST = "tensorflow"
# Else glibc gives the memory of large tensors back at once, and PyTorch's next ones are new pages.
KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
CIFAR = "train ResNet-20, 32x32, batch 128"


def cifar(backend: str, **options: Any) -> Contestant:
    return Contestant("train_cifar", backend, {"data_format": DATA_FORMATS[backend], **options})


def train_rows() -> Iterator[Row]:
    for backend, least in {"tensorflow": 1.9, "torch": 1.5, "jax": 1.0}.items():
        work = f"{CIFAR}, {backend}"
        same = cifar(backend, layers="stock")
        yield Row(work, "Keras' layers, same loop and layout", cifar(backend), same, least)
        # On TensorFlow an epoch of the laptop tier: what waits at its end counts as much as there.
        whole = {"steps": 78} if backend == "tensorflow" else {}
        usual = cifar(backend, layers="stock", fit="plain", data_format="channels_last", **whole)
        yield Row(work, "Keras' layers, plain `fit`", cifar(backend, **whole), usual, None, 3)
    by_hand = Contestant("torch_train_cifar", "torch", environment=KEPT)
    for backend in (FASTEST, "torch"):
        bound = 0.95 if backend == FASTEST else None
        yield Row(f"{CIFAR}, {backend}", "PyTorch by hand", cifar(backend), by_hand, bound)


def resnet50(name: str, backend: str, package: str, **options: Any) -> Contestant:
    chosen = {"package": package, "data_format": DATA_FORMATS[backend], **options}
    return Contestant(name, backend, chosen)


THEIRS = "keras.applications"


def against_theirs(work: str, ours: Contestant, least: float, rounds: int = 9) -> Iterator[Row]:
    """In the same layout, and where the suite's choice is another, in Keras' default one."""
    same = replace(ours, options={**ours.options, "package": THEIRS})
    yield Row(work, THEIRS, ours, same, least, rounds)
    if ours.options["data_format"] != "channels_last":
        usual = replace(same, options={**same.options, "data_format": "channels_last"})
        yield Row(work, f"{THEIRS}, channels_last", ours, usual, None, 5)


def large_rows() -> Iterator[Row]:
    for backend, least in {"tensorflow": 1.6, "torch": 1.2}.items():
        work = f"train ResNet50, 224, batch 8, {backend}"
        yield from against_theirs(work, resnet50("train_resnet50", backend, "ours"), least, 7)
    for backend in ("tensorflow", "torch"):
        for options in ({"batch": 1, "calls": 10}, {"batch": 16, "calls": 2}):
            work = f"infer ResNet50 folded, batch {options['batch']}, {backend}"
            ours = resnet50("infer_resnet50", backend, "folded", **options)
            yield from against_theirs(work, ours, 1.2)
            if backend == "torch":
                kept = replace(ours, environment=KEPT)
                yield from against_theirs(f"{work}, memory kept", kept, 1.2)
            if backend == FASTEST:
                yield from against_hand(work, ours, options)


def against_hand(work: str, ours: Contestant, options: dict[str, Any]) -> Iterator[Row]:
    """ResNet50 written for PyTorch."""
    for folded, bound in ((False, 1.1), (True, None)):
        chosen = {**options, "folded": folded}
        hand = Contestant("torch_infer_resnet50", "torch", chosen, environment=KEPT)
        against = f"PyTorch by hand, {'' if folded else 'not '}folded"
        yield Row(work, against, ours, hand, bound)


def measured(row: Row) -> str:
    """A line of the table."""
    with workers(row.ours, row.theirs) as (ours, theirs):
        found = compare(ours.round, theirs.round, row.rounds)
        # By hand there is no Keras in the process, but for what the harness imports.
        alike = row.ours.name == row.theirs.name
        memory = f"{ours.end() / theirs.end():.2f}" if alike else ""
        rates = [worker.images / s for worker, s in ((ours, found.ours), (theirs, found.theirs))]
    low, middle, high = found.ratios
    bound = "" if row.least is None else f"{row.least:g}"
    holds = "" if row.least is None else ("yes" if low >= row.least else "**no**")
    return (
        f"| {row.work} | {row.against} | {rates[0]:.1f} | {rates[1]:.1f} "
        f"| {middle:.2f} ({low:.2f} ... {high:.2f}) | {bound} | {holds} | {memory} |"
    )


HEADING = (
    "| work | against | images/s | theirs | times faster (quartiles) | at least | holds "
    "| memory, ours / theirs |\n"
    "|---|---|---|---|---|---|---|---|"
)


def lines() -> Iterator[str]:
    yield HEADING
    for row in (*train_rows(), *large_rows()):
        yield measured(row)
