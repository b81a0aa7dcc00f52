"""The dialect of keras.applications against keras.applications itself."""

import json
import re

import keras
import numpy as np
import pytest

import keras_ilsvrc
from conftest import ROOT, without_values
from keras_ilsvrc import pretrained
from keras_ilsvrc.blocks import rules
from keras_ilsvrc.pretrained.keras_applications import DIALECTS

# name: their builder, side of the image (their least)
TWINS = {
    "vgg16": ("VGG16", 32),
    "vgg19": ("VGG19", 32),
    "resnet50": ("ResNet50", 32),
    "resnet101": ("ResNet101", 32),
    "resnet152": ("ResNet152", 32),
    "resnet50v2": ("ResNet50V2", 32),
    "resnet101v2": ("ResNet101V2", 32),
    "resnet152v2": ("ResNet152V2", 32),
    "inception_v3": ("InceptionV3", 75),
    "inception_resnet_v2": ("InceptionResNetV2", 75),
    "densenet121": ("DenseNet121", 32),
    "densenet169": ("DenseNet169", 32),
    "densenet201": ("DenseNet201", 32),
}
# Layers that Keras numbers itself, and padding, which ours has only where there is a stride.
UNNAMED = re.compile(
    r"(conv2d|batch_normalization|activation|max_pooling2d|average_pooling2d|zero_padding2d"
    r"|concatenate|custom_scale_layer|input_layer)(_\d+)?$|.*_pad$"
)


def theirs(name):
    builder, size = TWINS[name]
    return getattr(keras.applications, builder)(weights=None, input_shape=(size, size, 3))


def ours(name):
    size = TWINS[name][1]
    return pretrained.build(name, "keras", input_shape=(size, size, 3), kernel_initializer="zeros")


def scramble(model, seed=0):
    """Every weight random, biases and moving statistics included; signals neither die nor burst."""
    draw = np.random.default_rng(seed)

    def values(path, shape):
        if path.endswith("kernel"):
            return draw.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape)
        if path.endswith(("gamma", "moving_variance")):
            return draw.uniform(0.3, 0.7, shape) + 0.5 * path.endswith("variance")
        return draw.normal(0, 0.1, shape)

    model.set_weights([values(w.path, w.shape).astype("float32") for w in model.weights])


def tapped(model, names):
    """The outputs of the layers `names`, on two images."""
    size = model.input_shape[1]
    x = np.random.default_rng(1).uniform(-1, 1, (2, size, size, 3)).astype("float32")
    taps = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [keras.ops.convert_to_numpy(y) for y in taps(x, training=False)]


def named_layers(model):
    return [x.name for x in model.layers if not UNNAMED.match(x.name)]


def differences(name, model, twin):
    """Relative to the largest value of each tensor, by layer."""
    names = named_layers(twin)
    pairs = zip(names, tapped(model, names), tapped(twin, names), strict=True)
    found = {}
    for layer, a, b in pairs:
        assert np.abs(b).max() < 1e4
        found[layer] = np.abs(a - b).max() / np.abs(b).max()
    return found


@pytest.mark.parametrize("name", TWINS)
def test_equal_weights_give_equal_outputs_in_every_layer_that_has_a_name(name):
    twin, model = theirs(name), ours(name)
    scramble(twin)
    model.set_weights(twin.get_weights())
    found = differences(name, model, twin)
    assert "predictions" in found
    assert {layer: d for layer, d in found.items() if not d <= 1e-5} == {}


@pytest.mark.parametrize("name", ["resnet50", "resnet50v2", "inception_v3", "densenet121"])
def test_a_file_of_keras_applications_is_loaded_whole(name, tmp_path):
    """In Keras 2's format, which its published files have."""
    twin = theirs(name)
    scramble(twin)
    twin.save(tmp_path / "w.h5")
    options = {"input_shape": twin.input_shape[1:], "kernel_initializer": "zeros"}
    model = pretrained.load(name, "keras", tmp_path / "w.h5", **options)
    pairs = zip(model.get_weights(), twin.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_without_the_rule_of_strides_the_outputs_differ():
    """The negative control: the weights fit, and the test above would fail."""
    twin = theirs("resnet50v2")
    scramble(twin)
    dialect = [rule for rule in DIALECTS["resnet50v2"].rules if rule.kind != "stage"]
    with rules(*dialect):
        model = keras_ilsvrc.ResNet50V2(input_shape=(32, 32, 3), kernel_initializer="zeros")
    model.set_weights(twin.get_weights())
    names = ["conv2_block3_out", "predictions"]
    (_, a), (_, b) = tapped(model, names), tapped(twin, names)
    assert np.abs(a - b).max() > 1e-2 * np.abs(b).max()


@pytest.mark.parametrize("name", TWINS)
def test_the_names_on_file_are_keras_applications_own(name):
    names = json.loads((ROOT / "tests" / "names" / "keras.json").read_text())[name]
    twin = without_values(getattr(keras.applications, TWINS[name][0]), weights=None)
    assert [tuple(s) for s in names.values()] == [tuple(w.shape) for w in twin.weights]
    numbered = [re.sub(r"(_\d+)?/", "/", n) for n in names]
    assert numbered == [re.sub(r"(_\d+)?/", "/", w.path) for w in twin.weights]


def test_every_dialect_has_its_twin():
    assert set(DIALECTS) == set(TWINS)


def test_the_paper_s_form_has_other_weights():
    twin, model = theirs("resnet50"), ours("resnet50")
    paper = keras_ilsvrc.ResNet50(input_shape=(32, 32, 3), kernel_initializer="zeros")
    assert model.count_params() == twin.count_params() == 25_636_712
    assert paper.count_params() == 25_557_032 + 53_120


@pytest.mark.parametrize(("name", "source", "right"), [
    ("resnet50", "zoo", "'keras'"),
    ("resnet18", "keras", "resnet50"),
    ("resnet51", "keras", "resnet50"),
])  # fmt: skip
def test_wrong_names_and_sources_name_the_right_ones(name, source, right):
    with pytest.raises(ValueError, match=right):
        pretrained.build(name, source)


def test_names_of_builders_are_names_too():
    model = pretrained.build("ResNet50", input_shape=(32, 32, 3), kernel_initializer="zeros")
    assert model.name == "resnet50"
    assert model.get_layer("conv1_conv").use_bias


@pytest.mark.parametrize("name", ["vgg16", "inception_v3"])
def test_the_dialect_has_no_dropout_where_they_have_none(name):
    assert not any(isinstance(x, keras.layers.Dropout) for x in ours(name).layers)


def test_a_reader_s_wish_stands_above_the_dialect():
    model = ours("resnet50")
    assert not keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel).any()
    assert keras.ops.convert_to_numpy(
        pretrained.build("resnet50", input_shape=(32, 32, 3)).get_layer("conv1_conv").kernel
    ).any()
