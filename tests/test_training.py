"""Every network learns, is saved, runs in mixed precision, and is folded.

On PyTorch all of them, in mixed precision and elsewhere the shallowest of each family; the rest
where the mark "full" is asked for (`tox run -e full`, on TensorFlow and JAX).
"""

import inspect

import keras
import numpy as np
import pytest

from keras_ilsvrc import catalog, inference

SHALLOWEST = {
    "alexnet", "zfnet", "vgg11", "googlenet", "resnet18", "plain18", "resnet50v2", "resnext50",
    "cifar_resnet20", "cifar_plain20", "cifar_densenet_bc40", "cifar_se_resnet20",
    "cifar_vgg16", "cifar_alexnet", "cifar_googlenet",
}  # fmt: skip
SIDES = {"alexnet": 67, "alexnet_owt": 63, "zfnet": 53, "inception_v3": 75, "inception_v4": 75,
         "inception_resnet_v1": 75, "inception_resnet_v2": 75}  # fmt: skip
CLASSES = 4


def members(everything):
    """The default of each builder; of CIFAR's one depth each."""
    defaults = {name for name in catalog.list_models() if not catalog.entry(name).options}
    return [
        pytest.param(name, marks=() if everything or name in SHALLOWEST else pytest.mark.full)
        for name in sorted(defaults | SHALLOWEST | {"cifar_resnet110v2", "alexnet_owt"})
    ]


def build(name):
    """A small image's network; dropout would hide whether a step was one down."""
    found = catalog.entry(name)
    side = SIDES.get(name, 32)
    still = {"dropout": 0.0} if "dropout" in inspect.signature(found.builder).parameters else {}
    shape = {"input_shape": (side, side, 3), "classes": CLASSES}
    return found.builder(**found.options, **shape, **still, kernel_initializer="zeros")


def draw(model):
    """He's initialisation from NumPy: equal on every backend, and quick."""
    random = np.random.default_rng(0)
    for w in model.trainable_variables:
        if w.path.endswith("kernel"):
            w.assign(random.normal(0, (2 / np.prod(w.shape[:-1])) ** 0.5, w.shape))


def images(model, number):
    """Of large patches: of mere noise all images would look alike to the last layers."""
    height, width, depth = model.input_shape[1:]
    patches = np.random.default_rng(1).normal(size=(number, 4, 4, depth))
    grown = patches.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)
    return grown[:, :height, :width].astype("float32")


def outputs(model):
    return keras.ops.convert_to_numpy(model(images(model, 1), training=False))


@pytest.fixture(scope="module", params=members(keras.backend.backend() == "torch"))
def network(request):
    model = build(request.param)
    draw(model)
    return request.param, model


def test_one_training_step_lowers_the_loss_of_its_batch(network, record_property):
    _, model = network
    model.compile(
        keras.optimizers.SGD(1e-5, global_clipnorm=1.0), "sparse_categorical_crossentropy"
    )
    x, y = images(model, 8), np.arange(8) % CLASSES
    before, after = (float(model.train_on_batch(x, y)) for _ in range(2))
    record_property("loss", f"{before:.5f} {after:.5f}")
    assert np.isfinite(before)
    assert after < before


def test_saved_and_loaded_it_is_equal(network, tmp_path):
    _, model = network
    model.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    assert (outputs(again) == outputs(model)).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", members(everything=False))
def test_in_mixed_precision_the_classifier_stays_in_float32(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    draw(model)
    # With the statistics of the batch: those of a start would let sums overflow in float16.
    y = keras.ops.convert_to_numpy(model(images(model, 2), training=True))
    assert model.layers[-2].compute_dtype == policy.removeprefix("mixed_")
    assert model.get_layer("predictions").compute_dtype == "float32"
    assert y.dtype == "float32"
    assert np.abs(y.sum(-1) - 1).max() < 1e-6
    assert y.std() > 1e-6


def test_folded_and_plain_it_computes_the_same(network):
    """Relative to the largest of what the classifier hears; its softmax would hide much."""
    _, model = network
    scramble_normalizations(model)
    expected = heard(model)
    for copy, bound in ((inference.fold_batch_norm(model), 1e-4), (inference.plain(model), 1e-5)):
        assert np.abs(heard(copy) - expected).max() <= bound * np.abs(expected).max()
        assert {type(x).__module__.split(".")[0] for x in copy.layers} == {"keras"}


def scramble_normalizations(model):
    random = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta = random.uniform(0.5, 1.0, (2, *layer.gamma.shape))
            mean, variance = random.uniform(0.5, 1.5, (2, *layer.gamma.shape))
            layer.set_weights([gamma, beta - 0.75, mean - 1, variance])


def heard(model):
    return outputs(keras.Model(model.input, model.get_layer("predictions").input))
