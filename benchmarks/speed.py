"""Training and inference against Keras' own layers, keras.applications and PyTorch by hand."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .compare import Comparison, compare
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
# As the suite trains: reproductions/backends.py.
FORMATS = {"tensorflow": "channels_last", "torch": "channels_first", "jax": "channels_last"}
CIFAR = "train ResNet-20, 32x32, batch 128"


def cifar(backend: str, **options: Any) -> Contestant:
    return Contestant("train_cifar", backend, {"data_format": FORMATS[backend], **options})


def train_rows() -> Iterator[Row]:
    for backend, least in {"tensorflow": 1.9, "torch": 1.5, "jax": 1.0}.items():
        fair = cifar(backend, layers="stock")
        usual = cifar(backend, layers="stock", fit="plain", data_format="channels_last")
        work = f"{CIFAR}, {backend}"
        yield Row(work, "Keras' layers, same loop and layout", cifar(backend), fair, least)
        yield Row(work, "Keras' layers, plain `fit`", cifar(backend), usual, None)
    by_hand = Contestant("torch_train_cifar", "torch")
    for backend in (FASTEST, "torch"):
        bound = 0.95 if backend == FASTEST else None
        yield Row(f"{CIFAR}, {backend}", "PyTorch by hand", cifar(backend), by_hand, bound)


def resnet50(name: str, backend: str, package: str, **options: Any) -> Contestant:
    data_format = "channels_last" if package == "keras.applications" else FORMATS[backend]
    return Contestant(name, backend, {"package": package, "data_format": data_format, **options})


def large_rows() -> Iterator[Row]:
    """ResNet50; keras.applications in Keras' default layout, the one it is used in."""
    for backend, least in {"tensorflow": 1.6, "torch": 1.2}.items():
        ours, theirs = (
            resnet50("train_resnet50", backend, package)
            for package in ("ours", "keras.applications")
        )
        work = f"train ResNet50, 224, batch 8, {backend}"
        yield Row(work, "keras.applications", ours, theirs, least, 7)
    for backend in ("tensorflow", "torch"):
        for batch, calls in ((1, 10), (16, 2)):
            options = {"batch": batch, "calls": calls}
            ours, theirs = (
                resnet50("infer_resnet50", backend, package, **options)
                for package in ("folded", "keras.applications")
            )
            work = f"infer ResNet50 folded, batch {batch}, {backend}"
            yield Row(work, "keras.applications", ours, theirs, 1.2)
            if backend == FASTEST:
                for folded in (False, True):
                    hand = Contestant(
                        "torch_infer_resnet50", "torch", {"folded": folded, **options}
                    )
                    against = "PyTorch by hand" + ", folded" * folded
                    yield Row(work, against, ours, hand, None if folded else 1.1)


def measured(row: Row) -> tuple[Comparison, str]:
    """Seconds and ratios, and a line of the table."""
    with workers(row.ours, row.theirs) as (ours, theirs):
        found = compare(ours.round, theirs.round, row.rounds)
        memory = ours.end() / theirs.end()
        rates = [worker.images / s for worker, s in ((ours, found.ours), (theirs, found.theirs))]
    low, middle, high = found.ratios
    bound = "" if row.least is None else f"{row.least:g}"
    holds = "" if row.least is None else ("yes" if low >= row.least else "**no**")
    return found, (
        f"| {row.work} | {row.against} | {rates[0]:.1f} | {rates[1]:.1f} "
        f"| {middle:.2f} ({low:.2f} ... {high:.2f}) | {bound} | {holds} | {memory:.2f} |"
    )


HEADING = (
    "| work | against | images/s | theirs | times faster (quartiles) | at least | holds "
    "| memory, ours / theirs |\n"
    "|---|---|---|---|---|---|---|---|"
)


def lines() -> Iterator[str]:
    yield HEADING
    for row in (*train_rows(), *large_rows()):
        yield measured(row)[1]
