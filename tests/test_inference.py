"""Models for use: normalizations folded into convolutions, and all in Keras' own layers."""

import logging
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from keras_ilsvrc import cifar, inference
from keras_ilsvrc.blocks import branches, chain, conv, lrn, norm, relu, residual, under


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def outputs(model, *x):
    found = model.predict_on_batch(list(x) if len(x) > 1 else x[0])
    return [np.asarray(y) for y in keras.tree.flatten(found)]


def scramble(model, seed=0):
    """Normalizations that do something, and signals that neither die nor burst."""
    draw = np.random.default_rng(seed)

    def values(path, shape):
        if path.endswith("kernel"):
            return draw.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
        positive = path.endswith(("gamma", "moving_variance"))
        return draw.uniform(0.5, 1.5, shape) if positive else draw.normal(0, 0.5, shape)

    model.set_weights([values(w.path, w.shape).astype("float32") for w in model.weights])
    return model


def network(*blocks, side=6, depth=4):
    image = keras.Input((side, side, depth))
    return scramble(keras.Model(image, chain(*blocks)(image)))


def kinds(model):
    return [type(x).__name__ for x in model.layers[1:]]


def difference(model, copy, *x):
    pairs = zip(outputs(model, *x), outputs(copy, *x), strict=True)
    return max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs)


# --- folding -----------------------------------------------------------------------------------

convolutions = st.fixed_dictionaries(
    {
        "kernel_size": st.sampled_from((1, 3, (1, 5))),
        "padding": st.sampled_from(("same", "valid")),
        "use_bias": st.booleans(),
        "groups": st.sampled_from((1, 2)),
    }
) | st.fixed_dictionaries({"kernel_size": st.just(3), "dilation_rate": st.sampled_from((1, 2))})
normalizations = st.fixed_dictionaries(
    {"scale": st.booleans(), "center": st.booleans(), "epsilon": st.floats(1e-5, 1e-1)}
)


@settings(max_examples=15)
@given(convolutions, normalizations, st.sampled_from(("relu", "sigmoid", None)), st.integers(0, 9))
def test_a_convolution_its_normalization_and_activation_become_one(shape, rest, activation, seed):
    last = layers.Activation(activation, name="act") if activation else chain()
    model = network(conv(6, **shape), norm(**rest), last)
    scramble(model, seed)
    folded = inference.fold_batch_norm(model)
    assert kinds(folded) == ["Conv2D"]
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-5


def test_without_the_mean_the_outputs_would_differ():
    """The control: folding that forgot the moving mean."""
    model = network(conv(6, 3), norm())
    folded = inference.fold_batch_norm(model)
    kernel, bias = folded.layers[1].get_weights()
    shift = (
        model.get_layer("bn").get_weights()[2]
        * kernel[0, 0, 0]
        / model.get_layer("conv").get_weights()[0][0, 0, 0]
    )
    folded.layers[1].set_weights([kernel, bias + shift])
    assert difference(model, folded, noise(2, 6, 6, 4)) > 1e-2


def test_branches_of_one_producer_are_folded_each():
    model = network(
        branches(
            under(1, conv(3, 1), norm(), relu()),
            under(2, conv(4, 3), norm(), relu()),
            under(3, conv(2, 3), norm()),
        )
    )
    folded = inference.fold_batch_norm(model)
    assert sorted(kinds(folded)) == ["Concatenate", "Conv2D", "Conv2D", "Conv2D"]
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-5


def test_before_a_convolution_it_stays_and_between_two_it_goes():
    """A unit of arXiv:1603.05027: the first normalization follows no convolution."""
    before = chain(under(0, norm(), relu()), under(1, conv(4, 3), norm(), relu()))
    model = network(residual(chain(before, under(2, conv(4, 3)))))
    found = inference.folding(model)
    assert found.normalizations == {"1_bn": "1_conv"}
    assert found.activations == {"1_relu": "1_conv"}
    assert found.kept == {"0_bn": "it follows the input, not a Conv2D"}
    assert str(found) == (
        "1 of 2 normalizations are folded into convolutions, and 1 activations with them.\n"
        "0_bn stays: it follows the input, not a Conv2D."
    )
    assert difference(model, inference.fold_batch_norm(model), noise(2, 6, 6, 4)) <= 1e-5


STAYS = {
    "the output of conv is used elsewhere too": chain(conv(4, 3), residual(norm(), name="add")),
    "conv has an activation of its own": chain(conv(4, 3, activation="relu"), norm()),
    "its axis is not that of conv's filters": chain(
        conv(6, 3), layers.BatchNormalization(1, name="bn")
    ),
    "it follows depthwise (DepthwiseConv2D), not a Conv2D": chain(
        layers.DepthwiseConv2D(3, name="depthwise"), norm()
    ),
}


@pytest.mark.parametrize("why", STAYS)
def test_what_cannot_be_folded_stays_and_says_why(why):
    model = network(STAYS[why])
    assert why in inference.folding(model).kept["bn"]
    folded = inference.fold_batch_norm(model)
    assert kinds(folded) == kinds(model)
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-6


def test_an_output_of_the_model_is_not_folded_away():
    image = keras.Input((6, 6, 4))
    sums = conv(4, 3)(image)
    normalized = norm()(sums)
    model = scramble(keras.Model(image, [sums, normalized, relu()(normalized)]))
    folded = inference.fold_batch_norm(model)
    assert kinds(folded) == kinds(model)
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-6


def test_an_activation_that_is_not_the_only_listener_stays():
    model = network(conv(4, 3), norm(), residual(relu()))
    folded = inference.fold_batch_norm(model)
    assert kinds(folded) == ["Conv2D", "Activation", "Add"]
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-5


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_folding_knows_both_data_formats(data_format):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(data_format)
    try:
        shape = (8, 8, 3) if data_format == "channels_last" else (3, 8, 8)
        model = scramble(cifar.ResNet(8, width=4, input_shape=shape, classifier_activation=None))
    finally:
        keras.config.set_image_data_format(before)
    folded = inference.fold_batch_norm(model)
    assert not any(isinstance(x, layers.BatchNormalization) for x in folded.layers)
    assert difference(model, folded, noise(2, *shape)) <= 1e-5


def test_the_model_itself_is_unchanged_and_the_log_says_what_was_done(caplog):
    model = network(conv(4, 3), norm(), relu())
    weights, names = model.get_weights(), [x.name for x in model.layers]
    with caplog.at_level(logging.INFO, "keras_ilsvrc.inference"):
        folded = inference.fold_batch_norm(model)
    assert "1 of 1 normalizations are folded" in caplog.text
    assert [x.name for x in model.layers] == names
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert (folded.name, folded.layers[0].name) == (model.name, model.layers[0].name)


def refused():
    image = keras.Input((6, 6, 4))
    twice = layers.Conv2D(4, 3, padding="same")
    training = keras.Model(
        image, layers.BatchNormalization(name="n")(conv(4, 3)(image), training=True)
    )
    return {
        "each called once": keras.Model(image, norm()(twice(twice(image)))),
        "with training=True": training,
        "has no graph yet": keras.Sequential([layers.BatchNormalization()]),
        "'resnet50'": "resnet50",
    }


@pytest.mark.parametrize("why", list(refused()))
def test_what_cannot_be_walked_is_refused(why):
    with pytest.raises(ValueError, match=why):
        inference.fold_batch_norm(refused()[why])


class Louder(layers.BatchNormalization):
    """A reader's own normalization."""

    def call(self, x, training=None, mask=None):
        return 2 * super().call(x, training, mask)


def test_a_normalization_of_a_reader_s_own_stays():
    model = network(conv(4, 3), Louder(name="bn"))
    assert inference.folding(model).kept == {"bn": "it is a Louder"}
    assert difference(model, inference.fold_batch_norm(model), noise(2, 6, 6, 4)) == 0


def test_layers_that_compute_in_other_types_are_not_merged():
    half = {"dtype": "mixed_float16"}
    model = network(
        layers.Conv2D(4, 3, name="a", **half),
        layers.BatchNormalization(name="a_bn", dtype="float32"),
        layers.Conv2D(4, 3, name="b", **half),
        layers.BatchNormalization(name="b_bn", **half),
        layers.Activation("softmax", dtype="float32", name="probabilities"),
    )
    found = inference.folding(model)
    assert found.kept == {"a_bn": "it computes in float32, and a in float16"}
    assert (found.normalizations, found.activations) == ({"b_bn": "b"}, {})
    folded = inference.fold_batch_norm(model)
    assert folded.output.dtype == "float32"
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-2


def test_a_compiled_model_gives_one_that_is_not():
    model = network(conv(4, 3), norm(), relu())
    model.compile("adam", lambda y, z: keras.ops.mean(y - z))
    for copy in (inference.fold_batch_norm(model), inference.plain(model)):
        assert not copy.compiled
    assert model.compiled


def test_a_normalization_called_by_keyword_is_folded():
    image = keras.Input((6, 6, 4))
    bn = layers.BatchNormalization(name="bn")
    model = scramble(keras.Model(image, bn(inputs=conv(4, 3)(image))))
    folded = inference.fold_batch_norm(model)
    assert kinds(folded) == ["Conv2D"]
    assert difference(model, folded, noise(2, 6, 6, 4)) <= 1e-5


# --- plain -------------------------------------------------------------------------------------

PLAIN = {
    "alexnet": lambda: cifar.AlexNet(width=2, input_shape=(16, 16, 3)),
    "densenet": lambda: cifar.DenseNet(10, growth=4, input_shape=(16, 16, 3)),
    "auxiliary": lambda: two_outputs(),
}


def two_outputs():
    """As a network with an auxiliary head has them."""
    image = keras.Input((16, 16, 3))
    x = under("a", conv(4, 3), norm(), relu())(image)
    return keras.Model(image, [under(name, conv(2, 3), norm())(x) for name in ("main", "aux")])


# Where this package cannot be imported.
ELSEWHERE = """
import sys
sys.modules["keras_ilsvrc"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
x = np.load(sys.argv[2])
np.savez(sys.argv[3], *keras.tree.flatten(model.predict_on_batch(x)))
"""


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_model_s_file_opens_without_this_package(name, tmp_path):
    model = scramble(PLAIN[name]())
    x = noise(2, 16, 16, 3)
    np.save(tmp_path / "x.npy", x)
    inference.plain(model).save(tmp_path / "plain.keras")
    command = [sys.executable, "-c", ELSEWHERE, *map(str, tmp_path.glob("plain.*"))]
    command += [str(tmp_path / "x.npy"), str(tmp_path / "y.npz")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as found:
        for a, b in zip(outputs(model, x), found.values(), strict=True):
            assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()


def test_a_plain_model_trains_and_has_the_names_and_weights_of_its_origin():
    model = scramble(PLAIN["densenet"]())
    copy = inference.plain(model)
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]
    assert [x.name for x in copy.layers] == [x.name for x in model.layers]
    assert all(map(np.array_equal, copy.get_weights(), model.get_weights()))
    assert all(a is not b for a, b in zip(copy.weights, model.weights, strict=True))
    copy.compile("sgd", "sparse_categorical_crossentropy")
    copy.train_on_batch(noise(4, 16, 16, 3), np.arange(4))
    assert not all(map(np.array_equal, copy.get_weights(), model.get_weights()))


def test_weights_keep_their_layers_where_the_order_of_layers_changes():
    """Spelled out, response normalization is deeper than the three convolutions beside it."""
    model = network(
        branches(
            under("a", conv(4, 3), lrn()),
            under("b", *(under(i, conv(4, 3)) for i in (1, 2, 3))),
        )
    )
    assert difference(model, inference.plain(model), noise(2, 6, 6, 4)) <= 1e-5


def test_only_functional_models_can_be_copied():
    with pytest.raises(ValueError, match=r"no graph yet"):
        inference.plain(keras.Sequential([layers.Flatten()]))
    with pytest.raises(ValueError, match=r"'resnet50' is a str, not a functional model"):
        inference.plain("resnet50")


# --- kernels in memory ---------------------------------------------------------------------------

CONVOLUTIONS = {
    "grouped": lambda: layers.Conv2D(6, (3, 2), groups=2),
    "dilated": lambda: layers.Conv2D(4, 3, dilation_rate=2, data_format="channels_last"),
    "depthwise": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
    "separable": lambda: layers.SeparableConv2D(5, 3),
    "transposed": lambda: layers.Conv2DTranspose(5, 3, strides=2),
}


def followed(make, seed):
    image = keras.Input((6, 6, 4))
    rest = layers.Dense(3)(layers.Flatten()(layers.Conv2D(5, 3, padding="same")(make()(image))))
    return scramble(keras.Model(image, rest), seed)


def read_in_place(kernel):
    """Whether what PyTorch is given of a kernel lies in memory in the order it reads."""
    import torch

    view = kernel.value.permute(3, 2, 0, 1)
    return view.is_contiguous(memory_format=torch.channels_last)


@settings(max_examples=10)
@given(st.sampled_from(sorted(CONVOLUTIONS)), st.integers(0, 9))
def test_laid_out_kernels_are_the_same_weights_and_train_alike(kind, seed):
    model, laid = followed(CONVOLUTIONS[kind], seed), followed(CONVOLUTIONS[kind], seed)
    inference.lay_out_kernels(laid)
    for x in (model, laid):
        x.compile("adam", "mse")
    for _ in range(2):  # the second after a step
        assert difference(model, laid, noise(2, 6, 6, 4)) <= 1e-5
        for a, b in zip(model.get_weights(), laid.get_weights(), strict=True):
            assert a.shape == b.shape
            assert np.allclose(a, b, atol=1e-5)
        for x in (model, laid):
            x.train_on_batch(noise(8, 6, 6, 4, seed=1), noise(8, 3, seed=2))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's order")
def test_pytorch_reads_laid_out_kernels_where_they_lie(tmp_path):
    model = followed(CONVOLUTIONS["grouped"], 0)
    kernels = [w for w in model.weights if len(w.shape) == 4]
    assert not any(map(read_in_place, kernels))
    inference.lay_out_kernels(keras.Sequential([keras.Input((6, 6, 4)), model]))
    assert all(map(read_in_place, kernels))
    model.compile("sgd", "mse")
    model.train_on_batch(noise(8, 6, 6, 4), noise(8, 3))
    assert all(map(read_in_place, kernels))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's order")
def test_a_folded_model_s_kernels_are_laid_out():
    folded = inference.fold_batch_norm(network(under("a", conv(4, 3), norm()), conv(4, 3)))
    kernels = [w for w in folded.weights if len(w.shape) == 4]
    assert len(kernels) == 2
    assert all(map(read_in_place, kernels))


def test_what_has_no_kernels_yet_is_refused():
    for wrong in (keras.Sequential([layers.Dense(1)]), "ResNet50"):
        with pytest.raises(ValueError, match=r"a built keras.Model, not"):
            inference.lay_out_kernels(wrong)


def test_a_model_of_float8_is_refused_in_a_sentence():
    """Its layers have scales beside weights; int8 and int4 are copied as they are."""
    image = keras.Input((8, 8, 3))
    pooled = layers.GlobalAveragePooling2D()(conv(4, 3)(image))
    model = keras.Model(image, layers.Dense(2, name="scores")(pooled))
    model.get_layer("scores").quantize("float8")  # a model warns of layers that have none
    for rewrite in (inference.plain, inference.fold_batch_norm):
        with pytest.raises(ValueError, match=r"is quantized to float8 \(scores\)"):
            rewrite(model)
