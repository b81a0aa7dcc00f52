"""The vocabulary: every network of this package is a sentence in these words.

A block is a function from tensor to tensor, as a Keras layer is (so a layer is a block too).
It is described first and named when applied: `under("conv2", under("block1", relu()))` applies
a layer named `conv2_block1_relu`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce

import keras
from keras import KerasTensor, layers

Block = Callable[[KerasTensor], KerasTensor]

_scope: ContextVar[tuple[str, ...]] = ContextVar("scope", default=())


@contextmanager
def scope(name: str | int) -> Iterator[None]:
    """Prefix the names of all layers applied inside with `name` and an underscore."""
    token = _scope.set((*_scope.get(), str(name)))
    try:
        yield
    finally:
        _scope.reset(token)


def named(leaf: str) -> str:
    """`leaf` behind the names of the scopes it is asked in: `conv2_block1_add`."""
    return "_".join((*_scope.get(), leaf))


def channel_axis() -> int:
    """The axis of the channels in `keras.config.image_data_format()`: -1 or 1."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def channels(x: KerasTensor) -> int:
    """The number of channels of a (batch, height, width, channels) or channels-first tensor."""
    return x.shape[channel_axis()]


# --- composition ---------------------------------------------------------------------------


def identity(x: KerasTensor) -> KerasTensor:
    """x -> x."""
    return x


def under(name: str | int, *blocks: Block) -> Block:
    """`chain(*blocks)`, applied inside `name`."""

    def apply(x: KerasTensor) -> KerasTensor:
        with scope(name):
            return chain(*blocks)(x)

    return apply


def chain(*blocks: Block) -> Block:
    """x -> h(g(f(x))): left to right, as a paper's boxes are stacked."""
    return lambda x: reduce(lambda y, block: block(y), blocks, x)


def branches(*blocks: Block, name: str = "concat") -> Block:
    """x -> concat(f(x), g(x), ...) along the channels."""

    def apply(x: KerasTensor) -> KerasTensor:
        return layers.Concatenate(channel_axis(), name=named(name))([block(x) for block in blocks])

    return apply


def residual(branch: Block, shortcut: Block = identity, *, name: str = "add") -> Block:
    """x -> shortcut(x) + branch(x). The two must have one shape: nothing is broadcast.

    Raises:
        ValueError: the shapes of branch and shortcut differ.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        # Shortcut first: it fixes the order of layers, by which legacy weight files are read.
        kept, changed = shortcut(x), branch(x)
        if kept.shape != changed.shape:
            raise ValueError(
                f"residual '{named(name)}' adds tensors of one shape, but the shortcut gives "
                f"{kept.shape} and the branch {changed.shape}: use a shortcut that projects."
            )
        return layers.Add(name=named(name))([kept, changed])

    return apply


def gate(weights: Block, *, name: str = "scale") -> Block:
    """x -> x * f(x)."""
    return lambda x: layers.Multiply(name=named(name))([x, weights(x)])


# --- leaves: one layer each, or one layer and the padding it needs ---------------------------


def conv(
    filters: int,
    kernel_size: int,
    stride: int = 1,
    *,
    bias: bool = False,
    groups: int = 1,
    initializer: str | keras.Initializer = "he_normal",
    name: str = "conv",
) -> Block:
    """Convolution that pads (kernel_size - 1) / 2 on each side: n -> ceil(n / stride), odd kernels.

    A strided one pads explicitly: padding="same" would pad less on the left than on the right,
    which is not the papers' grid and not that of their published weights.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        explicit = stride > 1 and kernel_size > 1
        if explicit:
            sides = ((kernel_size - 1) // 2, kernel_size // 2)
            x = layers.ZeroPadding2D((sides, sides), name=named("pad"))(x)
        return layers.Conv2D(
            filters,
            kernel_size,
            stride,
            "valid" if explicit else "same",
            groups=groups,
            use_bias=bias,
            kernel_initializer=initializer,
            name=named(name),
        )(x)

    return apply


def norm(*, epsilon: float = 1e-5, momentum: float = 0.9, name: str = "bn") -> Block:
    """Batch normalization, arXiv:1502.03167; `momentum` is the share of the old average kept."""
    return lambda x: layers.BatchNormalization(channel_axis(), momentum, epsilon, name=named(name))(
        x
    )


def relu(name: str = "relu") -> Block:
    """x -> max(x, 0)."""
    return lambda x: layers.Activation("relu", name=named(name))(x)


def max_pool(pool_size: int, stride: int, *, name: str = "pool") -> Block:
    """Maximum over squares of odd size, zeros around the image: n -> ceil(n / stride).

    Zeros are exact after a ReLU: no maximum of positive numbers is changed by them.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        if pool_size > 1:
            x = layers.ZeroPadding2D(pool_size // 2, name=named("pad"))(x)
        return layers.MaxPooling2D(pool_size, stride, name=named(name))(x)

    return apply


def pad_channels(total: int, *, name: str = "pad_channels") -> Block:
    """Zero channels on both sides, half of them each, up to `total`."""

    def apply(x: KerasTensor) -> KerasTensor:
        new = total - channels(x)
        sides = (new // 2, new - new // 2)
        # Under the other data format's name the channels are one of the two padded axes.
        if channel_axis() == -1:
            pads, data_format = ((0, 0), sides), "channels_first"
        else:
            pads, data_format = (sides, (0, 0)), "channels_last"
        return layers.ZeroPadding2D(pads, data_format, name=named(name))(x)

    return apply


def global_pool(reduction: str = "avg", *, name: str | None = None) -> Block:
    """The mean ("avg") or maximum ("max") of each channel: (n, h, w, c) -> (n, c)."""
    pools = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return lambda x: pools[reduction](name=named(name or f"{reduction}_pool"))(x)


def dense(
    units: int,
    activation: str | Callable | None = None,
    *,
    initializer: str | keras.Initializer = "he_normal",
    name: str = "dense",
) -> Block:
    """x -> activation(W x + b)."""
    return lambda x: layers.Dense(
        units, activation, kernel_initializer=initializer, name=named(name)
    )(x)
