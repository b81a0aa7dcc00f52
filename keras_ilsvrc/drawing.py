"""A network's graph as SVG: a box a layer that computes, as the papers draw them.

Normalizations, activations and dropout stand in the box of the layer that they follow; padding is
left out.
"""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import keras
from keras import layers

from .anatomy import tensors

BOX, GAP, ROW = 190, 24, 46  # pixels: width, space between boxes, height of a row
TRAILING = (layers.BatchNormalization, layers.Activation, layers.Dropout)
LEFT_OUT = (layers.ZeroPadding2D, layers.InputLayer)
POOLS = {layers.MaxPooling2D: "max pool", layers.AveragePooling2D: "avg pool"}
GLOBAL = {
    layers.GlobalAveragePooling2D: "global avg pool",
    layers.GlobalMaxPooling2D: "global max pool",
}
COLOURS = {"conv": "#dbe9f6", "pool": "#f9e0d9", "dense": "#e2efda", "": "#f2f2f2"}


@dataclass
class Box:
    """A layer, what follows it in its box, the boxes before it, and its place."""

    name: str
    words: str
    kind: str
    before: list["Box"]
    row: int
    column: float = 0
    trailing: list[str] = field(default_factory=list)


def draw(model: keras.Model) -> str:
    """The graph of `model` as an SVG document.

    Args:
        model: functional, flat.

    Raises:
        ValueError: it is not functional.
    """
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ValueError("a drawing is that of a functional model.")
    boxes = boxes_of(model)
    placed(boxes)
    return document(model.name, boxes)


def boxes_of(model: keras.Model) -> list[Box]:
    """The boxes in an order of computation, the image first."""
    image = Box("image", "image " + side(model.input_shape[1:]), "", [], 0)
    boxes, maker = [image], {id(x): image for x in model.inputs}
    for op in model.operations:
        inputs = tensors(op.input) if tensors(op.output) and op.input is not None else []
        before = list({id(b): b for x in inputs if (b := maker.get(id(x)))}.values())
        box = before[0] if len(before) == 1 else None
        if isinstance(op, LEFT_OUT) and not box:
            made = image
        elif box and isinstance(op, LEFT_OUT):
            made = box
        elif box and isinstance(op, TRAILING) and free_to_trail(box, boxes):
            box.trailing.append(trailing_words(op))
            made = box
        else:
            words, kind = described(op)
            made = Box(op.name, words, kind, before, 1 + max((b.row for b in before), default=0))
            boxes.append(made)
        maker |= {id(y): made for y in tensors(op.output)}
    return boxes


def free_to_trail(box: Box, boxes: list[Box]) -> bool:
    """Whether nothing has been drawn from the box yet, so that what follows belongs to it."""
    return box.row > 0 and not any(box in other.before for other in boxes)


def trailing_words(op: keras.Operation) -> str:
    if isinstance(op, layers.BatchNormalization):
        return "BN"
    return "dropout" if isinstance(op, layers.Dropout) else activation_name(op)


def activation_name(op: keras.Operation) -> str:
    """Such as "relu"; nothing of the identity."""
    name = getattr(op.activation, "__name__", str(op.activation))
    return "" if name == "linear" else str(name)


def described(op: keras.Operation) -> tuple[str, str]:
    """What a box says, and its kind."""
    if isinstance(op, layers.Conv2D):
        groups = f", {op.groups} groups" if op.groups > 1 else ""
        words = f"{side(op.kernel_size)} conv, {op.filters}{strided(op)}{groups}"
        return with_activation(words, op), "conv"
    if isinstance(op, layers.Dense):
        return with_activation(f"fc {op.units}", op), "dense"
    for kind, words in POOLS.items():
        if isinstance(op, kind):
            return f"{side(op.pool_size)} {words}{strided(op)}", "pool"
    for kind, words in GLOBAL.items():
        if isinstance(op, kind):
            return words, "pool"
    return type(op).__name__.lower(), ""


def with_activation(words: str, op: keras.Operation) -> str:
    name = activation_name(op)
    return f"{words}, {name}" if name else words


def strided(op: keras.Operation) -> str:
    return f", /{op.strides[0]}" if op.strides[0] > 1 else ""


def side(numbers: tuple[int | None, ...]) -> str:
    return "x".join("?" if n is None else str(n) for n in numbers)


def placed(boxes: list[Box]) -> None:
    """Columns: the boxes of a row side by side, around the middle, in the order of their inputs."""
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        rows.setdefault(box.row, []).append(box)
    for _, row in sorted(rows.items()):
        row.sort(key=lambda b: sum(x.column for x in b.before) / max(1, len(b.before)))
        for i, box in enumerate(row):
            box.column = i - (len(row) - 1) / 2


def document(name: str, boxes: list[Box]) -> str:
    """SVG without scripts and style sheets."""
    wide = max(abs(b.column) for b in boxes) * 2 + 1
    width = int(wide * (BOX + GAP) + 2 * GAP)
    height = (max(b.row for b in boxes) + 1) * ROW + 2 * GAP
    lines = [line(a, b, width) for b in boxes for a in b.before]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
            f"<title>{escape(name)}</title>",
            *lines,
            *(rectangle(b, width) for b in boxes),
            "</svg>\n",
        ]
    )


def middle(box: Box, width: int) -> tuple[float, float]:
    return width / 2 + box.column * (BOX + GAP), GAP + box.row * ROW + 13


def line(a: Box, b: Box, width: int) -> str:
    """From a to b: straight to the next row, around the side where rows lie between."""
    (x1, y1), (x2, y2) = middle(a, width), middle(b, width)
    y1, y2 = y1 + 13, y2 - 13
    if b.row == a.row + 1:
        path = f"M{x1:g} {y1:g}L{x2:g} {y2:g}"
    else:
        out = max(x1, x2) + BOX / 2 + GAP / 2
        path = f"M{x1:g} {y1:g}C{out:g} {y1:g} {out:g} {y2:g} {x2:g} {y2:g}"
    return f'<path d="{path}" fill="none" stroke="#555"/>'


def rectangle(box: Box, width: int) -> str:
    x, y = middle(box, width)
    words = escape(", ".join(filter(None, [box.words, *box.trailing])))
    return (
        f'<g><title>{escape(box.name)}</title><rect x="{x - BOX / 2:g}" y="{y - 13:g}" '
        f'width="{BOX}" height="26" rx="4" fill="{COLOURS[box.kind]}" stroke="#555"/>'
        f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle">{words}</text></g>'
    )
