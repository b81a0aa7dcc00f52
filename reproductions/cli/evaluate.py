"""The command `evaluate`: the errors of trained weights, beside the published ones."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Column, Table

from ..data.images import SHARE, WHOLE, Pictures, View, limited, pictures_of, view_of
from ..execution.backends import choose_backend
from ..experiments.spec import BACKENDS
from ..workloads.pretrained import Count, check_classes, counted, interval, known, loaded

if TYPE_CHECKING:  # the command line imports no backend
    from keras_ilsvrc.catalog import Published

console = Console()


def asked(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of `evaluate`."""
    for decorate in reversed((
        click.argument("model"),
        click.option(
            "--source", required=True,
            help="Whose weights, and so whose form of the network: keras, torchvision, timm, "
            "cadene, qubvel or cifar.",
        ),
        click.option(
            "--data", required=True, metavar="FOLDER|NAME",
            help="A folder with one folder of images for each class, which in the order of their "
            "names are classes 0, 1, ... (ImageNet's: n01440764, ...); else the name of a data set "
            "that TensorFlow Datasets prepared under TFDS_DATA_DIR as array_record, of which the "
            "test split is read, or where it has no labels the validation split.",
        ),
        click.option(
            "--crops", type=click.Choice(["1", "10"]), default="1", show_default=True,
            help="1: the crop in the middle. 10: the corners' too, and all mirrored, their "
            "probabilities averaged. Networks for CIFAR see the whole image, once.",
        ),
        click.option(
            "--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A file of the source's weights; default: its own, fetched once.",
        ),
        click.option(
            "--limit", type=click.IntRange(1),
            help="Only so many images: of a folder the first of each class, then the second, ...",
        ),
        click.option(
            "--batch-size", type=click.IntRange(1), default=50, show_default=True,
            help="Images at a time: it changes nothing but time and memory.",
        ),
        click.option(
            "--backend", type=click.Choice(BACKENDS),
            help="The Keras backend; default: KERAS_BACKEND, else the first that is installed.",
        ),
    )):  # fmt: skip
        verb = decorate(verb)
    return verb


@click.command()
@asked
def evaluate(
    model: str,
    source: str,
    data: str,
    crops: str,
    weights: Path | None,
    limit: int | None,
    batch_size: int,
    backend: str | None,
) -> None:
    """Count MODEL's errors with trained weights, and print them beside the published ones.

    MODEL is a name of keras_ilsvrc.list_models(), such as resnet50. Images are resized and cropped
    as the source says, scaled as its weights want them, and read as a stream. On ImageNet:

    \b
      python -m reproductions evaluate resnet50 --source torchvision --data imagenet/val
      python -m reproductions evaluate resnet50 --source keras --data imagenet2012 --crops 10

    Intervals are Wilson's, of 95 %. Published figures that were measured with other crops, sizes or
    images are shown, and named so.
    """
    choose_backend(backend)
    entry, contract = known(model, source)
    view = view_of(entry.name, source, contract, int(crops))
    pictures = limited(pictures_of(data), limit)
    check_classes(entry, pictures)
    network = loaded(entry.name, source, weights)
    track_on = partial(track, description="evaluating", console=console,
                       disable=not console.is_terminal)  # fmt: skip
    count = counted(network, contract, pictures, view, batch_size, track_on)
    console.print(table(f"{entry.name}, weights of {source}", view, pictures, count, entry.errors))
    if pictures.note:
        console.print(pictures.note, soft_wrap=True)


def table(
    title: str, view: View, pictures: Pictures, count: Count, figures: "Sequence[Published]"
) -> Table:
    """The errors over the published ones, each with how it was measured."""
    how = Column("how", overflow="fold")
    shown = Table("", how, "top-1 error, %", "top-5 error, %", title=escape(title))
    measured = f"{view}; {count.images:,} images of {pictures.name}"
    cells = [share(wrong, count.images) for wrong in (count.top1, count.top5)]
    shown.add_row("here", escape(measured), *cells, end_section=True)
    for figure in figures:
        same = pictures.standard and fits(figure.protocol, view)
        word, style = ("published", "") if same else ("published, measured otherwise", "dim")
        printed = [percent(error) for error in (figure.top1, figure.top5)]
        shown.add_row(word, f"{figure.protocol} ({figure.source})", *printed, style=style)
    return shown


def fits(protocol: str, view: View) -> bool:
    """Whether a published protocol is this view, on all images and of one training.

    Papers cut their crops from 256 of 224, or as much of other sizes; not all sources do.
    """
    if view.size == WHOLE:
        return protocol == "CIFAR-10 test, trained with crops and flips"
    same = rf"{view.crops} crops?( of {view.size})?, ILSVRC-2012 validation"
    usual = view.resize == round(view.size / SHARE)
    return usual and re.fullmatch(same, protocol) is not None


def share(wrong: int | None, images: int) -> str:
    if wrong is None:
        return "·"
    low, high = (100 * end for end in interval(wrong, images))
    return f"{100 * wrong / images:.2f} ({low:.2f} to {high:.2f})"


def percent(error: float | None) -> str:
    return "·" if error is None else f"{error:g}"
