"""The papers' networks for CIFAR-10: 32x32 images, 10 classes.

Those of ResNet, ResNet v2, DenseNet and SENet are their papers'. VGG, AlexNet and GoogLeNet have
none there: theirs keep the paper's layers behind a stem that does not shrink the image.
"""

from collections.abc import Callable
from typing import Literal, ParamSpec, Unpack, cast

from . import alexnet, densenet, inception_v1, resnet, resnet_v2, senet, vgg
from .assembly import Arguments, Builder, Network, among, documentation, make_builder
from .blocks import (
    Block,
    Normalization,
    Rule,
    chain,
    conv,
    global_pool,
    lrn,
    max_pool,
    under,
    without_norm,
)

P = ParamSpec("P")


def cifar_builder(public: str, title: str) -> Callable[[Callable[P, Network]], Builder[P]]:
    """`builder` for images of 32 x 32 and ten classes; the models have their networks' names."""

    def decorate(describe: Callable[P, Network]) -> Builder[P]:
        document = documentation(title, describe.__doc__, "32 x 32 x 3")
        made = make_builder(describe, public, describe.__module__, document, classes=10)
        return cast("Builder[P]", made)

    return decorate


def check_depth(depth: int, per_block: int = 6) -> None:
    """Raise ValueError unless `depth` is `per_block` * n + 2 with n >= 1."""
    k = per_block
    if depth > 2 and depth % k == 2:
        return
    below = max(k + 2, (depth - 2) // k * k + 2)
    nearest = f"{below} and {below + k}" if depth > k + 2 else f"{k + 2}"
    raise ValueError(
        f"depth is {k}n + 2 ({k + 2}, {2 * k + 2}, ...), not {depth}; the nearest: {nearest}."
    )


@cifar_builder("ResNet", "The residual network of arXiv:1512.03385, section 4.2.")
def ResNet(
    depth: int,
    *,
    shortcut: resnet.Shortcut = "A",
    width: int = 16,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers, 6n + 2: 20, 32, 44, 56, 110 and 1202 in the paper. Beyond about 450
        Keras' own walks over the graph (loading, cloning) need a higher
        sys.setrecursionlimit; building does not.
    shortcut: "A" (the paper's: identity, padded with zeros), "B" (projections where dimensions
        change), "C" (projections everywhere), or None: the plain net.
    width: filters of the first stage; the paper's is 16.
    normalization: "batch", or None: biases instead.
    """
    return residual_network(depth, shortcut, width, normalization)


@cifar_builder("PlainNet", "The plain network of arXiv:1512.03385, section 4.2.")
def PlainNet(
    depth: int,
    *,
    width: int = 16,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers, 6n + 2: 20, 32, 44, 56 and 110 in the paper.
    width: filters of the first stage; the paper's is 16.
    normalization: "batch", or None: biases instead.
    """
    return residual_network(depth, None, width, normalization)


def residual_network(
    depth: int, shortcut: resnet.Shortcut, width: int, normalization: Normalization
) -> Network:
    """Section 4.2; without shortcut the plain network."""
    check_depth(depth)
    name = f"cifar_{'resnet' if shortcut else 'plain'}{depth}"
    body = resnet.cifar(depth, width, shortcut)
    return Network(body, rules=without_norm(normalization), size=32, least=4, name=name)


@cifar_builder("SEResNet", "The SE-ResNet of arXiv:1709.01507, table 4.")
def SEResNet(
    depth: int,
    *,
    se_ratio: int | None = 16,
    shortcut: resnet.Shortcut = "A",
    width: int = 16,
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers, 6n + 2; 110 in the paper.
    se_ratio: the gates have 1 / se_ratio as many units as channels; None: no gates.
    shortcut: "A", "B", "C" or None, as in `ResNet`.
    width: filters of the first stage; the paper's is 16.
    """
    check_depth(depth)
    branch = senet.excited(resnet.basic, se_ratio)
    body = resnet.cifar(depth, width, shortcut, branch)
    return Network(body, size=32, least=4, name=f"cifar_se_resnet{depth}")


@cifar_builder("ResNetV2", "The pre-activation network of arXiv:1603.05027, sections 3 and 4.")
def ResNetV2(
    depth: int,
    *,
    bottleneck: bool | None = None,
    activation_order: str = "full pre-activation",
    shortcut: Literal["paper", "A", "B", "C", None] = "paper",
    width: int = 16,
    normalization: Normalization = "batch",
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers: 6n + 2, or 9n + 2 with bottlenecks; 110, 164 and 1001 in the paper.
    bottleneck: whether the units are bottlenecks; None: from 164 layers on, as in the paper.
    activation_order: of figure 4: "original", "BN after addition", "ReLU before addition",
        "ReLU-only pre-activation" or "full pre-activation".
    shortcut: "A" (identity, padded with zeros), "B" (projections where the channels change), "C"
        (projections everywhere), None (a plain net), or "paper": "B" with bottlenecks, else "A".
    width: filters of the first stage; the paper's is 16.
    normalization: "batch", or None: biases instead.
    """
    bottlenecks = depth >= 164 if bottleneck is None else bottleneck
    check_depth(depth, 9 if bottlenecks else 6)
    chosen: resnet.Shortcut = ("B" if bottlenecks else "A") if shortcut == "paper" else shortcut
    blocks = (depth - 2) // (9 if bottlenecks else 6)
    body = resnet_v2.cifar(blocks, width, bottlenecks, chosen, activation_order)
    rules = without_norm(normalization)
    return Network(body, rules=rules, size=32, least=4, name=f"cifar_resnet{depth}v2")


@cifar_builder("DenseNet", "The DenseNet of arXiv:1608.06993, section 3, for CIFAR.")
def DenseNet(
    depth: int,
    *,
    growth: int = 12,
    bottleneck: bool = True,
    compression: float = 0.5,
    dropout: float = 0.0,
    width: int | None = None,
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers: 3n + 4, or 6n + 4 with bottlenecks; 40, 100, 190 and 250 in the paper.
    growth: maps that each layer adds, the paper's k.
    bottleneck: whether a 1x1 convolution stands before each 3x3 (DenseNet-B).
    compression: share of the maps that a transition keeps, the paper's theta (DenseNet-C).
    dropout: after each convolution but the first; 0.2 in the paper, without augmentation.
    width: maps of the first convolution; None: the paper's, 2 * growth for DenseNet-BC, else 16.
    """
    if not 0 < compression <= 1:
        raise ValueError(f"compression is above 0 and at most 1, not {compression!r}.")
    layers = dense_layers(depth, 6 if bottleneck else 3)
    kind = "_bc" if bottleneck and compression < 1 else ""
    maps = width or (2 * growth if kind else 16)
    composite = (densenet.bottleneck if bottleneck else densenet.simple)(growth, dropout)
    blocks = densenet.dense_blocks((layers,) * 3, composite, compression, dropout)
    body = chain(under("conv1", conv(maps, 3)), blocks)
    rules = (densenet.INSIDE,)
    return Network(body, rules=rules, size=32, least=4, name=f"cifar_densenet{kind}{depth}")


def dense_layers(depth: int, per_layer: int) -> int:
    """Layers of each of the three dense blocks; ValueError unless they are whole."""
    layers, rest = divmod(depth - 4, per_layer)
    if rest or layers < 1:
        raise ValueError(f"depth is {per_layer}n + 4 with n >= 1, not {depth}.")
    return layers


@cifar_builder("VGG", "The network of arXiv:1409.1556, table 1, narrower at its end.")
def VGG(
    depth: Literal[11, 13, 16, 19] = 16,
    *,
    column: str | None = None,
    normalization: Normalization = None,
    dropout: float = 0.5,
    width: int = 64,
    **arguments: Unpack[Arguments],
) -> Network:
    """depth: weight layers: 11, 13, 16 or 19. The max-pools end where one pixel is left; images
        of unknown size need 32.
    column: of table 1, as in VGG11 ... VGG19; None: the first with this depth.
    normalization: None (the paper), or "batch".
    dropout: after each of the two fully connected layers, of 8 * width units.
    width: filters of the first stage; the paper's is 64.
    """
    among("column", column, (*vgg.COLUMNS[depth], None))
    widths = tuple(width * n // 64 for n in vgg.WIDTHS)
    body = vgg.body(column or vgg.COLUMNS[depth][0], normalization, widths)
    head = alexnet.fully_connected(dropout, 8 * width, first=1)
    return Network(body, head, rules=vgg.RULES, size=32, least=4, name=f"cifar_vgg{depth}")


@cifar_builder("AlexNet", "AlexNet (2012), its first convolution 5x5 with stride 1.")
def AlexNet(
    *,
    towers: Literal[2, 1] = 2,
    dropout: float = 0.5,
    width: int | None = None,
    **arguments: Unpack[Arguments],
) -> Network:
    """towers: 2 (convolutions in two groups, response normalization) or 1, as in AlexNet.
    dropout: after each of the two fully connected layers.
    width: filters of the first convolution, in proportion to which all others change; None: the
        paper's, 96 with two towers and 64 with one.
    """
    table = alexnet.TWO_TOWERS if towers == 2 else alexnet.ONE_TOWER
    share = (width or table["conv1"][0]) / table["conv1"][0]
    scaled = {name: (even(row[0] * share), *row[1:]) for name, row in table.items()}
    scaled["conv1"] = (scaled["conv1"][0], 5, 1, 1, 0)
    one, two, three, four, five = (alexnet.convolution(n, *row) for n, row in scaled.items())
    first, second = (lrn(name=f"norm{i}") if towers == 2 else chain() for i in (1, 2))
    body = chain(
        one, first, halved("pool1"),
        two, second, halved("pool2"),
        three, four, five, halved("pool5"),
    )  # fmt: skip
    head = alexnet.fully_connected(dropout, even(4096 * share), bias=1 if towers == 2 else 0)
    return Network(body, head, rules=alexnet.gaussian(), size=32, least=4, name="cifar_alexnet")


def halved(name: str) -> Block:
    """Overlapping pooling, 32 -> 16 -> 8 -> 4."""
    return under(name, max_pool(3, 2, name=""))


def even(number: float) -> int:
    """The even number nearest to `number`, at least 2: filters come in two groups."""
    return max(2, 2 * round(number / 2))


@cifar_builder("GoogLeNet", "The network of arXiv:1409.4842, table 1, behind one 3x3 convolution.")
def GoogLeNet(
    *,
    auxiliary: bool = False,
    normalization: Normalization = None,
    dropout: float = 0.4,
    width: int = 64,
    **arguments: Unpack[Arguments],
) -> Network:
    """auxiliary: whether to add the two classifiers on top of modules 4a and 4d, which average the
        whole image: the outputs are [predictions, aux1, aux2].
    normalization: None (the paper), or "batch": in place of biases.
    dropout: before the classifier.
    width: filters of the paper's first convolution, in proportion to which all change: 64.
    """
    scaled = {
        name: inception_v1.Row(*(max(1, n * width // 64) for n in row))
        for name, row in inception_v1.TABLE_1.items()
    }
    pool = global_pool("avg", keepdims=True, name="pool")
    heads = inception_v1.auxiliary_heads(pool, 2 * width, 16 * width) if auxiliary else {}
    return Network(
        chain(inception_v1.unit("conv1", 3 * width, 3), inception_v1.modules(scaled)),
        dropout=dropout,
        auxiliary=heads,
        # Small images are halved, rounded up, to the last pixel.
        rules=(
            *without_norm(normalization),
            Rule("max_pool", {"padding": "same"}),
            *inception_v1.RULES,
        ),
        size=32,
        least=4,
        name="cifar_googlenet",
    )
