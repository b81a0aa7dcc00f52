"""Networks that only claims compare, and the network of an arm at a tier."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal
from zlib import crc32

import keras
from keras import KerasTensor, ops

from keras_ilsvrc import cifar, resnet
from keras_ilsvrc.assembly import Network, image_shape
from keras_ilsvrc.blocks import (
    Block,
    Normalization,
    chain,
    channel_axis,
    conv,
    gate,
    global_pool,
    identity,
    max_pool,
    named,
    norm,
    relu,
    sigmoid,
    under,
    without_norm,
)
from keras_ilsvrc.cifar import check_depth, cifar_builder

from ...experiments.tiers import Tier

# --- stacks of one receptive field (arXiv:1409.1556, section 2.3) ------------------------------

Form = Literal["3x3", "3x3 linear", "7x7", "7x7 1x1 1x1"]

# Kernel sizes, and whether a ReLU follows.
FORMS: dict[Form, tuple[tuple[int, bool], ...]] = {
    "3x3": ((3, True), (3, True), (3, True)),
    "3x3 linear": ((3, False), (3, False), (3, True)),
    "7x7": ((7, True),),
    "7x7 1x1 1x1": ((7, True), (1, True), (1, True)),
}


def unit(filters: int, kernel: int, active: bool) -> Block:
    """Convolution, normalization, and a ReLU where it is active."""
    return chain(conv(filters, kernel), norm(), relu() if active else identity)


def group(filters: int, form: Form) -> Block:
    """A 1x1 convolution to `filters` channels, the stack, which keeps them, and a max-pool."""
    rows = ((1, True), *FORMS[form])
    units = (under(i, unit(filters, *row)) for i, row in enumerate(rows))
    return chain(*units, max_pool(2, 2, padding="valid"))


@cifar_builder("Stacks", "Stacks that see 7x7 pixels, after arXiv:1409.1556, section 2.3.")
def Stacks(
    *, form: Form = "3x3", normalization: Normalization = "batch", width: int = 16
) -> Network:
    """form: of the three groups' stacks on C channels: "3x3" thrice, 27 C^2 weights; "3x3 linear",
        the same without its inner ReLUs; "7x7", 49 C^2; "7x7 1x1 1x1", as many ReLUs as "3x3".
    normalization: "batch", or None: biases instead.
    width: channels of the first group; each group doubles them.
    """
    groups = (under(f"group{i + 1}", group(width * 2**i, form)) for i in range(3))
    name = f"cifar_stacks_{form}".replace(" ", "_")
    return Network(chain(*groups), rules=without_norm(normalization), size=32, least=8, name=name)


# --- plain nets (arXiv:1512.03385, section 4.2) ------------------------------------------------


@keras.saving.register_keras_serializable(package="reproductions")
class Jitter(keras.layers.Layer):
    """x -> (1 + a) x + b, a and b anew for each step and channel; in training only.

    After the noise of arXiv:1805.11604, section 2.1, which undoes what normalization has settled.

    Args:
        amount: a and b are uniform between -amount and amount.
        axis: of the channels.
        seed: of the draws.
    """

    def __init__(
        self, amount: float, axis: int = -1, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.amount, self.axis, self.seed = amount, axis, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: KerasTensor, training: bool = False) -> KerasTensor:
        """The tensor, in training scaled and shifted."""
        if not training:
            return x
        shape = [1] * len(x.shape)
        shape[self.axis] = x.shape[self.axis]
        draw = partial(keras.random.uniform, shape, -self.amount, self.amount, dtype=x.dtype)
        a, b = draw(seed=self.seed_generator), draw(seed=self.seed_generator)
        return ops.add(ops.multiply(1 + a, x), b)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        mine = {name: getattr(self, name) for name in ("amount", "axis", "seed")}
        return {**super().get_config(), **mine}


def jitter(amount: float) -> Block:
    """`Jitter`; with amount 0 the identity."""
    return lambda x: Jitter(amount, channel_axis(), name=named("jitter"))(x) if amount else x


def dropped(rate: float) -> Block:
    """`keras.layers.Dropout`; with rate 0 the identity."""
    return lambda x: keras.layers.Dropout(rate, name=named("dropout"))(x) if rate else x


ACTIVATIONS: dict[str, Callable[[], Block]] = {"relu": relu, "sigmoid": sigmoid}


@cifar_builder("Plain", "The plain network of arXiv:1512.03385, section 4.2, altered.")
def Plain(
    depth: int,
    *,
    activation: Literal["relu", "sigmoid"] = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    jitter: float = 0.0,
    width: int = 16,
) -> Network:
    """depth: weight layers, 6n + 2.
    activation: "relu" (the paper's) or "sigmoid".
    normalization: "batch", or None: biases instead.
    dropout: after the activation of each convolution.
    jitter: after each normalization: how far the channels are scaled and shifted at random, anew
        in each step.
    width: filters of the first stage; the paper's is 16.
    """
    check_depth(depth)
    after = altered(activation, dropout, jitter)
    body = plain((depth - 2) // 3, width, after)
    rules = without_norm(normalization)
    return Network(body, rules=rules, size=32, least=4, name=f"cifar_altered_plain{depth}")


def altered(activation: str, rate: float, amount: float) -> Block:
    """What follows a convolution and its normalization."""
    return chain(jitter(amount), ACTIVATIONS[activation](), dropped(rate))


def plain(layers: int, width: int, after: Block) -> Block:
    """A first convolution, and three stages of `layers` convolutions."""
    rows = [("conv1", width, 1)]
    for stage in range(3):
        strides = (1 if i or not stage else 2 for i in range(layers))
        rows += [
            (f"conv{stage + 2}_layer{i}", width * 2**stage, stride)
            for i, stride in enumerate(strides, 1)
        ]
    return chain(
        *(under(name, conv(filters, 3, stride), norm(), after) for name, filters, stride in rows)
    )


# --- gates (arXiv:1709.01507) ------------------------------------------------------------------

Fed = Literal["image", "constant"]


def ones() -> Block:
    """x -> 1."""
    return lambda x: keras.layers.Rescaling(0.0, 1.0, name=named("ones"))(x)


def gated(filters: int, step: resnet.Step, fed: Fed) -> Block:
    """A basic block's branch and its gate, of at least four units between."""
    source = identity if fed == "image" else ones()
    weights = chain(
        global_pool("avg", keepdims=True, name="squeeze"), source,
        conv(max(4, filters // 16), 1, name="reduce", use_bias=True), relu(),
        conv(filters, 1, name="expand", use_bias=True), sigmoid(),
    )  # fmt: skip
    return chain(resnet.basic(filters, step), under("se", gate(weights)))


@cifar_builder("GatedResNet", "The SE-ResNet of arXiv:1709.01507, table 4, at any width.")
def GatedResNet(depth: int, *, fed: Fed = "image", width: int = 16) -> Network:
    """depth: weight layers, 6n + 2.
    fed: what the gates see: "image", the mean of each channel (the paper), or "constant", ones in
        their place: gates of as many parameters that learn and do not look.
    width: filters of the first stage; the paper's is 16.
    """
    check_depth(depth)
    body = resnet.cifar(depth, width, "A", partial(gated, fed=fed))
    return Network(body, size=32, least=4, name=f"cifar_gated_resnet{depth}")


# --- the network of an arm ---------------------------------------------------------------------

OWN: dict[str, Callable[..., keras.Model]] = {
    builder.__name__: builder for builder in (Stacks, Plain, GatedResNet)
}


def built(arm: Mapping[str, Any], tier: Tier, classes: int) -> keras.Model:
    """The arm's network at the tier's width, depth and image size, its kernels zeros; it gives
    logits: the main ones first, where it has several.
    """
    options = {name: value for name, value in arm.items() if name not in ("name", "network")}
    if "depth" in options:
        options["depth"] = dict(tier.depths).get(arm["depth"], arm["depth"])
    builder = OWN.get(arm["network"]) or getattr(cifar, arm["network"])
    model = builder(
        **options,
        **sized(arm["network"], tier.width),
        input_shape=image_shape(tier.image_size),
        classes=classes,
        classifier_activation=None,
        kernel_initializer="zeros",  # the trainer draws them; JAX would compile each draw
    )
    drops = any(isinstance(layer, DRAWING) for layer in model.layers)
    return keras.models.clone_model(model, clone_function=seeded) if drops else model


DRAWING = keras.layers.Dropout | Jitter


def named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Its variables by names that depend on the net alone: their paths, but those of seeds, which
    Keras numbers by what the process built before; a seed has the name of the layer that draws.
    """
    layers = [layer for layer in model.layers if isinstance(layer, DRAWING)]
    seeds = {v.path: f"{layer.name}/seed" for layer in layers for v in layer.variables}
    return {seeds.get(v.path, v.path): v for v in model.variables}


def seeded(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer like it; one that draws gets a seed, without which PyTorch draws from elsewhere."""
    config = layer.get_config()
    if isinstance(layer, DRAWING):
        config["seed"] = crc32(layer.name.encode()) % 2**31
    return layer.__class__.from_config(config)


def sized(name: str, width: int) -> dict[str, int]:
    """Options that make a network as narrow as a ResNet whose first stage has `width` filters:
    at 16, the paper's, all have their own full width. GoogLeNet, which costs ten times as much, is
    as narrow again.
    """
    if name == "DenseNet":
        return {"growth": max(1, 12 * width // 16)}
    if name == "GoogLeNet":
        return {"width": 64 * width**2 // 16**2}
    return {"width": 64 * width // 16 if name == "VGG" else width}
