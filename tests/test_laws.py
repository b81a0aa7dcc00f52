"""What holds for all networks: the ceremony around them, and the sizes of their maps.

Most of it is said of graphs without weights, which cost no time: see `drawn`.
"""

import importlib
import inspect
import math
import pickle
from contextlib import contextmanager
from functools import cache

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_ilsvrc
from conftest import without_values
from keras_ilsvrc import assembly, catalog, cifar, inception_v3, resnet, resnet_v2
from keras_ilsvrc.blocks import Rule, chain, rules, under


def builders(room):
    return {name: value for name, value in vars(room).items() if hasattr(value, "__signature__")}


IMAGENET = builders(keras_ilsvrc)
ALL = {**IMAGENET, **{f"cifar.{name}": builder for name, builder in builders(cifar).items()}}
# The smallest depth, where one has to be given.
DEPTHS = {"ResNet": 8, "PlainNet": 8, "SEResNet": 8, "ResNetV2": 8, "DenseNet": 10}
NEEDED = {f"cifar.{name}": {"depth": depth} for name, depth in DEPTHS.items()}
AUXILIARY = ("GoogLeNet", "InceptionV3", "cifar.GoogLeNet")
KERNELS = keras.layers.Conv2D, keras.layers.Dense


def build(name, **options):
    return ALL[name](**{**NEEDED.get(name, {}), **options})


def drawn(name, **options):
    """The network's graph: its variables have shapes and no values."""
    return without_values(build, name, **options)


@cache
def default(name):
    return drawn(name)


@contextmanager
def data_format(name):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(name)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def outputs(model, x):
    """As arrays; run layer by layer: compiling takes longer than one small batch."""
    found = model(keras.ops.convert_to_tensor(x), training=False)
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(found)]


def scramble(model):
    """Weights that leave nothing out: moving averages, scales and shifts are those of no start."""
    rng = np.random.default_rng(0)

    def drawn_for(weight):
        if weight.path.endswith(("gamma", "moving_variance")):
            return rng.uniform(0.5, 1.5, weight.shape)
        spread = math.sqrt(2 / math.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
        return rng.normal(0, spread, weight.shape)

    model.set_weights([drawn_for(weight) for weight in model.weights])
    return model


# --- sizes -------------------------------------------------------------------------------------


def ceiling(n, by=32):
    return -(-n // by)


def valid(n, kernel, stride):
    """A window without padding."""
    return (n - kernel) // stride + 1


def halved(n, times):
    """3x3 windows without padding, 2 pixels apart."""
    for _ in range(times):
        n = valid(n, 3, 2)
    return n


def zfnet(n):
    return valid(ceiling(valid(ceiling(valid(n + 2, 7, 2), 2), 5, 2), 2), 3, 2)


def inception(n):
    return halved(halved(halved(n, 1) - 2, 1) - 2, 3)


def densenet(n):
    return ceiling(n, 4) // 8


# The least side, and from a side of the image to that of the feature maps, where the two are not
# 32 and a 32nd, rounded up.
GRIDS = {
    "AlexNet": (67, lambda n: halved(valid(n, 11, 4), 3)),
    "ZFNet": (53, zfnet),
    **dict.fromkeys(("VGG11", "VGG13", "VGG16", "VGG19"), (32, lambda n: n // 32)),
    **dict.fromkeys(
        ("InceptionV3", "InceptionV4", "InceptionResNetV1", "InceptionResNetV2"), (75, inception)
    ),
    **{f"DenseNet{depth}": (32, densenet) for depth in (121, 161, 169, 201, 264)},
}


def grid(name):
    return GRIDS.get(name, (32, ceiling))


def bare(name, *shape, **options):
    return drawn(name, include_top=False, input_shape=shape, **options)


# One of each file, and those that are put together differently.
FAMILIES = (
    "AlexNet", "ZFNet", "VGG11", "GoogLeNet", "InceptionV2", "InceptionV3", "InceptionV4",
    "InceptionResNetV1", "ResNet18", "ResNet50", "ResNet50V2", "ResNeXt50", "DenseNet121",
    "SEResNet50", "SEInceptionV2", "SENet154",
)  # fmt: skip


@pytest.mark.parametrize("name", [*FAMILIES, "InceptionResNetV2"])
def test_the_least_image_gives_one_pixel_and_a_smaller_one_is_refused(name):
    least, _ = grid(name)
    assert bare(name, least, least, 3).output_shape[1:3] == (1, 1)
    for height, width in ((least - 1, 500), (500, least - 1)):
        with pytest.raises(ValueError, match=f"at least {least}"):
            bare(name, height, width, 3)


def test_alexnet_with_one_tower_takes_63_pixels():
    assert bare("AlexNet", 63, 63, 3, towers=1).output_shape == (None, 1, 1, 256)
    with pytest.raises(ValueError, match="at least 63"):
        bare("AlexNet", 62, 63, 3, towers=1)


@settings(max_examples=20)
@given(st.sampled_from(FAMILIES), st.integers(0, 90), st.integers(0, 90), st.integers(1, 5))
def test_maps_of_all_sizes_are_those_of_the_paper_s_strides(name, taller, wider, depth):
    least, side = grid(name)
    height, width = least + taller, least + wider
    model = bare(name, height, width, depth)
    assert model.output_shape[1:3] == (side(height), side(width))


@pytest.mark.parametrize("name", ["AlexNet", "ZFNet", "VGG11", "InceptionResNetV1", "ResNet18"])
def test_the_least_image_is_computed(name):
    least, _ = grid(name)
    options = {"include_top": False, "pooling": "max", "kernel_initializer": "zeros"}
    model = build(name, input_shape=(least, least, 3), **options)
    (y,) = outputs(model, noise(1, least, least, 3))
    assert y.shape == (1, model.output_shape[-1])
    assert np.isfinite(y).all()


@settings(max_examples=6)
@given(
    st.sampled_from(FAMILIES),
    st.integers(1, 5),
    st.integers(1, 9),
    st.sampled_from(("avg", "max")),
)
def test_classes_and_pooling_give_vectors(name, depth, classes, pooling):
    least, _ = grid(name)
    shape = (least, least, depth)
    assert drawn(name, input_shape=shape, classes=classes).output_shape == (None, classes)
    vectors = bare(name, None, None, depth, pooling=pooling)
    assert vectors.output_shape == (None, bare(name, *shape).output_shape[-1])


# From the options of a CIFAR network to the side, and to the channels, of its feature maps.
CIFAR = {
    "cifar.ResNet": st.fixed_dictionaries(
        {"depth": st.sampled_from((8, 14)), "shortcut": st.sampled_from(("A", "B", "C", None))}
    ),
    "cifar.PlainNet": st.fixed_dictionaries({"normalization": st.sampled_from((None, "batch"))}),
    "cifar.SEResNet": st.fixed_dictionaries({"se_ratio": st.sampled_from((None, 1, 2, 16))}),
    "cifar.ResNetV2": st.fixed_dictionaries(
        {
            "depth": st.sampled_from((20, 38)),  # 6n + 2 and 9n + 2
            "bottleneck": st.booleans(),
            "shortcut": st.sampled_from(("paper", "A", "B", "C", None)),
            "activation_order": st.sampled_from(("original", "full pre-activation")),
        }
    ),
    "cifar.DenseNet": st.fixed_dictionaries(
        {"depth": st.sampled_from((10, 16)), "bottleneck": st.booleans()}
    ),
    "cifar.AlexNet": st.fixed_dictionaries({"towers": st.sampled_from((1, 2))}),
    "cifar.GoogLeNet": st.fixed_dictionaries({"auxiliary": st.booleans()}),
    "cifar.VGG": st.fixed_dictionaries(
        {
            "depth": st.sampled_from((11, 13, 16, 19)),
            "normalization": st.sampled_from((None, "batch")),
        }
    ),
}


def cifar_side(name, n):
    """Images are halved twice; AlexNet's three times, VGG's down to a pixel."""
    if name == "cifar.VGG":
        return max(1, n // 32)
    return n // 4 if name == "cifar.DenseNet" else ceiling(n, 8 if "Alex" in name else 4)


cifar_networks = st.sampled_from(sorted(CIFAR)).flatmap(
    lambda name: st.tuples(st.just(name), CIFAR[name])
)


@settings(max_examples=25)
@given(
    cifar_networks,
    st.integers(4, 40),
    st.integers(1, 4),
    st.integers(2, 12),
    st.integers(2, 9),
)
def test_every_option_gives_the_predicted_shape(network, size, depth, classes, width):
    name, options = network
    options |= {"width": width, "input_shape": (size, size, depth)}
    model = drawn(name, classes=classes, **options)
    assert {y.shape for y in model.outputs} == {(None, classes)}
    if not options.pop("auxiliary", False):
        side = cifar_side(name, size)
        assert drawn(name, include_top=False, **options).output_shape[1:3] == (side, side)


@pytest.mark.parametrize("name", CIFAR)
def test_four_pixels_are_computed(name):
    model = build(name, input_shape=(4, 4, 2), width=4, classes=3, kernel_initializer="zeros")
    (y,) = outputs(model, noise(2, 4, 4, 2))
    assert np.abs(y - np.full((2, 3), 1 / 3)).max() < 1e-6, "all classes are alike to zeros"
    with pytest.raises(ValueError, match="at least 4"):
        drawn(name, input_shape=(3, 4, 3))


# --- dilation ----------------------------------------------------------------------------------

DILATED = [
    ("ResNet18", {}), ("ResNet50", {"stride_on": "1x1"}), ("ResNet50", {"stride_on": "3x3"}),
    ("ResNet50V2", {"stride_on": "1x1"}), ("ResNet50V2", {"stride_on": "3x3"}),
    ("ResNeXt50", {}), ("SEResNet50", {"stride_on": "1x1"}), ("SEResNet50", {"stride_on": "3x3"}),
    ("SEResNeXt50", {}), ("SENet154", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), DILATED)
def test_output_stride_changes_the_maps_and_not_the_weights(name, options):
    usual, *dilated = (bare(name, 64, 96, 3, output_stride=n, **options) for n in (32, 16, 8))
    shapes = [(w.path, w.shape) for w in usual.weights]
    assert usual.output_shape[1:3] == (2, 3)
    for model, side in zip(dilated, ((4, 6), (8, 12)), strict=True):
        assert [(w.path, w.shape) for w in model.weights] == shapes
        assert model.output_shape[1:3] == side


@pytest.fixture
def shallow(monkeypatch):
    """As few blocks as have all the steps that there are."""
    blocks = (1, 1, 1, 2)
    for depth in (50, 152):
        monkeypatch.setitem(resnet.TABLE_1, depth, (resnet.bottleneck, 4, blocks))
        monkeypatch.setitem(resnet_v2.IMAGENET, depth, blocks)


def fixed_gates(model):
    """A gate that hears the mean of a map hears another one where the map has more pixels."""
    for weight in model.weights:
        if weight.path.endswith("se_expand/kernel"):
            weight.assign(np.zeros(weight.shape))


@pytest.mark.parametrize(("name", "options"), [row for row in DILATED if row[0] != "SEResNeXt50"])
def test_dilated_maps_hold_the_strided_ones(shallow, name, options):
    if name == "ResNet50":  # its table was read when it was defined
        name, options = "SEResNet50", {**options, "se_ratio": None}
    shape = {"include_top": False, "input_shape": (64, 64, 3), "kernel_initializer": "zeros"}
    usual = scramble(build(name, **options, **shape))
    fixed_gates(usual)
    x = noise(1, 64, 64, 3)
    (y,) = outputs(usual, x)
    for stride in (16, 8) if name == "ResNet18" else (8,):
        dilated = build(name, output_stride=stride, **options, **shape)
        dilated.set_weights(usual.get_weights())
        (z,) = outputs(dilated, x)
        apart = 32 // stride
        assert np.abs(z[:, ::apart, ::apart] - y).max() <= 1e-5 * np.abs(y).max()
        assert np.abs(z[:, 1::apart, 1::apart] - y).max() > 1e-2 * np.abs(y).max()


# --- data formats ------------------------------------------------------------------------------

SMALL = [
    ("cifar.VGG", {"depth": 11}), ("cifar.VGG", {"depth": 11, "normalization": "batch"}),
    ("cifar.AlexNet", {"towers": 2}), ("cifar.AlexNet", {"towers": 1}),
    ("cifar.GoogLeNet", {"auxiliary": True}),
    ("cifar.ResNet", {"shortcut": "A"}), ("cifar.ResNet", {"shortcut": "B"}),
    ("cifar.PlainNet", {"normalization": None}),
    *(("cifar.ResNetV2", {"activation_order": order}) for order in resnet_v2.FIGURE_4),
    ("cifar.ResNetV2", {"depth": 11, "bottleneck": True}),
    ("cifar.DenseNet", {"growth": 4}), ("cifar.SEResNet", {"se_ratio": 2}),
]  # fmt: skip


def same_in_both_formats(network, side):
    """`network` gives a model for a shape of images."""
    last, x = scramble(network((side, side, 3))), noise(2, side, side, 3)
    with data_format("channels_first"):
        first = network((3, side, side))
        first.set_weights(last.get_weights())
        found = [
            y if y.ndim < 4 else y.transpose(0, 2, 3, 1)
            for y in outputs(first, x.transpose(0, 3, 1, 2))
        ]
    for y, z in zip(outputs(last, x), found, strict=True):
        assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()
        assert np.abs(y[0] - y[1]).max() > 1e-4 * np.abs(y).max(), "two images, two answers"


@pytest.mark.parametrize(("name", "options"), SMALL)
def test_both_data_formats_give_the_same_numbers(name, options):
    options = {"classifier_activation": None, "kernel_initializer": "zeros", **options}
    options |= {} if name == "cifar.DenseNet" else {"width": 8}
    # Sides of 9, 5, 3, 2 and 1 pixels: on TensorFlow, Keras 3.15 adds the biases of channels-first
    # images along the width where it is as large as the number of channels.
    same_in_both_formats(lambda shape: build(name, input_shape=shape, **options), 9)


def test_inception_modules_give_the_same_numbers_in_both_data_formats():
    def network(shape):
        image = keras.Input(shape)
        modules = inception_v3.module_a(8), inception_v3.reduction_b()
        named = (under(i, module) for i, module in enumerate(modules))
        with rules(Rule("conv", {"kernel_initializer": "zeros"}), *inception_v3.RULES):
            return keras.Model(image, chain(*named)(image))

    same_in_both_formats(network, 9)


@pytest.mark.parametrize("name", FAMILIES)
def test_channels_first_moves_the_channels_and_nothing_else(name):
    least, _ = grid(name)
    usual = bare(name, least + 40, least, 2)
    with data_format("channels_first"):
        moved = bare(name, 2, least + 40, least)
        with pytest.raises(ValueError, match="at least"):
            bare(name, 500, 500, 3)
    batch, height, width, channels = usual.output_shape
    assert moved.output_shape == (batch, channels, height, width)
    assert [w.shape for w in moved.weights] == [w.shape for w in usual.weights]


# --- builders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_builder_takes_what_keras_applications_takes_in_its_order(name):
    parameters = dict(inspect.signature(ALL[name]).parameters)
    for own in NEEDED.get(name, ()):
        del parameters[own]
    if name == "cifar.VGG":
        del parameters["depth"]
    theirs = [*inspect.signature(keras.applications.ResNet50).parameters][:8]
    assert theirs[0] == "include_top"
    assert theirs[-1] == "name"
    assert [*parameters][:8] == theirs
    assert parameters["weights"].default is None, "nothing is downloaded unasked"
    assert parameters["classes"].default == (10 if name.startswith("cifar.") else 1000)
    assert {p.kind for p in [*parameters.values()][8:]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", ALL)
def test_a_saved_model_names_classes_of_keras_alone(name):
    """Where this package is not imported, these are what a file is opened with."""
    saved = [keras.saving.serialize_keras_object(x) for x in default(name).operations]
    assert saved
    for layer in saved:
        assert layer["module"].split(".")[0] == "keras", layer
        assert hasattr(importlib.import_module(layer["module"]), layer["class_name"]), layer


def test_type_checkers_see_the_arguments_that_builders_have():
    """tests/typed_builders.py has what they make of them."""
    standard = [*inspect.signature(assembly.assemble).parameters.values()][1:]
    assert list(assembly.Arguments.__annotations__) == [p.name for p in standard]
    assert list(assembly.Arguments.__annotations__.values()) == [p.annotation for p in standard]
    _, *typed = inspect.signature(assembly.StandardBuilder.__call__).parameters.values()
    positional = [p for p in standard if p.kind is not p.KEYWORD_ONLY]
    assert [p.replace(kind=p.POSITIONAL_ONLY) for p in positional] == typed[: len(positional)]
    assert [p.name for p in typed[len(positional) :]] == ["args", "kwargs"]


def test_builders_cannot_load_weights_outside_the_package():
    with pytest.raises(RuntimeError, match="keras_ilsvrc"):
        assembly.no_loader(keras_ilsvrc.VGG11, {})


@pytest.mark.parametrize("name", ALL)
def test_a_builder_says_what_it_takes_and_survives_a_pickle(name):
    builder = ALL[name]
    documented = inspect.getdoc(builder)
    for parameter in inspect.signature(builder).parameters:
        assert f"\n    {parameter}: " in documented, parameter
    assert pickle.loads(pickle.dumps(builder)) is builder
    with pytest.raises(TypeError, match=r"colour.*it takes .*include_top"):
        build(name, colour="red")


@pytest.mark.parametrize("name", ALL)
def test_a_model_is_flat_and_has_the_catalog_s_name(name):
    model = default(name)
    assert not [x for x in model.layers if isinstance(x, keras.Model)]
    names = [x.name for x in model.layers]
    assert len(names) == len({*names})
    assert name not in IMAGENET or model.name == catalog.entry(name).name
    assert not name.startswith("cifar.") or model.name.startswith("cifar_")
    side = 32 if name.startswith("cifar.") else catalog.entry(name).input_size
    assert model.input_shape == (None, side, side, 3)


@pytest.mark.parametrize("name", catalog.list_models("cifar_*[05]"))
def test_cifar_models_have_the_catalog_s_names(name):
    assert without_values(catalog.get_model, name).name == name
    assert without_values(catalog.get_model, name, name="mine").name == "mine"


# --- weights -----------------------------------------------------------------------------------


def tiny(**options):
    return cifar.ResNet(8, width=2, **options)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "net.weights.h5"
    scramble(tiny()).save_weights(path)
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_weights_come_back_from_a_file(file, kind):
    x = noise(2, 32, 32, 3)
    (y,), (z,) = outputs(scramble(tiny()), x), outputs(tiny(weights=kind(file)), x)
    assert (y == z).all()


@pytest.mark.parametrize("options", [{"width": 3}, {"depth": 14}, {"shortcut": "B"}])
def test_weights_of_another_network_are_refused_by_the_file_s_name(file, options):
    with pytest.raises(ValueError, match=r"net\.weights\.h5.*does not fit 'cifar_resnet"):
        cifar.ResNet(**{"depth": 8, "width": 2, **options}, weights=file)


def test_what_is_no_weights_file_is_refused_by_its_name(tmp_path):
    (tmp_path / "text.weights.h5").write_text("weights")
    with pytest.raises(ValueError, match=r"text\.weights\.h5"):
        tiny(weights=tmp_path / "text.weights.h5")
    for absent in (tmp_path, tmp_path / "none.weights.h5", 3):
        with pytest.raises(ValueError, match=r"weights is None, a source.* there is no file"):
            tiny(weights=absent)


# --- input -------------------------------------------------------------------------------------


def test_a_network_is_built_on_the_tensors_of_another():
    image = keras.Input((None, None, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    model = drawn("ResNet18", include_top=False, pooling="avg", input_tensor=scaled)
    assert model.inputs[0] is image
    assert model.output_shape == (None, 512)


def test_what_stands_before_a_network_is_computed():
    image = keras.Input((8, 8, 3))
    whole = scramble(tiny(input_tensor=keras.layers.Rescaling(1 / 255)(image)))
    alone = tiny(input_shape=(8, 8, 3))
    alone.set_weights(whole.get_weights())
    x = noise(2, 8, 8, 3)
    (y,), (z,) = outputs(whole, 255 * x), outputs(alone, x)
    assert np.abs(y - z).max() < 1e-5


def test_heads_in_the_middle_hear_a_network_built_on_another_s_tensors():
    image = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    model = drawn("cifar.GoogLeNet", auxiliary=True, width=4, input_tensor=scaled)
    assert model.inputs[0] is image
    assert len(model.outputs) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_tensor": noise(1, 32, 32, 3)}, "is a Keras tensor"),
        ({"input_tensor": "image"}, "is a Keras tensor"),
        ({"input_tensor": keras.Input((32,))}, "input_tensor's shape has three members"),
        ({"input_tensor": keras.Input((3, 32, 3))}, "input_tensor's shape.* at least 4"),
        ({"input_tensor": keras.Input((None, None, 3))}, "must state height and width"),
        (
            {"input_tensor": keras.Input((32, 32, 3)), "input_shape": (64, 64, 3)},
            r"input_shape \(64, 64, 3\) contradicts the input_tensor's \(32, 32, 3\)",
        ),
        ({"input_shape": (32, 32)}, "input_shape has three members"),
        ({"input_shape": 32}, "input_shape has three members"),
        ({"input_shape": (32, 32, None)}, "must state its number of channels"),
        ({"input_shape": (32, 32, 0)}, "must state its number of channels"),
        ({"input_shape": (0, 32, 32)}, "is too small"),
        ({"input_shape": (None, 32, 3)}, "must state height and width"),
    ],
)
def test_wrong_images_are_named_beside_right_ones(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, None, None), None),
        ((1, 64, 64), None),
        ((4, None, 64), None),
        ((0, 64, 64), "must state its number of channels, 1 or more, first"),
        ((None, 64, 64), "must state its number of channels"),
        ((64, 64, 3), "is too small"),
    ],
)
def test_channels_first_shapes_state_their_channels_first(shape, message):
    with data_format("channels_first"):
        if message:
            with pytest.raises(ValueError, match=message):
                keras_ilsvrc.ResNet18(include_top=False, input_shape=shape)
        else:
            for options in ({"input_shape": shape}, {"input_tensor": keras.Input(shape)}):
                model = without_values(keras_ilsvrc.ResNet18, include_top=False, **options)
                assert model.input_shape == (None, *shape)


def test_a_tensor_may_be_given_with_its_own_shape():
    given_shape = {"input_tensor": keras.Input((32, 32, 3)), "input_shape": (32, 32, 3)}
    assert drawn("cifar.ResNet", **given_shape).output_shape == (None, 10)


# --- options -----------------------------------------------------------------------------------

DROPPING = sorted(n for n in ALL if "dropout" in inspect.signature(ALL[n]).parameters)
WIDE = sorted(n for n in ALL if "width" in inspect.signature(ALL[n]).parameters)
NORMALIZED = sorted(n for n in ALL if "normalization" in inspect.signature(ALL[n]).parameters)
STRIDING = sorted(n for n in ALL if "output_stride" in inspect.signature(ALL[n]).parameters)
GATED = sorted(n for n in ALL if "se_ratio" in inspect.signature(ALL[n]).parameters)
CUT = sorted(n for n in ALL if "shortcut" in inspect.signature(ALL[n]).parameters)


def wrong(names, option, values, message):
    return [(name, {option: value}, message) for name in names for value in values]


WRONG = [
    *wrong(["cifar.ResNet"], "classes", (0, -1, 2.5, True, "10", None), "positive whole number"),
    *wrong(["cifar.ResNet"], "weight_decay", (-1e-4, "0", float("nan")), "0 or a positive number"),
    *wrong(CUT, "shortcut", ("D", "a", 1), """.A., .B., .C.( or|,) None"""),
    *wrong(NORMALIZED, "normalization", ("layer", True), "normalization is .*batch"),
    *wrong(STRIDING, "output_stride", (4, 64, None), "8, 16 or 32"),
    *wrong(GATED, "se_ratio", (0, -16, 2.5, "16"), "positive whole number or None"),
    *wrong(["ResNet50", "ResNet50V2", "SEResNet50"], "stride_on", ("2x2", None), "'1x1' or '3x3'"),
    *wrong(["ResNet50V2", "cifar.ResNetV2"], "activation_order", ("pre", None), "'original', "),
    *wrong(["ResNeXt50", "SEResNeXt50"], "cardinality", (3, 0, None), "1, 2, 4, 8, 32"),
    *wrong(["AlexNet", "cifar.AlexNet"], "towers", (0, 3, "2"), "towers is 2 or 1"),
    *wrong(["VGG11"], "column", ("B", None), "'A' or 'A-LRN'"),
    *wrong(["VGG16", "cifar.VGG"], "column", ("A", "E"), "'D'(,| or) 'C'"),
    *wrong(["DenseNet121", "cifar.DenseNet"], "growth", (0, -12, 2.5), "positive whole number"),
    *wrong(["cifar.DenseNet"], "compression", (0, -0.5, 1.5), "compression is (above )?0"),
    *wrong(["cifar.DenseNet"], "depth", (4, 12, 41), r"6n \+ 4"),
    *wrong(["cifar.VGG"], "depth", (12, 16.0, "16", None), "11, 13, 16 or 19"),
    *wrong(["cifar.ResNet", "cifar.PlainNet", "cifar.SEResNet", "cifar.ResNetV2"],
           "depth", (2, 21), r"6n \+ 2"),
    *wrong(["cifar.ResNet", "cifar.PlainNet", "cifar.SEResNet", "cifar.ResNetV2", "cifar.DenseNet"],
           "depth", (20.0, "20", None), "depth is a positive whole number"),
    *wrong(["cifar.ResNetV2"], "depth", (165, 1000), r"9n \+ 2"),
    *wrong(DROPPING, "dropout", (1.0,), "dropout"),
    *wrong(["cifar.VGG"], "dropout", (1.5, -0.1, "0.5", None), "dropout"),
    *wrong(WIDE, "width", (0, 2.5), "width"),
    *wrong(["cifar.VGG", "cifar.AlexNet"], "width", (-8, "16"), "width"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "message"), WRONG)
def test_wrong_options_are_answered_with_right_ones(name, options, message):
    with pytest.raises(ValueError, match=message):
        drawn(name, **options)


def test_pooling_is_of_images_and_not_of_classes():
    with pytest.raises(ValueError, match="None, 'avg' or 'max', not 'mean'"):
        tiny(include_top=False, pooling="mean")
    assert tiny(pooling="avg").output_shape == (None, 10)


def test_numpy_s_whole_numbers_are_whole_numbers():
    eight = np.int64(8)
    model = drawn("cifar.ResNet", depth=eight, width=eight, classes=eight)
    assert model.output_shape == (None, 8)
    assert drawn("cifar.SEResNet", se_ratio=eight).output_shape == (None, 10)
    assert drawn("cifar.DenseNet", growth=eight).output_shape == (None, 10)


@pytest.mark.parametrize("name", [*FAMILIES, *CIFAR])
def test_wishes_reach_all_kernels_and_nothing_else(name):
    half = keras.initializers.Constant(0.5)
    model = drawn(name, kernel_initializer=half, weight_decay=1e-4)
    layers = [x for x in model.layers if isinstance(x, KERNELS)]
    assert all(x.kernel_initializer.get_config() == half.get_config() for x in layers)
    assert {round(float(x.kernel_regularizer.l2), 9) for x in layers} == {5e-5}
    regularized = {w.path for w in model.weights if w.regularizer is not None}
    assert regularized == {x.kernel.path for x in layers}


def test_weight_decay_adds_half_of_it_times_the_squares_of_kernels():
    model = scramble(cifar.SEResNet(8, width=4, se_ratio=2, weight_decay=0.1))
    kernels = [w for w in model.get_weights() if w.ndim > 1]
    expected = 0.05 * sum((kernel.astype("float64") ** 2).sum() for kernel in kernels)
    assert len(model.losses) == len(kernels)
    assert keras.ops.convert_to_numpy(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert not tiny().losses


def test_a_kernel_is_as_its_initializer_says():
    model = tiny(kernel_initializer=keras.initializers.Constant(0.5))
    for weight, value in zip(model.weights, model.get_weights(), strict=True):
        assert (value == 0.5).all() == weight.path.endswith("kernel")


# --- auxiliary classifiers ---------------------------------------------------------------------


@pytest.mark.parametrize("name", AUXILIARY)
def test_auxiliary_classifiers_follow_the_predictions(name):
    model = drawn(name, auxiliary=True, classes=7)
    heads = ["predictions", "aux1", "aux2"][: len(model.outputs)]
    assert len(heads) == (2 if name == "InceptionV3" else 3)
    assert model.output_names == heads
    assert {y.shape for y in model.outputs} == {(None, 7)}
    with pytest.raises(ValueError, match="needs include_top=True"):
        drawn(name, auxiliary=True, include_top=False)


def test_auxiliary_classifiers_need_images_that_reach_them():
    """Of GoogLeNet those whose maps have 5 pixels a side, as its average pooling, and no fewer."""
    assert drawn("GoogLeNet", auxiliary=True, input_shape=(79, 79, 3)).outputs[1].shape[1] == 1000
    for size, side in ((79, 5), (78, 4)):
        maps = drawn("GoogLeNet", input_shape=(size, size, 3)).get_layer("inception_4a_concat")
        assert maps.output.shape[1:3] == (side, side)
    for name, least in (("GoogLeNet", 79), ("InceptionV3", 299)):
        with pytest.raises(ValueError, match=f"at least {least}"):
            drawn(name, auxiliary=True, input_shape=(least - 1, least - 1, 3))


@pytest.mark.parametrize("name", AUXILIARY)
def test_under_mixed_precision_all_heads_compute_in_float32(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build(name, kernel_initializer="zeros", auxiliary=True)
    finally:
        keras.config.set_dtype_policy(before)
    heads = [model.get_layer(head) for head in model.output_names]
    assert {head.compute_dtype for head in heads} == {"float32"}
    rest = {x.compute_dtype for x in model.layers if isinstance(x, KERNELS) and x not in heads}
    assert rest == {"float16"}


def kernels(model):
    return [
        keras.ops.convert_to_numpy(x.kernel)
        for x in model.layers
        if isinstance(x, keras.layers.Conv2D)
    ]


@pytest.mark.parametrize("initializer", [None, "he_normal", keras.initializers.HeNormal()])
def test_no_two_kernels_start_from_the_same_values(initializer):
    model = cifar.ResNet(14, width=2, kernel_initializer=initializer)
    assert len({x.tobytes() for x in kernels(model)}) == 13


@pytest.mark.parametrize("build", [cifar.AlexNet, cifar.VGG, cifar.GoogLeNet])
def test_the_seed_governs_the_start(build):
    def start(seed):
        keras.utils.set_random_seed(seed)
        return kernels(build(width=4))[0]

    assert (start(1) == start(1)).all()
    assert (start(1) != start(2)).any()


def test_a_damaged_weights_file_is_named(tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"bad\.keras"):
        cifar.ResNet(8, weights=tmp_path / "bad.keras")
