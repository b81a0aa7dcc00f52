"""K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition, arXiv:1512.03385.

Section 3.3 draws the plain and the residual network, table 1 the ImageNet networks, section 4.2
those for CIFAR-10. A plain net is the same sentence as a residual one, without `residual`.
"""

from collections.abc import Callable
from os import PathLike

import keras
from keras import KerasTensor

from .assembly import Shape, assemble
from .blocks import (
    Block,
    chain,
    channels,
    conv,
    identity,
    max_pool,
    norm,
    pad_channels,
    relu,
    residual,
    under,
)


def unit(name: str | int, filters: int, kernel_size: int, stride: int = 1) -> Block:
    """Convolution and normalization ("we adopt BN right after each convolution", section 3.4)."""
    return under(name, conv(filters, kernel_size, stride), norm())


def basic(filters: int, stride: int) -> Block:
    """Two 3x3 convolutions (figure 5, left)."""
    return chain(unit(1, filters, 3, stride), under(1, relu()), unit(2, filters, 3))


def bottleneck(filters: int, stride: int) -> Block:
    """1x1, 3x3, 1x1 convolutions (figure 5, right); the stride is on the first."""
    return chain(
        unit(1, filters, 1, stride), under(1, relu()),
        unit(2, filters, 3), under(2, relu()),
        unit(3, 4 * filters, 1),
    )  # fmt: skip


# Table 1.      branch, filters out / in, blocks in conv2_x ... conv5_x
TABLE_1 = {
    18:  (basic,      1, (2, 2,  2, 2)),
    34:  (basic,      1, (3, 4,  6, 3)),
    50:  (bottleneck, 4, (3, 4,  6, 3)),
    101: (bottleneck, 4, (3, 4, 23, 3)),
    152: (bottleneck, 4, (3, 8, 36, 3)),
}  # fmt: skip


# --- shortcuts (section 3.3 and "Identity vs. projection shortcuts", section 4.1) -------------


def projection(filters: int, stride: int) -> Block:
    """Equation 2: a 1x1 convolution matches the dimensions."""
    return unit(0, filters, 1, stride)


def zero_padding(filters: int, stride: int) -> Block:
    """Every stride-th pixel, and zeros for the new channels: no parameters."""
    subsample = under(0, max_pool(1, stride)) if stride > 1 else identity
    return chain(subsample, under(0, pad_channels(filters)))


def where_dimensions_change(shortcut: Callable[[int, int], Block]) -> Callable[[int, int], Block]:
    """`shortcut` where the branch changes the dimensions, the identity elsewhere."""

    def choose(filters: int, stride: int) -> Block:
        def apply(x: KerasTensor) -> KerasTensor:
            same = stride == 1 and channels(x) == filters
            return x if same else shortcut(filters, stride)(x)

        return apply

    return choose


SHORTCUTS: dict[str, Callable[[int, int], Block]] = {
    "A": where_dimensions_change(zero_padding),
    "B": where_dimensions_change(projection),
    "C": projection,
}


def block(branch: Block, shortcut: Block | None) -> Block:
    """Figure 2: relu(x + F(x)); with shortcut None a plain net's relu(F(x))."""
    return chain(residual(branch, shortcut) if shortcut else branch, relu("out"))


def stages(
    branch: Callable[[int, int], Block],
    expansion: int,
    blocks: tuple[int, ...],
    width: int,
    shortcut: str | None,
) -> Block:
    """Stages conv2, conv3, ...: each halves the image and doubles the filters of the one before.

    Raises:
        ValueError: `shortcut` is none of "A", "B", "C" and None.
    """
    if shortcut not in (*SHORTCUTS, None):
        raise ValueError(f'shortcut is "A", "B", "C" or None (a plain net), not {shortcut!r}.')

    def one(stage: int, i: int) -> Block:
        filters, stride = width * 2**stage, 2 if stage and not i else 1
        bypass = SHORTCUTS[shortcut](expansion * filters, stride) if shortcut else None
        return under(f"block{i + 1}", block(branch(filters, stride), bypass))

    return chain(
        *(
            under(f"conv{stage + 2}", *(one(stage, i) for i in range(depth)))
            for stage, depth in enumerate(blocks)
        )
    )


def imagenet_body(depth: int, shortcut: str | None) -> Block:
    """Table 1: conv1, pooling, and the four stages."""
    return chain(
        under("conv1", conv(64, 7, 2), norm(), relu()),
        under("pool1", max_pool(3, 2)),
        stages(*TABLE_1[depth], width=64, shortcut=shortcut),
    )


def cifar_body(depth: int, width: int, shortcut: str | None) -> Block:
    """Section 4.2: a 3x3 convolution, then 2n layers on each of three image sizes."""
    n = (depth - 2) // 6
    return chain(
        under("conv1", conv(width, 3), norm(), relu()),
        stages(basic, 1, (n, n, n), width, shortcut),
    )


def _imagenet(depth: int) -> Callable[..., keras.Model]:
    def build(
        include_top: bool = True,
        weights: str | PathLike | None = None,
        input_tensor: KerasTensor | None = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: str | None = "softmax",
        name: str = f"resnet{depth}",
        *,
        shortcut: str | None = "B",
    ) -> keras.Model:
        return assemble(
            imagenet_body(depth, shortcut),
            name=name,
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            default_size=224,
            min_size=32,
        )

    build.__name__ = build.__qualname__ = f"ResNet{depth}"
    build.__doc__ = f"""ResNet-{depth} of arXiv:1512.03385, table 1.

    Args:
        include_top: average pooling and the classifier, or feature maps.
        weights: None (initialised after He et al.) or a weights file saved by Keras.
        input_tensor: a Keras tensor of images to build on.
        input_shape: (height, width, channels), channels first where Keras is set so; sides of
            at least 32 pixels, or None. Default 224 x 224 x 3.
        pooling: without top, "avg" or "max" pooling of the feature maps, or None.
        classes: units of the classifier.
        classifier_activation: its activation; None gives logits.
        name: the model's name.
        shortcut: "A" (identity, padded with zeros), "B" (projections where dimensions change),
            "C" (projections everywhere), or None for the plain net of figure 3.

    Returns:
        A flat keras.Model: images -> (batch, classes), or (batch, height / 32, width / 32,
        {512 if depth < 50 else 2048}) without top.

    Raises:
        ValueError: an argument is wrong; the message says what would be right.
    """
    return build


ResNet18 = _imagenet(18)
ResNet34 = _imagenet(34)
ResNet50 = _imagenet(50)
ResNet101 = _imagenet(101)
ResNet152 = _imagenet(152)
