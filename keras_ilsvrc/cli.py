"""The command line: keras-ilsvrc, or python -m keras_ilsvrc.

argparse, since the package needs Keras, NumPy and safetensors alone; the extra `cli` brings Pillow,
which reads images, and argcomplete, which completes words in a shell.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from . import anatomy, catalog, pretrained
from .drawing import draw
from .export import export

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


class CommandError(Exception):
    """What is wrong with what was asked for, in one sentence."""


def main(words: Sequence[str] | None = None) -> None:
    """Run a command; what is wrong is said in one sentence, with exit status 2."""
    given = complete(parser()).parse_args(words)
    command: Callable[[argparse.Namespace], None] = given.run
    try:
        command(given)
    except (CommandError, ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        sentence = " ".join(str(error).split())
        print(f"keras-ilsvrc {given.command}: {sentence}", file=sys.stderr)
        sys.exit(2)


def complete(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, which a shell asks for words where argcomplete is installed."""
    if find_spec("argcomplete"):
        import argcomplete

        argcomplete.autocomplete(parser)
    return parser


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    whole = argparse.ArgumentParser(prog="keras-ilsvrc", description=__doc__.splitlines()[0])
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    one = command("list", list_networks, "list the networks")
    one.add_argument("pattern", nargs="?", default="*", help='such as "*resnet*"')
    one.add_argument("--weights", metavar="SOURCE", help="with trained weights of a source")

    one = command("show", show, "a network's figures, beside its paper's")
    network(one, weights=False)

    one = command("draw", draw_network, "draw a network as SVG")
    network(one, weights=False)
    one.add_argument("--output", "-o", type=Path, help="of the drawing; default: NET.svg")

    one = command("predict", predict, "what trained weights see in images")
    network(one)
    one.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    one.add_argument("--top", type=int, default=5, help="classes an image (5)")
    one.add_argument("--labels", type=Path, help="a file of class names, one a line")

    one = command("evaluate", evaluate, "top-1 and top-5 errors on folders of images")
    network(one)
    one.add_argument("folder", type=Path, help="of a folder a class, in the order of their names")
    one.add_argument("--batch", type=int, default=16, help="images at a time (16)")

    one = command("convert", convert, "a weights file in another source's names or format")
    network(one)
    one.add_argument("output", type=Path, help=".safetensors, .pth, .keras or .weights.h5")

    one = command("export", write, "a network as a file for another engine")
    network(one)
    one.add_argument("output", type=Path, help=".onnx, .xml, .tflite, .pt2, or a folder")
    one.add_argument("--format", help="where the ending does not say it")

    one = command("parity", compare, "compare the installed backends layer by layer")
    network(one)
    return whole


def network(command: argparse.ArgumentParser, weights: bool = True) -> None:
    """The arguments that say which network, and with which weights."""
    kind = "a name of the catalog" + (", or a .keras file" if weights else "")
    name = command.add_argument("name", metavar="NET", help=kind)
    vars(name)["completer"] = lambda **_: catalog.list_models()
    if weights:
        sources = [*pretrained.SOURCES, "imagenet"]
        command.add_argument("--source", choices=sources, help="of trained weights")
        command.add_argument("--path", help="their file; without it the source's is fetched")


def say(given: argparse.Namespace, value: Any, text: str) -> None:
    """The value as JSON, or the text."""
    print(json.dumps(value, ensure_ascii=False) if given.json else text)


# --- networks ----------------------------------------------------------------------------------


def list_networks(given: argparse.Namespace) -> None:
    """The names of networks, one a line."""
    names = catalog.list_models(given.pattern, weights=given.weights or False)
    if not names:
        raise CommandError(f"no network fits {given.pattern!r}.")
    say(given, names, "\n".join(names))


def show(given: argparse.Namespace) -> None:
    """A network's paper, figures, stages, published errors, and sources of weights."""
    found = catalog.entry(given.name)
    model = catalog.get_model(found.name, kernel_initializer="zeros")
    table = anatomy.profile(model)
    rows = {row.name: row for row in table.rows}
    stages = [stage(stride, rows[op]) for stride, op in last_layers(model).items()]
    value = {
        "name": found.name,
        "paper": found.paper,
        "arxiv": found.arxiv,
        "year": found.year,
        "place": found.place,
        "input_size": found.input_size,
        "parameters": {"paper": found.parameters, "here": table.trainable},
        "macs": {"paper": found.macs, "here": table.macs},
        "stages": stages,
        "errors": [error._asdict() for error in found.errors],
        "sources": pretrained.sources(found.name),
    }
    say(given, value, shown(value))


def last_layers(model: keras.Model) -> dict[int, str]:
    """By stride, the name of the layer that gives the stage."""
    makers = {id(y): op.name for op in model.operations for y in anatomy.tensors(op.output)}
    return {stride: makers[id(x)] for stride, x in anatomy.stages(model).items()}


def stage(stride: int, row: anatomy.Row) -> dict[str, Any]:
    return {
        "stride": stride,
        "layer": row.name,
        "output": list(row.output_shape),
        "receptive_field": list(row.receptive_field) if row.receptive_field else None,
    }


def shown(value: dict[str, Any]) -> str:
    """The same in words."""
    arxiv = f", arXiv:{value['arxiv']}" if value["arxiv"] else ""
    lines = [f"{value['name']}: {value['paper']} ({value['year']}{arxiv})"]
    lines += [value["place"]] if value["place"] else []
    lines.append(f"{'':12}{'paper':>18}{'here':>18}")
    for word in ("parameters", "macs"):
        lines.append(f"{word:12}{value[word]['paper']:>18,}{value[word]['here']:>18,}")
    lines.append(f"{'stride':>6}  {'output':16}{'receptive field':>16}  layer")
    for s in value["stages"]:
        field = "x".join(map(str, s["receptive_field"])) if s["receptive_field"] else "image"
        output = "x".join(map(str, s["output"]))
        lines.append(f"{s['stride']:>6}  {output:16}{field:>16}  {s['layer']}")
    for e in value["errors"]:
        one, five = (("-" if e[k] is None else f"{e[k]} %") for k in ("top1", "top5"))
        lines.append(f"top-1 {one}, top-5 {five}: {e['protocol']} ({e['source']})")
    lines.append(f"trained weights: {', '.join(value['sources']) or 'none'}")
    return "\n".join(lines)


def draw_network(given: argparse.Namespace) -> None:
    """The drawing, in a file."""
    found = catalog.entry(given.name)
    output = given.output or Path(f"{found.name}.svg")
    output.write_text(draw(catalog.get_model(found.name, kernel_initializer="zeros")), "utf-8")
    say(given, {"output": str(output)}, str(output))


# --- images ------------------------------------------------------------------------------------


def opened(given: argparse.Namespace) -> keras.Model:
    """The model that the arguments name."""
    if given.path and not given.source:
        raise CommandError("--path needs --source, which says whose names the file has.")
    if Path(given.name).suffix == ".keras":
        if given.source:
            raise CommandError(f"{given.name} is a model of its own and takes no --source.")
        if not Path(given.name).is_file():
            raise CommandError(f"there is no file {given.name!r}.")
        return keras.models.load_model(given.name, compile=False)
    if given.source:
        return pretrained.load(given.name, given.source, given.path)
    raise CommandError(
        f"{given.name!r} needs trained weights: --source {'|'.join(pretrained.sources(given.name))}"
        f", or give a .keras file."
    )


def pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """An image's centre, RGB in [0, 255], its shorter side 256 / 224 of the network's."""
    if not find_spec("PIL"):
        raise CommandError("reading images needs Pillow: pip install 'keras_ilsvrc[cli]'.")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError:
        raise CommandError(f"there is no image {str(path)!r}.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise CommandError(f"{str(path)!r} is no image that can be read ({error}).") from None
    height, width = size
    larger = round(width * 256 / 224), round(height * 256 / 224)
    fitted = ImageOps.fit(image, larger, Image.Resampling.BILINEAR)
    left, top = (larger[0] - width) // 2, (larger[1] - height) // 2
    return np.asarray(fitted.crop((left, top, left + width, top + height)), "float32")


def scores(model: keras.Model, paths: Sequence[Path]) -> np.ndarray:
    """The model's first output for images: (images, classes)."""
    last = keras.config.image_data_format() == "channels_last"
    shape = model.input_shape[1:3] if last else model.input_shape[2:4]
    height, width = (side or 224 for side in shape)
    images = np.stack([pixels(path, (height, width)) for path in paths])
    images = images if last else images.transpose(0, 3, 1, 2)
    wanted = images if scales_itself(model) else pretrained.preprocess(images, model)
    outputs = keras.tree.flatten(model.predict(wanted, verbose=0))
    return np.asarray(keras.ops.convert_to_numpy(outputs[0]))


def scales_itself(model: keras.Model) -> bool:
    """Whether the model begins with layers that scale pixels."""
    return any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers[:3])


def predict(given: argparse.Namespace) -> None:
    """The most probable classes of images."""
    model = opened(given)
    found = scores(model, given.images)
    names = labels(given.labels, found.shape[1])
    top = min(given.top, found.shape[1])
    if top < 1:
        raise CommandError(f"--top is 1 or more, not {given.top}.")
    value: list[dict[str, Any]] = []
    for path, row in zip(given.images, found, strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        classes = [{"index": int(i), "name": names[i], "score": float(row[i])} for i in best]
        value.append({"image": str(path), "classes": classes})
    lines = []
    for image in value:
        lines.append(image["image"])
        lines += [f"  {c['score']:8.4f}  {c['index']:>4}  {c['name']}" for c in image["classes"]]
    say(given, value, "\n".join(lines))


def labels(path: Path | None, classes: int) -> list[str]:
    """Names of classes: a file's lines, or ImageNet's of a thousand, or none."""
    if path is not None:
        lines = path.read_text("utf-8").splitlines()
        if len(lines) != classes:
            raise CommandError(f"{str(path)!r} has {len(lines)} lines for {classes} classes.")
        return lines
    if classes == 1000:
        from .pretrained.preprocessing import class_names

        return [name for _, name in class_names()]
    return [""] * classes


def evaluate(given: argparse.Namespace) -> None:
    """Errors on class folders, in the order of the network's classes."""
    if not given.folder.is_dir():
        raise CommandError(f"there is no folder {str(given.folder)!r}.")
    if given.batch < 1:
        raise CommandError(f"--batch is 1 or more, not {given.batch}.")
    folders = sorted(f for f in given.folder.iterdir() if f.is_dir())
    found = [
        (path, label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise CommandError(f"{str(given.folder)!r} has no folders with images, one a class.")
    model = opened(given)
    classes = keras.tree.flatten(model.output)[0].shape[-1]
    if len(folders) != classes:
        raise CommandError(
            f"{str(given.folder)!r} has {len(folders)} folders, and the network {classes} classes."
        )
    wrong = {1: 0, 5: 0}
    for start in range(0, len(found), given.batch):
        some = found[start : start + given.batch]
        order = np.argsort(-scores(model, [path for path, _ in some]), axis=1, kind="stable")
        for row, (_, label) in zip(order, some, strict=True):
            for k in wrong:
                wrong[k] += label not in row[:k]
    value = {"images": len(found), "top1_error": 100 * wrong[1] / len(found),
             "top5_error": 100 * wrong[5] / len(found)}  # fmt: skip
    text = (
        f"top-1 error {value['top1_error']:.2f} %, top-5 error {value['top5_error']:.2f} %, "
        f"of {len(found)} images"
    )
    say(given, value, text)


# --- files -------------------------------------------------------------------------------------


def convert(given: argparse.Namespace) -> None:
    """The weights in another file."""
    model = opened(given)
    name = given.output.name
    if name.endswith(".weights.h5"):
        model.save_weights(given.output)
    elif name.endswith(".keras"):
        model.save(given.output)
    else:
        pretrained.save(model, given.output)
    say(given, {"output": str(given.output)}, str(given.output))


def write(given: argparse.Namespace) -> None:
    """The file, which its engine has run once where it is installed."""
    report = export(opened(given), given.output, given.format)
    say(given, {"output": str(given.output), "report": str(report)}, str(report))


def compare(given: argparse.Namespace) -> None:
    """The largest differences between backends, by layer."""
    trained = given.source or given.path or Path(given.name).suffix == ".keras"
    model = opened(given) if trained else catalog.get_model(given.name)
    if not given.json:
        pretrained.parity(model)
        return
    with redirect_stdout(sys.stderr):
        found = pretrained.parity(model)
    say(given, found, "")
