"""Our batch normalization against Keras' own: outputs, gradients, moving statistics, files."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_ilsvrc import cifar, layers
from keras_ilsvrc.layers import BatchNormalization

THEIRS = keras.layers.BatchNormalization
HAS_KERNEL = keras.backend.backend() in layers.KERNELS


class Offset(keras.layers.Layer):
    """x + w, w as large as the batch: the gradient of w is that of the layer behind it."""

    def build(self, shape):
        self.offset = self.add_weight(shape=shape, initializer="zeros")

    def call(self, x):
        return x + self.offset


def scramble(layer):
    draw = np.random.default_rng(0)
    layer.set_weights([draw.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])


def step(layer, x, direction):
    """What a step of rate 1 leaves: input less its gradient, weights, statistics; and outputs."""
    image = keras.Input(batch_shape=x.shape)
    model = keras.Model(image, layer(Offset()(image)))
    scramble(layer)
    model.compile(keras.optimizers.SGD(1.0), lambda c, y: ops.sum(c * y), run_eagerly=True)
    model.train_on_batch(x, direction)
    found = *model.get_weights(), layer(x, training=True), layer(x, training=False)
    return [ops.convert_to_numpy(a) for a in found]


def relative(found, expected):
    return max(
        np.abs(a - b).max() / max(1, np.abs(b).max()) for a, b in zip(found, expected, strict=True)
    )


def both(options, x, direction):
    return (step(kind(**options), x, direction) for kind in (BatchNormalization, THEIRS))


options = st.fixed_dictionaries(
    {
        "axis": st.sampled_from((-1, 3, 1)),
        "momentum": st.floats(0, 1),
        "epsilon": st.floats(1e-5, 1e-1),
        "center": st.booleans(),
        "scale": st.booleans(),
        "trainable": st.booleans(),
    }
)
shapes = st.tuples(st.integers(2, 4), st.integers(2, 6), st.integers(2, 6), st.integers(1, 6))


def draws(shape, axis, mean=0.0, seed=0):
    draw = np.random.default_rng(seed)
    values = (draw.normal(mean, 1, shape), draw.normal(size=shape))
    return [np.moveaxis(v, -1, axis).astype("float32") for v in values]


@settings(max_examples=40 if HAS_KERNEL else 4)
@given(options, shapes, st.floats(-2, 2), st.integers(0, 99))
def test_outputs_gradients_and_statistics_are_those_of_keras_layer(options, shape, mean, seed):
    ours, theirs = both(options, *draws(shape, options["axis"], mean, seed))
    assert relative(ours, theirs) <= 1e-5


def test_the_unbiased_variance_would_be_told_apart(monkeypatch):
    """The control: with n / (n - 1) times the variance the test above fails."""
    if not HAS_KERNEL:
        pytest.skip("no kernel on this backend: its layer is Keras' own")
    kernel = layers.KERNELS[keras.backend.backend()]

    def unbiased(x, *rest):
        y, mean, variance = kernel(x, *rest)
        return y, mean, variance * (24 / 23)

    monkeypatch.setitem(layers.KERNELS, keras.backend.backend(), unbiased)
    ours, theirs = both({"momentum": 0.5}, *draws((2, 3, 4, 5), -1))
    assert relative(ours, theirs) > 1e-2


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize(("policy", "ulp"), [("mixed_float16", 2**-10), ("mixed_bfloat16", 2**-7)])
def test_half_precision_is_summed_in_float32(policy, ulp, axis):
    """Values whose squares are beyond half precision; statistics to float32's precision."""
    x, direction = draws((4, 6, 6, 3), axis)
    ours, theirs = both({"axis": axis, "dtype": policy}, 300 * x, direction)
    statistics = slice(-4, -2)
    assert relative(ours[statistics], theirs[statistics]) <= 1e-5
    assert relative(ours[-2:], theirs[-2:]) <= 2 * ulp
    assert ours[-1].dtype == theirs[-1].dtype


# What no kernel takes: options, the shape of the input, its mask's.
LEFT_TO_KERAS = {
    "one value a channel": ({}, (1, 1, 1, 5), None),
    "vectors": ({}, (6, 5), None),
    "sequences": ({}, (6, 4, 5), None),
    "volumes": ({}, (2, 3, 3, 2, 5), None),
    "another axis": ({"axis": 2}, (2, 3, 4, 5), None),
    "renorm": ({"renorm": True}, (2, 3, 4, 5), None),
    "a mask": ({}, (2, 3, 4, 5), (2, 3, 4)),
}


@pytest.mark.parametrize("case", LEFT_TO_KERAS)
@pytest.mark.parametrize("training", [True, False])
def test_what_no_kernel_takes_is_computed_by_keras(case, training, monkeypatch):
    options, shape, mask = LEFT_TO_KERAS[case]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    mask = None if mask is None else np.random.default_rng(1).random(mask) < 0.5
    if training or case != "one value a channel":
        monkeypatch.setattr(layers, "KERNELS", dict.fromkeys(layers.KERNELS, None))
    found = []
    for kind in (BatchNormalization, THEIRS):
        layer = kind(**options)
        layer.build(shape)
        scramble(layer)
        found.append(ops.convert_to_numpy(layer(x, training=training, mask=mask)))
    assert relative(found[:1], found[1:]) <= 1e-6


def test_synchronized_normalization_is_keras_own(monkeypatch):
    if keras.backend.backend() != "tensorflow":
        with pytest.raises(ValueError, match="synchronized"):
            BatchNormalization(synchronized=True)
        return
    monkeypatch.setattr(layers, "KERNELS", dict.fromkeys(layers.KERNELS, None))
    y = BatchNormalization(synchronized=True)(np.ones((2, 3, 4, 5), "float32"), training=True)
    assert np.abs(ops.convert_to_numpy(y)).max() < 1e-3


def test_double_precision_is_keras_own():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 as it is set up here")
    x, direction = (a.astype("float64") for a in draws((2, 3, 4, 5), -1))
    ours, theirs = both({"dtype": "float64"}, x, direction)
    assert relative(ours, theirs) <= 1e-12
    assert ours[-1].dtype == "float64"


XLA = [] if keras.backend.backend() == "torch" else [(None, True), (3, True)]


@pytest.mark.parametrize(("batch", "xla"), [(None, "auto"), (3, "auto"), *XLA])
def test_compiled_it_trains_as_keras_layer_does(batch, xla):
    """In a graph, whose batch is of unknown size or not, the statistics are those of the batch."""
    x, _ = draws((6, 4, 4, 3), -1)
    found = []
    for kind in (BatchNormalization, THEIRS):
        image = keras.Input(batch_shape=(batch, 4, 4, 3))
        layer = kind()
        pooled = keras.layers.GlobalMaxPooling2D()(layer(image))
        model = keras.Model(image, pooled)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=xla)
        model.fit(x, np.ones((6, 3)), batch_size=batch or 4, epochs=2, shuffle=False, verbose=0)
        found.append(model.get_weights())
    assert relative(*found) <= 1e-5


def test_an_empty_batch_stays_empty():
    layer = BatchNormalization()
    assert layer(np.zeros((0, 3, 3, 2), "float32"), training=False).shape == (0, 3, 3, 2)


def test_statistics_may_change_before_the_gradient_is_taken():
    """Evaluated and trained in one loss, as in self-distillation."""
    image = keras.Input(batch_shape=(2, 4, 4, 3))
    for kind in (BatchNormalization, THEIRS):
        layer = kind()
        frozen = keras.layers.GlobalMaxPooling2D()(layer(Offset()(image), training=False))
        moving = keras.layers.GlobalMaxPooling2D()(layer(image, training=True))
        model = keras.Model(image, [frozen, moving])
        model.compile("sgd", ["mse", "mse"], run_eagerly=True)
        x = draws((2, 4, 4, 3), -1)[0]
        assert np.isfinite(model.train_on_batch(x, [np.ones((2, 3))] * 2)).all()


# --- files -------------------------------------------------------------------------------------


def network(**options):
    return cifar.ResNet(8, width=4, input_shape=(8, 8, 3), classes=3, **options)


def with_keras_layers():
    """The same network, as it was before this package had a layer of its own."""
    model = network(kernel_initializer="zeros")
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: (
            THEIRS if isinstance(layer, BatchNormalization) else type(layer)
        ).from_config(layer.get_config()),
    )


def test_weights_of_keras_layers_load_into_ours_and_back(tmp_path):
    theirs, ours = with_keras_layers(), network()
    scramble(theirs)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    theirs.save(tmp_path / "legacy.h5")
    for file in ("theirs.weights.h5", "legacy.h5"):
        ours.set_weights([0 * w for w in ours.get_weights()])
        ours.load_weights(tmp_path / file)
        assert relative(ours.get_weights(), theirs.get_weights()) == 0
    theirs.set_weights([0 * w for w in theirs.get_weights()])
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    assert relative(theirs.get_weights(), ours.get_weights()) == 0


def test_configuration_and_weights_have_keras_names():
    ours, theirs = BatchNormalization(name="bn"), THEIRS(name="bn")
    assert ours.get_config() == theirs.get_config()
    for layer in (ours, theirs):
        layer.build((2, 3, 4, 5))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]


def test_builders_use_it_by_default():
    kinds = {type(x) for x in network().layers if isinstance(x, THEIRS)}
    assert kinds == {BatchNormalization}
