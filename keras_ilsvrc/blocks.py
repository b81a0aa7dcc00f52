"""The vocabulary: every network of this package is a sentence in these words.

A block is a function from tensor to tensor, as a Keras layer is (so a layer is a block too).
It is described first and named when applied: `under("conv2", under("block1", relu()))` applies
a layer named `conv2_block1_relu`. What a sentence leaves open (epsilon, biases, initialisers) is
settled then too, by the rules it is applied under.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import reduce
from math import ceil
from typing import Any, Literal, NamedTuple

import keras
from keras import KerasTensor, layers

from .layers import BatchNormalization, Power, check_window

Block = Callable[[KerasTensor], KerasTensor]
Sides = int | tuple[int, int]
Normalization = Literal["batch", None]


class Rule(NamedTuple):
    """Arguments for all leaves of a kind ("conv", "norm", ...) whose layer's name fits `names`."""

    kind: str
    arguments: Mapping[str, Any]
    names: str = "*"


# What holds where neither the sentence nor a rule says otherwise. The variance 2 / fan-in is that
# of arXiv:1502.01852; a uniform distribution has it as well as the papers' normal one, and is
# drawn in half the time.
DEFAULTS = (
    Rule("conv", {"padding": "symmetric", "use_bias": False, "kernel_initializer": "he_uniform"}),
    Rule("dense", {"kernel_initializer": "he_uniform"}),
    Rule("norm", {"epsilon": 1e-5, "momentum": 0.9}),
    Rule("max_pool", {"padding": "zeros"}),
    Rule("avg_pool", {"padding": "same"}),
)

_scope: ContextVar[tuple[str, ...]] = ContextVar("scope", default=())
_rules: ContextVar[tuple[Rule, ...]] = ContextVar("rules", default=())


@contextmanager
def scope(name: str | int) -> Iterator[None]:
    """Prefix the names of all layers applied inside with `name` and an underscore."""
    token = _scope.set((*_scope.get(), str(name)))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def rules(*new: Rule, above: bool = False) -> Iterator[None]:
    """Give leaves applied inside what their sentence leaves open.

    The outermost rule counts, so that a zoo's dialect stands above what the network's paper says;
    with `above` the new rules do, as a reader's wish.
    """
    around = _rules.get()
    token = _rules.set((*new, *around) if above else (*around, *new))
    try:
        yield
    finally:
        _rules.reset(token)


def named(leaf: str) -> str:
    """`leaf` behind the names of the scopes it is asked in: `conv2_block1_add`.

    "" names the scope itself; a leading slash leaves it.
    """
    return leaf[1:] if leaf.startswith("/") else "_".join(filter(None, (*_scope.get(), leaf)))


def given(kind: str, leaf: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments`, and for those that are not among them what the rules say."""
    found = dict(arguments)
    for rule in (*_rules.get(), *DEFAULTS):
        if rule.kind == kind and fnmatchcase(named(leaf), rule.names):
            found = {**rule.arguments, **found}
    # An initializer draws the same values again and again; each layer gets one of its own.
    return {k: v.clone() if isinstance(v, keras.Initializer) else v for k, v in found.items()}


def channel_axis() -> int:
    """The axis of the channels in `keras.config.image_data_format()`: -1 or 1."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def channels(x: KerasTensor) -> int:
    """The number of channels of a (batch, height, width, channels) or channels-first tensor."""
    number: int = x.shape[channel_axis()]
    return number


def sides(x: KerasTensor) -> tuple[int | None, int | None]:
    """Height and width of a tensor of images; None where they may vary."""
    height, width = x.shape[1:3] if channel_axis() == -1 else x.shape[2:4]
    return height, width


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
    filters: int, kernel_size: Sides, stride: int = 1, *, name: str = "conv", **arguments: Any
) -> Block:
    """Convolution; `arguments` are those of keras.layers.Conv2D.

    padding="symmetric" pads (kernel_size - 1) / 2 on each side: n -> ceil(n / stride), odd
    kernels. A strided one then pads explicitly: Keras' "same" would pad less on the left than on
    the right, which is not the papers' grid and not that of their published weights.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        options = given("conv", name, arguments)
        padding = options.pop("padding")
        size = options.pop("kernel_size", kernel_size)  # a zoo may have another one
        number = options.pop("filters", filters)
        if padding == "symmetric" and stride > 1:
            x, padding = pad(size, options.get("dilation_rate", 1))(x), "valid"
        elif padding == "symmetric":
            padding = "same"
        return layers.Conv2D(number, size, stride, padding, name=named(name), **options)(x)

    return apply


def pad(window: Sides, dilation: int = 1) -> Block:
    """The zeros with which a window of odd sides is centred on every pixel."""
    margins = [dilation * (k - 1) for k in ([window] * 2 if isinstance(window, int) else window)]
    zeros = tuple((m // 2, m - m // 2) for m in margins)
    return lambda x: layers.ZeroPadding2D(zeros, name=named("pad"))(x) if any(margins) else x


def norm(*, name: str = "bn", **arguments: Any) -> Block:
    """Batch normalization, arXiv:1502.03167; `momentum` is the share of the old average kept.

    `arguments` are those of keras.layers.BatchNormalization. The rule {"absent": True} leaves
    the layer out.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        options = given("norm", name, arguments)
        if options.pop("absent", False):
            return x
        return BatchNormalization(channel_axis(), name=named(name), **options)(x)

    return apply


def without_norm(normalization: Normalization) -> tuple[Rule, ...]:
    """With None the rules that leave normalization out, and give convolutions biases instead."""
    absent = Rule("norm", {"absent": True}), Rule("conv", {"use_bias": True})
    return () if normalization else absent


def lrn(*, name: str = "lrn", **arguments: Any) -> Block:
    """x -> x / (k + alpha * sum of x^2 over the n channels nearest to each) ** beta.

    Local response normalization of AlexNet's section 3.3, in Keras' own layers, so that a saved
    model needs nothing else; `name` is that of the last one, whose output is the block's. Sums are
    made in float32 under mixed precision.

    Args:
        name: of the layer that gives the normalized images.
        arguments: the constants n, k, alpha and beta; those of the paper are 5, 2, 1e-4 and 0.75.

    Raises:
        ValueError: `n` is not a positive odd whole number.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        constants = {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75, **given("lrn", name, arguments)}
        last, policy = named(name), keras.config.dtype_policy()
        return normalize_responses(x, last, policy, Power(name=f"{last}_power"), **constants)

    return apply


def normalize_responses(
    x: KerasTensor,
    name: str,
    policy: keras.DTypePolicy,
    power: Callable[..., KerasTensor],
    n: int,
    k: float,
    alpha: float,
    beta: float,
) -> KerasTensor:
    """The layers of `lrn`, computing in `policy`, but in float32 where that has half precision.

    `power` is (x1, x2=number) -> x1 ** x2.
    """
    check_window(n)
    half = policy.compute_dtype in ("float16", "bfloat16")
    exact = "float32" if half else policy
    squares = layers.Multiply(dtype=exact, name=f"{name}_square")([x, x])
    total = squares
    if n > 1:
        pads, data_format = along_channels(n // 2, n // 2)
        padded = layers.ZeroPadding2D(pads, data_format, dtype=exact, name=f"{name}_pad")(squares)
        windows = []
        for i in range(n):
            crops, data_format = along_channels(i, n - 1 - i)
            crop = layers.Cropping2D(crops, data_format, dtype=exact, name=f"{name}_window{i + 1}")
            windows.append(crop(padded))
        total = layers.Add(dtype=exact, name=f"{name}_sum")(windows)
    base = layers.Rescaling(alpha, k, dtype=exact, name=f"{name}_base")(total)
    factor = power(base, x2=-beta)
    if not half:
        return layers.Multiply(dtype=exact, name=name)([x, factor])
    product = layers.Multiply(dtype=exact, name=f"{name}_product")([x, factor])
    # It casts its input. Identity would, too, but does not serialize a policy.
    return layers.Activation("linear", dtype=policy, name=name)(product)


def along_channels(
    before: int, after: int
) -> tuple[tuple[tuple[int, int], tuple[int, int]], Literal["channels_first", "channels_last"]]:
    """Numbers of channels as padding and cropping layers take them, and their data format.

    Under the name of the other data format the channels are one of the two axes they work on.
    """
    if channel_axis() == -1:
        return ((0, 0), (before, after)), "channels_first"
    return ((before, after), (0, 0)), "channels_last"


def relu(name: str = "relu") -> Block:
    """x -> max(x, 0)."""
    return lambda x: layers.Activation("relu", name=named(name))(x)


def sigmoid(name: str = "sigmoid") -> Block:
    """x -> 1 / (1 + exp(-x))."""
    return lambda x: layers.Activation("sigmoid", name=named(name))(x)


def scale(factor: float, *, name: str = "scale") -> Block:
    """x -> factor * x."""
    return lambda x: layers.Rescaling(factor, name=named(name))(x)


def dropout(rate: float, *, name: str = "dropout") -> Block:
    """In training a share `rate` of zeros, the rest enlarged to keep the mean.

    The rule {"absent": True} leaves the layer out.

    Raises:
        ValueError: `rate` is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout is a share, at least 0 and below 1, not {rate!r}.")

    def apply(x: KerasTensor) -> KerasTensor:
        absent = not rate or given("dropout", name, {}).get("absent", False)
        return x if absent else layers.Dropout(rate, name=named(name))(x)

    return apply


def max_pool(pool_size: int, stride: int, *, name: str = "pool", **arguments: Any) -> Block:
    """Maximum over squares; padding is

    "zeros": around the image, n -> ceil(n / stride), squares of odd size. Exact after a ReLU, where
        no maximum is changed by them.
    "lowest": the same grid, nothing added to what is compared.
    "ceil": as Caffe pools without padding, and PyTorch with ceil_mode=True: the first window starts
        at the first pixel, n -> ceil((n - pool_size) / stride) + 1, and the last window may reach
        beyond the image. Exact after a ReLU, where the zeros behind change no maximum. With stride
        1 the windows are centred, as "same" has them.
    "behind": the first window starts at the first pixel, too, and each stride-th pixel starts one:
        n -> ceil(n / stride), as many as of a convolution beside it. Where n is even the same as
        "ceil" for squares of 3 and stride 2.
    "same", "valid": as in keras.layers.MaxPooling2D.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        options = given("max_pool", name, arguments)
        padding = options["padding"]
        window = options.get("pool_size", pool_size)  # a zoo may have another one
        if padding == "zeros":
            x, padding = pad(window)(x), "valid"
        elif padding == "lowest":
            x = layers.MaxPooling2D(window, 1, "same", name=named(f"{name}_windows"))(x)
            window, padding = 1, "valid"
        elif padding in ("ceil", "behind"):
            x, padding = windows_from_first_pixel(x, window, stride, padding, f"{name}_pad")
        return layers.MaxPooling2D(window, stride, padding, name=named(name))(x)

    return apply


def windows_from_first_pixel(
    x: KerasTensor, window: int, stride: int, padding: str, name: str
) -> tuple[KerasTensor, str]:
    """An image and Keras' padding, by which the first window of a pooling starts at its first
    pixel; zeros behind the image complete the last windows that "ceil" or "behind" has.
    """
    if stride == 1:
        return x, "same"
    every = padding == "behind"
    zeros = [zeros_behind(n, window, stride, every) for n in sides(x)]
    if not any(zeros):
        return x, "valid"
    same = [pads_behind_alone(n, window, stride) for n in sides(x)]
    if zeros == same:
        return x, "same"
    margins = (0, zeros[0]), (0, zeros[1])
    return layers.ZeroPadding2D(margins, name=named(name))(x), "valid"


def zeros_behind(n: int | None, window: int, stride: int, every: bool) -> int:
    """How many zeros complete the last window on a side of n pixels: of those windows that begin
    at `every` stride-th pixel, or that PyTorch's ceil_mode has. Of a side that may vary the most
    that are needed; more of them start no window.
    """
    if n is None:
        return window - 1 if every else stride - 1
    windows = ceil(n / stride) if every else ceil((n - window) / stride) + 1
    return max((windows - 1) * stride + window - n, 0)


def pads_behind_alone(n: int | None, window: int, stride: int) -> int | None:
    """How many zeros Keras' "same" adds, if none of them are before the first pixel, else None."""
    if n is None:
        return None
    total = max((ceil(n / stride) - 1) * stride + window - n, 0)
    return total if total <= 1 else None


def avg_pool(pool_size: int, stride: int, *, name: str = "pool", **arguments: Any) -> Block:
    """Mean over squares; padding is

    "same", "valid": as in keras.layers.AveragePooling2D; padding is not counted.
    "zeros": around the image, and counted.
    """

    def apply(x: KerasTensor) -> KerasTensor:
        padding = given("avg_pool", name, arguments)["padding"]
        if padding == "zeros":
            x, padding = pad(pool_size)(x), "valid"
        return layers.AveragePooling2D(pool_size, stride, padding, name=named(name))(x)

    return apply


def adaptive_pool(height: int, width: int, *, name: str = "adaptive_pool") -> Block:
    """Means over as many windows as the new image has pixels, of whatever size the old one is:
    window i of n on a side of m pixels is from floor(i m / n) to ceil((i + 1) m / n).
    """
    return lambda x: layers.AdaptiveAveragePooling2D((height, width), name=named(name))(x)


def pad_channels(total: int, *, name: str = "pad_channels") -> Block:
    """Zero channels on both sides, half of them each, up to `total`."""

    def apply(x: KerasTensor) -> KerasTensor:
        new = total - channels(x)
        pads, data_format = along_channels(new // 2, new - new // 2)
        return layers.ZeroPadding2D(pads, data_format, name=named(name))(x)

    return apply


def global_pool(
    reduction: str = "avg", *, keepdims: bool = False, name: str | None = None
) -> Block:
    """The mean ("avg") or maximum ("max") of each channel: (n, h, w, c) -> (n, c).

    With `keepdims` as an image of one pixel, (n, 1, 1, c).
    """
    pools = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return lambda x: pools[reduction](keepdims=keepdims, name=named(name or f"{reduction}_pool"))(x)


def flatten(name: str = "flatten") -> Block:
    """(n, h, w, c) -> (n, h * w * c), in this order in both data formats."""
    return lambda x: layers.Flatten(name=named(name))(x)


def dense(
    units: int,
    activation: str | Callable[..., Any] | None = None,
    *,
    name: str = "dense",
    **arguments: Any,
) -> Block:
    """x -> activation(W x + b); `arguments` are those of keras.layers.Dense."""

    def apply(x: KerasTensor) -> KerasTensor:
        options = given("dense", name, arguments)
        number = options.pop("units", units)  # a zoo may have another one
        return layers.Dense(number, activation, name=named(name), **options)(x)

    return apply


def classifier(
    classes: int,
    activation: str | Callable[..., Any] | None = "softmax",
    *,
    name: str = "predictions",
) -> Block:
    """`dense`, whose sums and softmax are computed in float32 under mixed precision."""
    return lambda x: dense(
        classes, activation, name=name, dtype=keras.config.dtype_policy().variable_dtype
    )(x)
