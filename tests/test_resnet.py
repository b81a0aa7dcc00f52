"""The residual networks against their paper."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_ilsvrc
from keras_ilsvrc import cifar

# Trainable parameters. The paper states them to two digits: section 4.2, table 6 (0.27 M, 0.46 M,
# 0.66 M, 0.85 M, 1.7 M); the exact ones are arithmetic on its tables, counted independently.
CIFAR_PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
IMAGENET_PARAMETERS = {
    ("ResNet18", "A"): 11_515_688,
    ("ResNet18", "B"): 11_689_512,
    ("ResNet18", "C"): 12_043_816,
    ("ResNet34", "A"): 21_623_848,
    ("ResNet34", "B"): 21_797_672,
    ("ResNet34", "C"): 22_716_840,
    ("ResNet50", "B"): 25_557_032,
    ("ResNet101", "B"): 44_549_160,
    ("ResNet152", "B"): 60_192_808,
}


def parameters(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def weight_layers(model):
    """Convolutions and dense layers on the main path: projections are named 0."""
    kinds = keras.layers.Conv2D, keras.layers.Dense
    return sum(isinstance(x, kinds) and "_0_" not in x.name for x in model.layers)


@pytest.mark.parametrize("depth", CIFAR_PARAMETERS)
def test_cifar_parameters_plain_and_option_a_alike(depth):
    assert parameters(cifar.ResNet(depth)) == CIFAR_PARAMETERS[depth]
    assert parameters(cifar.PlainNet(depth)) == CIFAR_PARAMETERS[depth]


@pytest.mark.parametrize(("shortcut", "count"), [("B", 272_474), ("C", 283_962)])
def test_cifar_projections_have_parameters(shortcut, count):
    assert parameters(cifar.ResNet(20, shortcut)) == count


@pytest.mark.parametrize(("name", "shortcut"), IMAGENET_PARAMETERS)
def test_imagenet_parameters(name, shortcut):
    model = getattr(keras_ilsvrc, name)(shortcut=shortcut)
    assert parameters(model) == IMAGENET_PARAMETERS[name, shortcut]
    assert weight_layers(model) == int(name[len("ResNet") :])


def test_a_plain_net_is_the_residual_net_without_its_additions():
    plain, residual = cifar.PlainNet(20), cifar.ResNet(20)
    shortcuts = [x.name for x in residual.layers if x.name.endswith("_add") or "_0_" in x.name]
    kept = {x.name for x in residual.layers} - set(shortcuts)
    assert {x.name for x in plain.layers[1:]} == {
        name for name in kept if not name.startswith("input")
    }


def test_stages_of_table_1():
    model = keras_ilsvrc.ResNet50(include_top=False)
    ends = [model.get_layer(f"conv{i}_block{n}_out") for i, n in enumerate((3, 4, 6, 3), 2)]
    assert [e.output.shape[1:] for e in ends] == [
        (56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048),
    ]  # fmt: skip


def test_layer_names_are_those_of_keras_applications():
    theirs = keras.applications.ResNet50(weights=None)
    ours = keras_ilsvrc.ResNet50()
    assert [x.name for x in ours.layers[1:]] == [x.name for x in theirs.layers[1:]]


def test_layer_names_would_differ_for_another_depth():
    theirs = keras.applications.ResNet101(weights=None)
    assert [x.name for x in keras_ilsvrc.ResNet50().layers] != [x.name for x in theirs.layers]


@pytest.mark.parametrize("depth", [7, 12, 21, 55, 0, -4])
def test_wrong_depths_are_named_with_the_nearest(depth):
    right = {8, 14, 20, 26, 50, 56}
    with pytest.raises(ValueError, match="6n") as error:
        cifar.ResNet(depth)
    named = {int(word) for word in str(error.value).split("nearest: ")[1].strip(".").split(" and ")}
    assert named <= right
    assert min(abs(depth - d) for d in named) == min(abs(depth - d) for d in right)


@pytest.mark.parametrize("depth", [20.0, "20", None])
def test_depth_is_a_whole_number(depth):
    with pytest.raises(ValueError, match="whole number"):
        cifar.PlainNet(depth)


def test_numpy_s_whole_numbers_are_whole_numbers():
    assert cifar.ResNet(np.int64(8), width=2).output_shape == (None, 10)


def test_wrong_arguments_name_the_right_ones():
    with pytest.raises(ValueError, match='"A", "B", "C" or None'):
        cifar.ResNet(20, "D")
    with pytest.raises(ValueError, match="at least 32"):
        keras_ilsvrc.ResNet18(input_shape=(31, 64, 3))
    with pytest.raises(ValueError, match="three members"):
        keras_ilsvrc.ResNet18(input_shape=(64, 64))
    with pytest.raises(ValueError, match="number of channels"):
        keras_ilsvrc.ResNet18(input_shape=(64, 64, None))
    with pytest.raises(ValueError, match="'avg' or 'max'"):
        keras_ilsvrc.ResNet18(include_top=False, pooling="mean")
    with pytest.raises(ValueError, match="positive whole number"):
        keras_ilsvrc.ResNet18(classes=0)
    with pytest.raises(ValueError, match="no file"):
        keras_ilsvrc.ResNet18(weights="imagenet")


@settings(max_examples=8)
@given(
    st.sampled_from((8, 14)),
    st.sampled_from(("A", "B", "C", None)),
    st.integers(4, 33),
    st.integers(1, 4),
    st.integers(2, 12),
    st.integers(1, 9),
)
def test_every_option_gives_the_predicted_shape(depth, shortcut, size, depth_in, classes, width):
    options = {"width": width, "input_shape": (size, size, depth_in)}
    model = cifar.ResNet(depth, shortcut, classes=classes, **options)
    y = model(np.zeros((2, size, size, depth_in), "float32"))
    assert tuple(y.shape) == (2, classes)
    bare = cifar.ResNet(depth, shortcut, include_top=False, **options)
    assert bare.output_shape == (None, -(-size // 4), -(-size // 4), 4 * width)


def test_builds_on_another_graph():
    image = keras.Input((None, None, 3))
    features = keras_ilsvrc.ResNet18(
        include_top=False, pooling="avg", input_tensor=keras.layers.Rescaling(1 / 255)(image)
    )
    assert features.inputs[0] is image
    assert features.output_shape == (None, 512)


def test_weights_come_back_from_a_file(tmp_path):
    model = cifar.ResNet(8, width=2)
    model.save_weights(tmp_path / "net.weights.h5")
    again = cifar.ResNet(8, width=2, weights=tmp_path / "net.weights.h5")
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    assert (model.predict(x, verbose=0) == again.predict(x, verbose=0)).all()


def test_channels_first_gives_the_same_numbers():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    last = cifar.ResNet(8, width=2, input_shape=(8, 8, 3))
    keras.config.set_image_data_format("channels_first")
    try:
        first = cifar.ResNet(8, width=2, input_shape=(3, 8, 8))
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    y, z = last.predict(x, verbose=0), first.predict(x.transpose(0, 3, 1, 2), verbose=0)
    assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()
