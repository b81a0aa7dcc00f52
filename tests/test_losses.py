"""Content and style, by the papers' formulas."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_ilsvrc
from keras_ilsvrc import losses

SIDE = 16


def network(depth=5):
    """VGG's names, few filters."""
    keras.utils.set_random_seed(0)
    image = x = keras.Input((SIDE, SIDE, 3))
    for block in range(1, depth + 1):
        for i in (1, 2, 3):
            x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"block{block}_conv{i}",
                              kernel_initializer="he_normal")(x)  # fmt: skip
        x = layers.MaxPooling2D(2, padding="same")(x)
    return keras.Model(image, x, name="vgg")


def pictures(seed, number=2):
    return np.random.default_rng(seed).uniform(0, 1, (number, SIDE, SIDE, 3)).astype("float32")


def value(loss, a, b):
    return keras.ops.convert_to_numpy(loss(a, b))


def maps(net, name, x):
    return keras.Model(net.input, net.get_layer(name).output).predict(x, verbose=0)


def test_content_is_the_papers_formula():
    net, a, b = network(), pictures(0), pictures(1)
    options = {"reduction": "none"}
    d = (maps(net, "block4_conv2", a) - maps(net, "block4_conv2", b)) ** 2
    found = value(losses.Content(net, **options), a, b)
    assert np.allclose(found, 0.5 * d.sum((1, 2, 3)), rtol=1e-4)
    d = (maps(net, "block3_conv3", a) - maps(net, "block3_conv3", b)) ** 2
    found = value(losses.Content(net, paper="johnson", **options), a, b)
    assert np.allclose(found, d.mean((1, 2, 3)), rtol=1e-4)


def test_style_is_the_papers_formula():
    net, a, b = network(), pictures(0), pictures(1)

    def difference(name):
        flat = [maps(net, name, x).reshape(2, -1, 4).astype("float64") for x in (a, b)]
        one, other = (np.einsum("bmi,bmj->bij", f, f) for f in flat)
        return ((one - other) ** 2).sum((1, 2)), flat[0].shape[1]

    wanted = np.zeros(2)
    for i in range(1, 6):
        squares, places = difference(f"block{i}_conv1")
        wanted += 0.2 * squares / (4 * 4**2 * places**2)
    assert np.allclose(value(losses.Style(net, reduction="none"), a, b), wanted, rtol=1e-3)
    wanted = np.zeros(2)
    for name in ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"):
        squares, places = difference(name)
        wanted += squares / (4 * places) ** 2
    found = value(losses.Style(net, paper="johnson", reduction="none"), a, b)
    assert np.allclose(found, wanted, rtol=1e-3)


def test_style_does_not_care_where_things_are_and_content_does():
    net, a = network(1), pictures(0)
    names = ["block1_conv1"]
    rolled = np.roll(a, 5, axis=2)
    style, content = losses.Style(net, names), losses.Content(net, names)
    assert value(style, a, rolled) < 0.02 * value(style, a, pictures(1) ** 3)
    assert value(content, a, rolled) > 0.5 * value(content, a, pictures(1))


def test_the_papers_layers_are_those_of_vgg():
    for build, tables in (
        (keras_ilsvrc.VGG19, (losses.GATYS_CONTENT, losses.GATYS_STYLE)),
        (keras_ilsvrc.VGG16, (losses.JOHNSON_CONTENT, losses.JOHNSON_STYLE)),
    ):
        with keras.StatelessScope(initialize_variables=False):
            names = {layer.name for layer in build(include_top=False).layers}
        assert all(table.keys() <= names for table in tables)


class Canvas(layers.Layer):
    """A picture that learns."""

    def __init__(self, start, **options):
        super().__init__(**options)
        self.start = start

    def build(self, shape):
        self.picture = self.add_weight(shape=self.start.shape, name="picture")
        self.picture.assign(self.start)

    def call(self, x):
        return self.picture + 0 * x[:, :1, :1]


def painted(loss, start, target, epochs=60):
    image = keras.Input((SIDE, SIDE, 3), batch_size=1)
    model = keras.Model(image, Canvas(start)(image))
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(target, target, epochs=epochs, batch_size=1, verbose=0)
    return model.predict(target, batch_size=1, verbose=0)


def test_style_falls_and_content_is_kept():
    """A picture painted in another's style: with `compile` and `fit`, on every backend."""
    i, j = np.mgrid[:SIDE, :SIDE]
    subject = np.zeros((1, SIDE, SIDE, 3), "float32")
    subject[:, 4:12, 4:12] = 0.8
    stripes = (0.5 + 0.5 * np.sin(1.5 * (i + j)))[None, ..., None] * np.float32([1, 0.2, 0.6])
    net = network(2)
    content = losses.Content(net, ["block2_conv2"], paper="johnson")
    style = losses.Style(net, ["block1_conv1", "block2_conv1"], paper="johnson")
    before = net.get_weights()

    class OfStripes(keras.losses.Loss):
        def call(self, y_true, y_pred):
            wanted = keras.ops.convert_to_tensor(stripes.astype("float32"))
            return content.call(y_true, y_pred) + 10 * style.call(wanted, y_pred)

    found = painted(OfStripes(), subject, subject)
    stripes = stripes.astype("float32")
    assert value(style, stripes, found) < 0.5 * value(style, stripes, subject)
    assert value(content, subject, found) < 0.5 * value(content, subject, stripes)
    assert np.abs(found - subject).max() > 0.05
    assert all(map(np.array_equal, before, net.get_weights()))


def test_a_weighted_sum_is_the_sum():
    net, a, b = network(2), pictures(0), pictures(1)
    content = losses.Content(net, {"block2_conv1": 2.0})
    style = losses.Style(net, ["block1_conv1"])
    both = losses.Weighted([(content, 1.0), (style, 100)])
    parts = value(content, a, b) + 100 * value(style, a, b)
    assert np.allclose(value(both, a, b), parts, rtol=1e-5)
    single = value(losses.Content(net, ["block2_conv1"]), a, b)
    assert np.allclose(value(content, a, b), 2 * single, rtol=1e-5)


def test_images_are_prepared_for_the_network():
    net, a, b = network(1), pictures(0), pictures(1)
    names = ["block1_conv2"]
    scaled = losses.Content(net, names, prepare=lambda x: 2 * x - 1)
    assert np.allclose(value(scaled, a, b), value(losses.Content(net, names), 2 * a - 1, 2 * b - 1),
                       rtol=1e-4)  # fmt: skip


def test_roughness_is_the_sum_of_steps():
    x = pictures(0)
    wanted = np.abs(np.diff(x, axis=1)).sum((1, 2, 3)) + np.abs(np.diff(x, axis=2)).sum((1, 2, 3))
    assert np.allclose(keras.ops.convert_to_numpy(losses.total_variation(x)), wanted, rtol=1e-5)


def test_a_network_inside_another_model_is_looked_into():
    net, a, b = network(2), pictures(0), pictures(1)
    image = keras.Input((SIDE, SIDE, 3))
    around = keras.Model(image, net(layers.Rescaling(1.0)(image)))
    names = ["block2_conv1"]
    assert np.allclose(value(losses.Content(around, names), a, b),
                       value(losses.Content(net, names), a, b), rtol=1e-5)  # fmt: skip


@pytest.mark.parametrize(("make", "says"), [
    (lambda net: losses.Content(net, ["block9"]), "'vgg' has no layer 'block9'"),
    (lambda net: losses.Content(net, []), "no layers to take"),
    (lambda net: losses.Style(net, paper="gates"), "paper is 'gatys' or 'johnson'"),
    (lambda net: losses.Weighted([]), "give one at least"),
    (lambda net: losses.Weighted([("mse", 1)]), "pairs of a keras.losses.Loss"),
])  # fmt: skip
def test_wrong_arguments_are_told(make, says):
    with pytest.raises(ValueError, match=says):
        make(network())
