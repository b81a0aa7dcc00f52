"""Networks and layers as functions that should be equal, on random inputs of random shapes."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

import keras_ilsvrc
from keras_ilsvrc.inference import drop_auxiliary
from keras_ilsvrc.layers import BatchNormalization

from .cases import Found, case, digits, draws, images, integers, last, normal, randomised, shape
from .graphs import without_values

# --- GoogLeNet --------------------------------------------------------------------------------


def aux_heads() -> dict[str, Any]:
    """GoogLeNet's heads; that for CIFAR-10 with them and without, and with a kernel changed."""
    whole = without_values(keras_ilsvrc.GoogLeNet, auxiliary=True)
    found: Found = {"cases": [], "controls": []}
    for i in range(3):
        random = draws("aux-heads", i)
        width = 8 * integers(random, 1, 1, 4)[0]
        model = randomised(keras_ilsvrc.cifar.GoogLeNet(auxiliary=True, width=width), random)
        x, what = images(random, 4, 32, 3), f"width {width}"
        main, alone = model(x, training=False)[0], drop_auxiliary(model)
        found["cases"].append(case(what, alone(x, training=False), main))
        kernel = model.get_layer("conv1_conv").kernel
        kernel.assign(1.01 * ops.convert_to_numpy(kernel))
        found["controls"].append(case(what, alone(x, training=False), main))
    return {"heads": len(whole.outputs) - 1, **found}


def pointwise_dense() -> Found:
    """A 1x1 convolution against a dense layer at every pixel, of the same weights."""
    found: Found = {"cases": [], "controls": []}
    for i in range(12):
        random = draws("pointwise-dense", i)
        n, side, c, m = integers(random, 4, 2, 24)
        kernel, bias, x = normal(random, c, m), normal(random, m), images(random, n, side, c)
        axes = (0, 1, 2, 3) if last() else (0, 2, 3, 1)
        expected = applied(layers.Dense(m), x.transpose(axes), kernel, bias)
        beside = np.zeros((3, 3, c, m), "float32")
        beside[0, 0] = kernel  # the pixel above to the left instead
        for name, weights in (("cases", kernel[None, None]), ("controls", beside)):
            layer = layers.Conv2D(m, len(weights), padding="same")
            y = applied(layer, x, weights, bias).transpose(axes)
            found[name].append(case(f"({n}, {side}, {side}, {c}) to {m}", y, expected))
    return found


def applied(layer: Any, x: np.ndarray, *weights: np.ndarray) -> np.ndarray:
    """The layer's output with these weights."""
    layer.build(x.shape)
    layer.set_weights(weights)
    return ops.convert_to_numpy(layer(x))


# --- identities in plain nets -----------------------------------------------------------------


def degradation_capacity() -> Found:
    """A plain-20 with 36 identity layers added is a plain-56; whatever the weights of the 20."""
    found: Found = {"cases": [], "controls": []}
    deep = keras_ilsvrc.cifar.PlainNet(56, width=8)
    for i in range(2):
        random = draws("degradation-capacity", i)
        shallow = randomised(keras_ilsvrc.cifar.PlainNet(20, width=8), random)
        x = images(random, 8, 32, 3)
        expected = shallow(x, training=False)
        for name, tap in (("cases", 1), ("controls", 0)):  # the kernel's middle, or beside it
            deepen(deep, shallow, tap)
            found[name].append(case(f"weights {i}", deep(x, training=False), expected))
    return found


def deepen(deep: keras.Model, shallow: keras.Model, tap: int) -> None:
    """Let `deep` compute what `shallow` does: give it its layers, and identities."""
    known = {layer.name: layer for layer in shallow.layers}
    for layer in deep.layers:
        if layer.name in known:
            layer.set_weights(known[layer.name].get_weights())
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights([dirac(layer.kernel.shape, tap)])
        elif isinstance(layer, BatchNormalization):
            one, zero = np.ones(layer.gamma.shape), np.zeros(layer.gamma.shape)
            layer.set_weights([math.sqrt(1 + layer.epsilon) * one, zero, zero, one])


def dirac(shape: tuple[int, ...], tap: int) -> np.ndarray:
    """A kernel that copies each channel, from the pixel at `tap`."""
    kernel = np.zeros(shape)
    kernel[tap, tap] = np.eye(shape[-1])
    return kernel


# --- residual blocks --------------------------------------------------------------------------


def silence_norm(inside: list[Any]) -> None:
    """Gamma and beta of the branch's last normalization zero."""
    norm = [layer for layer in inside if isinstance(layer, BatchNormalization)][-1]
    for weight in (norm.gamma, norm.beta):
        weight.assign(np.zeros(weight.shape))


def silence_kernel(inside: list[Any]) -> None:
    """The branch's last kernel zero."""
    conv = [layer for layer in inside if isinstance(layer, layers.Conv2D)][-1]
    conv.kernel.assign(np.zeros(conv.kernel.shape))


VERSIONS: dict[str, tuple[Callable[..., Any], Callable[[list[Any]], None]]] = {
    "v1": (keras_ilsvrc.cifar.ResNet, silence_norm),
    "v2": (keras_ilsvrc.cifar.ResNetV2, silence_kernel),
}


def identity_path() -> Found:
    """Blocks whose branch ends in zeros; the controls' does not, or v1's inputs are signed."""
    found: Found = {"cases": [], "controls": []}
    for i in range(4):
        for version, (build, silence) in VERSIONS.items():
            net, signed = small(build, draws("identity-path", i))
            x = np.abs(signed) if version == "v1" else signed  # v1's have passed a ReLU
            block, inside = second_block(net)
            what = f"{version}, inputs {x.shape[1:]}"
            found["controls"].append(case(what, block(x, training=False), x))
            silence(inside)
            found["cases"].append(case(what, block(x, training=False), x))
            if version == "v1":
                found["controls"].append(case(what, block(signed, training=False), signed))
    return found


def small(build: Callable[..., Any], random: np.random.Generator) -> tuple[keras.Model, np.ndarray]:
    """A net of two blocks a stage, and inputs of a block."""
    width, side = 4 * integers(random, 1, 1, 6)[0], integers(random, 1, 4, 20)[0]
    net = randomised(build(14, width=width, input_shape=shape(side, 3)), random)
    return net, images(random, 3, side, width)


def second_block(net: keras.Model) -> tuple[keras.Model, list[Any]]:
    """The second block of a network's first stage, and its layers in their order."""
    inside = [layer for layer in net.layers if layer.name.startswith("conv2_block2_")]
    before = net.layers[net.layers.index(inside[0]) - 1]
    return keras.Model(before.output, inside[-1].output), inside


def residual_difference() -> Found:
    """In the graph: x, H(x) = what the addition gives, F(x) = what it adds to x."""
    lost, literal = [], []
    for i in range(6):
        net, x = small(keras_ilsvrc.cifar.ResNet, draws("residual-difference", i))
        x = np.abs(x)  # as behind a ReLU
        add = net.get_layer("conv2_block2_add")
        block = keras.Model(net.get_layer("conv2_block1_out").output, [add.output, add.input[-1]])
        h, f = map(ops.convert_to_numpy, block(x, training=False))
        what = f"inputs {x.shape[1:]}"
        # Rounding is that of H(x) - x, whose terms are of H's size.
        lost.append([*case(what, f, h - x)[:2], digits(np.abs(h).max())])
        literal.append(case(what, f, h))
    return {"F(x) against H(x) - x": lost, "F(x) against H(x)": literal}
