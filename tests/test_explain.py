"""Maps that show what a class comes from."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ilsvrc import cifar, explain

SIDE = 24


def planted(channels_first=False):
    """Noise with a red square at the top left and a green one at the bottom right."""
    image = np.random.default_rng(0).uniform(0, 0.2, (SIDE, SIDE, 3)).astype("float32")
    image[(*RED, 0)] += 0.8
    image[(*GREEN, 1)] += 0.8
    return image[None]


RED, GREEN = (slice(2, 8), slice(3, 9)), (slice(14, 20), slice(13, 19))


def detector(nested=False, activation="softmax"):
    """Two classes: how much red, how much green. A convolution picks colours, averages follow."""
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="pick")(image)
    x = layers.MaxPooling2D(2, name="half")(layers.BatchNormalization()(x))
    x = layers.Conv2D(4, 1, name="same")(x)
    body = keras.Model(image, x, name="body")
    again = keras.Input((SIDE, SIDE, 3))
    y = body(layers.Rescaling(1.0)(again)) if nested else x
    y = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(y))
    model = keras.Model(again if nested else image, layers.Dense(2, activation, name="says")(y))
    kernel = np.zeros((3, 3, 3, 4), "float32")
    kernel[:, :, 0, 0], kernel[:, :, 1, 1], kernel[:, :, 2, 2] = 1 / 9, 1 / 9, 1 / 9
    body.get_layer("pick").set_weights([kernel, np.float32([-0.3, -0.3, -0.3, 0])])
    body.get_layer("same").set_weights([np.eye(4, dtype="float32")[None, None], np.zeros(4)])
    head = np.float32([[20, -20], [-20, 20], [0, 0], [0, 0]])
    model.get_layer("says").set_weights([head, np.zeros(2)])
    return model


def mass(heat, square):
    """The share of a map's values within a pixel or two of a square."""
    around = tuple(slice(side.start - 2, side.stop + 2) for side in square)
    positive = np.maximum(heat, 0)
    return positive[around].sum() / positive.sum()


METHODS = {
    "grad_cam": explain.grad_cam,
    "grad_cam 1": lambda *x: explain.grad_cam(*x, stride=1),
    "cam": explain.cam,
    "saliency": explain.saliency,
    "occlusion": lambda *x: explain.occlusion(*x, size=4, stride=2),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_a_class_is_seen_where_it_was_planted(name, nested):
    model = detector(nested)
    if name == "saliency":  # of what a class depends on, the other one is a part
        model.get_layer("says").set_weights([np.float32([[20, 0], [0, 20], [0, 0], [0, 0]]),
                                             np.zeros(2)])  # fmt: skip
    heat = np.concatenate([METHODS[name](model, planted(), c) for c in (0, 1)])
    assert heat.shape == (2, SIDE, SIDE)
    area = 10 * 10 / SIDE**2
    assert mass(heat[0], RED) > 0.8 > 4 * area
    assert mass(heat[1], GREEN) > 0.8
    assert mass(heat[0], GREEN) < 0.1


def test_each_image_has_a_class_of_its_own_and_none_is_what_the_model_says():
    model = detector()
    x = np.concatenate([planted(), planted()])
    x[1, RED[0], RED[1], 0] = 0
    both = explain.grad_cam(model, x, [0, 1])
    assert np.allclose(both[:1], explain.grad_cam(model, x[:1], 0), atol=1e-5)
    said = model.predict(x, verbose=0).argmax(1)
    assert said[1] == 1
    assert np.allclose(explain.grad_cam(model, x), explain.grad_cam(model, x, said), atol=1e-6)


@pytest.mark.parametrize("build", [
    lambda: cifar.ResNet(8, width=4, input_shape=(16, 16, 3)),
    lambda: cifar.DenseNet(10, growth=4, input_shape=(16, 16, 3)),
    lambda: cifar.GoogLeNet(width=4, auxiliary=True, input_shape=(16, 16, 3)),
])  # fmt: skip
def test_at_the_last_map_of_an_averaging_network_grad_cam_is_cam(build):
    """arXiv:1610.02391, section 3.1: a generalization of CAM."""
    keras.utils.set_random_seed(0)
    model = build()
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    assert np.allclose(explain.cam(model, x, 3), explain.grad_cam(model, x, 3), atol=1e-4)


def test_saliency_is_the_slope_of_the_score():
    """Against differences, and of what goes into the softmax, not of what comes out."""
    keras.utils.set_random_seed(0)
    model = cifar.VGG(11, width=2, input_shape=(8, 8, 3), classifier_activation="softmax")
    logits = cifar.VGG(11, width=2, input_shape=(8, 8, 3), classifier_activation=None)
    for one in (model, logits):
        one.set_weights([np.random.default_rng(i).normal(0, 0.3, w.shape)
                         for i, w in enumerate(model.weights)])  # fmt: skip
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    found = explain.saliency(model, x, 4)[0]
    assert np.allclose(found, explain.saliency(logits, x, 4)[0], atol=1e-5)
    step, slopes = 1e-2, np.zeros((8, 8, 3))
    for at in np.ndindex(3, 3, 3):
        up, down = x.copy(), x.copy()
        up[(0, *at)] += step
        down[(0, *at)] -= step
        pair = logits.predict(np.concatenate([up, down]), verbose=0)[:, 4]
        slopes[at] = (pair[0] - pair[1]) / (2 * step)
    corner = np.abs(slopes).max(-1)[:3, :3]
    assert np.allclose(found[:3, :3] / found[:3, :3].max(), corner / corner.max(), atol=0.1)


def test_occlusion_is_the_fall_of_the_output():
    model = detector()
    x = planted()
    heat = explain.occlusion(model, x, 0, size=SIDE, fill=0.5)
    hidden = np.full_like(x, 0.5)
    fall = model.predict(x, verbose=0)[0, 0] - model.predict(hidden, verbose=0)[0, 0]
    assert np.allclose(heat, fall, atol=1e-5)


def test_channels_may_come_first():
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no pooling with channels first on every CPU")
    keras.config.set_image_data_format("channels_first")
    try:
        model = cifar.ResNet(8, width=4, input_shape=(3, 16, 16))
        x = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype("float32")
        for method in (explain.grad_cam, explain.cam, explain.saliency, explain.occlusion):
            assert method(model, x, 1).shape == (1, 16, 16)
        assert np.allclose(explain.cam(model, x, 1), explain.grad_cam(model, x, 1), atol=1e-4)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_overlays_are_red_where_the_map_is_high():
    images = np.full((1, 4, 4, 3), 100.0)
    maps = np.zeros((1, 4, 4))
    maps[0, 0, 0], maps[0, 1, 1], maps[0, 2, 2] = 2.0, 0.6, -1.0
    found = explain.overlay(images, maps, 1.0)
    assert found.dtype == "uint8"
    assert found[0, 0, 0].tolist() == [255, 255, 255]
    assert found[0, 3, 3].tolist() == found[0, 2, 2].tolist() == [100, 100, 100]
    assert found[0, 1, 1, 0] > found[0, 1, 1, 2]
    with pytest.raises(ValueError, match="images are"):
        explain.overlay(images, maps[:, :2])


X = np.zeros((2, SIDE, SIDE, 3), "float32")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: explain.grad_cam(m, X[0]), r"images are \(batch, 24, 24, 3\)"),
        (lambda m: explain.grad_cam(m, X[:, :9]), r"not \(2, 9, 24, 3\)"),
        (lambda m: explain.grad_cam(m, X, 2), "classes are 0 to 1"),
        (lambda m: explain.grad_cam(m, X, [0, 1, 1]), "one for each of 2 images"),
        (lambda m: explain.grad_cam(m, X, 0.5), "classes is an index"),
        (lambda m: explain.grad_cam(m, X, stride=7), "at strides 1, 2, not 7"),
        (lambda m: explain.occlusion(m, X, size=99), "size is a whole number of pixels, 1 to 24"),
        (lambda m: explain.occlusion(m, X, size=4, stride=5), "stride is .* 1 to 4"),
        (lambda m: explain.grad_cam("net", X), "not a functional model"),
        (lambda m: explain.grad_cam(keras.Model(m.input, m.layers[1].output), X), "classifier"),
        (lambda m: explain.cam(cifar.VGG(11, width=2, input_shape=(SIDE, SIDE, 3)), X),
         "take grad_cam"),
    ],
)  # fmt: skip
def test_wrong_questions_are_told_what_would_be_right(call, says):
    with pytest.raises(ValueError, match=says):
        call(detector())


def test_where_there_are_no_gradients_it_is_said(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(ValueError, match="no gradients: take cam or occlusion"):
        explain.gradient(lambda x: x, X)
