"""Exact checks: sizes, counts and the order of graphs, from networks as the papers have them."""

import math
from typing import Any

import keras
from keras import layers

from keras_ilsvrc import anatomy
from keras_ilsvrc.blocks import branches, chain, conv, max_pool, relu, under
from keras_ilsvrc.inception_v1 import TABLE_1, Row, inception, unit

from ...claims.vgg import CHANNELS
from .cases import last, shape
from .graphs import Walk, network, of_kind, sentences, size, weight_layers, without_values, word

VGG_COLUMNS = {"A": "vgg11", "B": "vgg13", "C": "vgg16_c", "D": "vgg16", "E": "vgg19"}


def alexnet_size() -> dict[str, Any]:
    """AlexNet in two groups, as in 2012."""
    model = network("alexnet")
    return {
        "weight layers": weight_layers(model),
        "parameters": anatomy.profile(model).trainable,
    }


def alexnet_filters() -> dict[str, Any]:
    sizes = {layer.kernel_size: size(layer) for layer in of_kind(network("alexnet"), layers.Conv2D)}
    return {"kernels": [sizes[sides] for sides in sorted(sizes, reverse=True)]}


def vgg_depth() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ("vgg16", "vgg19"):
        model = network(name)
        values[f"{name} convolutions"] = len(of_kind(model, layers.Conv2D))
        values[f"{name} dense"] = len(of_kind(model, layers.Dense))
        values[f"{name} weight layers"] = weight_layers(model)
    return values


def vgg_uniform() -> dict[str, Any]:
    """Table 1 of arXiv:1409.1556, its columns by their letters."""
    values: dict[str, Any] = {}
    for column, name in VGG_COLUMNS.items():
        model = network(name)
        convolutions, pools = of_kind(model, layers.Conv2D), of_kind(model, layers.MaxPooling2D)
        values[f"{column} kernels"] = sorted({size(layer) for layer in convolutions}, reverse=True)
        values[f"{column} pools"] = sorted({f"{size(p)}/{p.strides[0]}" for p in pools})
        values[f"{column} dense"] = len(of_kind(model, layers.Dense))
        values[f"{column} output"] = model.layers[-1].activation.__name__
    return values


def stack(*kernels: int, filters: int) -> keras.Model:
    """Convolutions of equal width, each with a ReLU."""
    steps = [under(i, conv(filters, kernel), relu()) for i, kernel in enumerate(kernels, 1)]
    images = keras.Input(shape(16, filters))
    return keras.Model(images, chain(*steps)(images))


def vgg_weights() -> dict[str, Any]:
    """For C channels in and out, without biases."""
    values = {}
    for c in CHANNELS:
        for name, kernels in (("7x7 once", (7,)), ("3x3 thrice", (3, 3, 3))):
            model = without_values(stack, *kernels, filters=c)
            values[f"{name}, C = {c}"] = anatomy.profile(model).parameters
    return values


def vgg_relus() -> dict[str, Any]:
    """What follows each convolution of VGG; and how many ReLUs that makes of stacks."""
    stacks = {"7x7 once": (7,), "3x3 thrice": (3, 3, 3)}
    models = {name: without_values(stack, *kernels, filters=4) for name, kernels in stacks.items()}
    values: dict[str, Any] = {
        name: [word(op) for op in model.operations].count("ReLU") for name, model in models.items()
    }
    for name in ("vgg16", "vgg19"):
        convolutions = of_kind(network(name), layers.Conv2D)
        values[f"{name}, activations"] = sorted({c.activation.__name__ for c in convolutions})
    return values


def inception_modules() -> dict[str, Any]:
    """Table 1 of arXiv:1409.4842, its column "output size"."""
    model, values = network("googlenet"), {}
    for row in TABLE_1:
        joined = model.get_layer(f"inception_{row}_concat")
        axis = joined.axis
        values[row] = joined.output.shape[axis]
        values[f"{row}, sum of branches"] = sum(x.shape[axis] for x in joined.input)
    return {"modules": len(of_kind(model, layers.Concatenate)), **values}


def inception_parallel() -> dict[str, Any]:
    """Each module's branches; how many modules have all of theirs side by side."""
    model = network("googlenet")
    walk, joints = Walk(model), of_kind(model, layers.Concatenate)
    return {
        "branches of each module": sorted({len(joint.input) for joint in joints}),
        "modules of parallel branches": sum(walk.parallel(joint) for joint in joints),
    }


def googlenet_depth() -> dict[str, Any]:
    return {"weight layers": weight_layers(network("googlenet"))}


def googlenet_params() -> dict[str, Any]:
    """Trainable parameters, and AlexNet's over GoogLeNet's."""
    model = network("googlenet")
    whole = anatomy.profile(model).trainable
    classifier = sum(math.prod(w.shape) for w in model.get_layer("predictions").weights)
    return {
        "with the classifier": whole,
        "without": whole - classifier,
        "ratio": round(anatomy.profile(network("alexnet")).trainable / whole, 3),
    }


def pointwise_example() -> dict[str, Any]:
    images = keras.Input(shape(28, 192))
    model = without_values(lambda: keras.Model(images, conv(64, 1)(images)))
    channels = model.output.shape[-1 if last() else 1]
    return {"output channels": channels, "weights": anatomy.profile(model).parameters}


def naive(row: Row) -> Any:
    """Figure 2(a): the module without reductions and without a projection of the pool."""
    return branches(
        unit("1x1", row.n1, 1), unit("3x3", row.n3, 3), unit("5x5", row.n5, 5), max_pool(3, 1)
    )


def pointwise_cheaper() -> dict[str, Any]:
    """Each module of table 1 against its naive twin on the same input."""
    model, walk = network("googlenet"), Walk(network("googlenet"))
    values: dict[str, Any] = {}
    for name, row in TABLE_1.items():
        source = walk.start(model.get_layer(f"inception_{name}_concat")).shape[1:]
        with_1x1, without = (
            anatomy.profile(without_values(module, block, source))
            for block in (inception(row), naive(row))
        )
        values[name] = {
            "parameters": with_1x1.parameters, "naive parameters": without.parameters,
            "MACs": with_1x1.macs, "naive MACs": without.macs,
        }  # fmt: skip
    rows = list(values.values())
    return {
        "modules": len(rows),
        "with fewer parameters": sum(r["parameters"] < r["naive parameters"] for r in rows),
        "with fewer MACs": sum(r["MACs"] < r["naive MACs"] for r in rows),
        **values,
    }


def module(block: Any, source: tuple[int, ...]) -> keras.Model:
    images = keras.Input(source)
    return keras.Model(images, under("m", chain(block, relu("out")))(images))


def inception_cost() -> dict[str, Any]:
    return costs(VGG16="vgg16", AlexNet="alexnet", GoogLeNet="googlenet")


def costs(**networks: str) -> dict[str, Any]:
    """Trainable parameters and multiply-accumulates, by name."""
    profiles = {name: anatomy.profile(network(key)) for name, key in networks.items()}
    return {
        **{f"{name} parameters": profile.trainable for name, profile in profiles.items()},
        **{f"{name} MACs": profile.macs for name, profile in profiles.items()},
    }


def basic_block() -> dict[str, Any]:
    networks = {"ResNet18": "resnet18", "ResNet34": "resnet34", "ResNet20": "cifar_resnet20"}
    return {name: sentences(network(key)) for name, key in networks.items()}


def bn_everywhere() -> dict[str, Any]:
    """What follows each convolution, and what follows its normalization."""
    values: dict[str, Any] = {}
    for name in ("resnet34", "resnet50", "resnet152"):
        model = network(name)
        walk = Walk(model)
        convolutions = of_kind(model, layers.Conv2D)
        norms = [layer for layer in model.layers if word(layer) == "BN"]
        values[f"{name}, after a convolution"] = said(walk.after(c) for c in convolutions)
        values[f"{name}, after its normalization"] = said(walk.after(n) for n in norms)
    return values


def said(followers: Any) -> list[str]:
    return sorted({word for words in followers for word in words})


def bn_order() -> dict[str, Any]:
    """What each convolution but the first follows, and what follows it."""
    values: dict[str, Any] = {}
    for version, name in (("v1", "resnet50"), ("v2", "resnet50v2")):
        model = network(name)
        walk, convolutions = Walk(model), of_kind(model, layers.Conv2D)[1:]
        ahead = {" → ".join(walk.before(c, 2)) for c in convolutions}
        values[f"{version}, ahead of a convolution"] = sorted(ahead)
        values[f"{version}, after a convolution"] = said(walk.after(c) for c in convolutions)
    return values


def resnet_depth() -> dict[str, Any]:
    return {f"ResNet{n}": weight_layers(network(f"resnet{n}")) for n in (34, 50, 101, 152)}


def resnet_cheap() -> dict[str, Any]:
    return costs(
        VGG19="vgg19", VGG16="vgg16", ResNet152="resnet152", ResNet101="resnet101",
        ResNet50="resnet50",
    )  # fmt: skip


def densenet_lean() -> dict[str, Any]:
    return costs(ResNet20="cifar_resnet20", DenseNetBC40="cifar_densenet_bc40")
