"""Models for layers: transfer models in the form of Keras' guides, Sequential, loaded ones."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ilsvrc import anatomy, cifar, inference, pretrained
from keras_ilsvrc.blocks import chain, conv, dense, global_pool, norm, relu, under

SHAPE = (16, 16, 3)


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype("float32")


def backbone(**options):
    options = {"width": 2, "include_top": False, "pooling": "avg", "input_shape": SHAPE, **options}
    return scramble(cifar.ResNet(8, **options))


def scramble(model, seed=0):
    """Statistics that are not those of an untrained network."""
    draw = np.random.default_rng(seed)
    for weight in model.weights:
        if not weight.path.endswith("kernel"):
            weight.assign(draw.uniform(0.5, 1.5, weight.shape))
    return model


def augmentation():
    return keras.Sequential(
        [layers.RandomFlip("horizontal"), layers.RandomTranslation(0.1, 0.1)], name="augment"
    )


def transferred(base=None, **call):
    """Keras' guide: https://keras.io/guides/transfer_learning."""
    image = keras.Input(SHAPE, name="image")
    x = (base or backbone())(augmentation()(image), **call)
    return keras.Model(image, layers.Dense(3, name="head")(x), name="transfer")


def in_sequence():
    return keras.Sequential(
        [keras.Input(SHAPE), augmentation(), backbone(), layers.Dense(3, name="head")],
        name="transfer",
    )


def called_once():
    """A Sequential model without an input, which it gets with its first images."""
    model = keras.Sequential([augmentation(), backbone(), layers.Dense(3, name="head")])
    model(pixels(1, *SHAPE))
    return model


def deeper():
    return keras.Sequential([keras.Input(SHAPE), transferred(), layers.Softmax(name="softmax")])


def around_any_size():
    return transferred(backbone(input_shape=(None, None, 3)))


MODELS = {
    "functional": transferred,
    "sequential": in_sequence,
    "called once": called_once,
    "twice nested": deeper,
    "of any size": around_any_size,
    "not in training": lambda: transferred(training=False),
}
INSIDE = [layer.name for layer in cifar.ResNet(8, width=2).layers[1:-1]]


@pytest.fixture(params=MODELS, name="model")
def a_model(request):
    return MODELS[request.param]()


def same(model, other, tolerance=1e-5):
    x = pixels(2, *SHAPE)
    a, b = (m.predict(x, verbose=0) for m in (model, other))
    return np.abs(a - b).max() <= tolerance * np.abs(a).max()


def test_a_profile_has_a_row_for_every_layer_inside(model):
    found = anatomy.profile(model)
    names = [row.name for row in found.rows]
    assert [name for name in names if name in INSIDE] == sorted(INSIDE, key=names.index)
    assert {*INSIDE, "head"} <= {*names}
    assert found.parameters == model.count_params()
    flat = cifar.ResNet(8, width=2, classes=3, input_shape=SHAPE)
    assert found.macs == anatomy.profile(flat).macs


def test_features_are_those_of_the_network_inside(model):
    found = anatomy.features(model)
    assert [y.shape[1:] for y in found.outputs] == [(16, 16, 2), (8, 8, 4), (4, 4, 8)]
    x = pixels(2, *SHAPE)
    last = found.predict(x, verbose=0)[-1].mean((1, 2))
    head = model.get_layer("head") if "head" in [y.name for y in model.layers] else None
    if head:
        kernel, bias = head.get_weights()
        assert np.allclose(last @ kernel + bias, model.predict(x, verbose=0), atol=1e-4)
    weights = {id(w) for w in model.weights}
    assert all(id(w) in weights for w in found.weights)
    assert anatomy.profile(found).rows == anatomy.profile(model).rows[: len(found.layers)]


def test_stages_are_tensors_of_the_model(model):
    tensor = anatomy.stages(model)[2]
    tapped = keras.Model(model.inputs[0], tensor)
    assert tapped.predict(pixels(1, *SHAPE), verbose=0).shape == (1, 8, 8, 4)


def test_a_flat_model_computes_the_same_with_the_same_weights(model):
    flat = anatomy.flat(model)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    assert same(model, flat)
    assert {id(w) for w in flat.weights} == {id(w) for w in model.weights}
    assert anatomy.flat(flat) is flat


@pytest.mark.parametrize("rewrite", [inference.plain, inference.fold_batch_norm])
def test_folded_and_plain_models_compute_the_same_with_weights_of_their_own(model, rewrite):
    found = rewrite(model)
    assert same(model, found)
    normalizations = [type(y).__name__ for y in found.layers].count("BatchNormalization")
    assert normalizations == (0 if rewrite is inference.fold_batch_norm else 7)
    assert not {id(w) for w in found.weights} & {id(w) for w in model.weights}
    assert found.name == model.name


def test_a_loaded_model_is_looked_into_as_the_saved_one(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert anatomy.profile(loaded) == anatomy.profile(model)
    assert same(model, inference.fold_batch_norm(loaded))
    assert same(anatomy.features(model, [4]), anatomy.features(loaded, [4]))


def test_a_copy_is_saved_and_loaded(tmp_path):
    model = transferred()
    inference.plain(model).save(tmp_path / "plain.keras")
    assert same(model, keras.models.load_model(tmp_path / "plain.keras"))


def test_layers_keep_what_their_model_was_called_with():
    image, x = keras.Input((4, 4, 2)), pixels(8, 4, 4, 2)
    inside = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Conv2D(2, 1), layers.BatchNormalization()]
    )
    model = keras.Model(image, inside(image, training=True))
    flat = anatomy.flat(model)
    on_the_batch = keras.ops.convert_to_numpy(flat(x))
    assert np.abs(on_the_batch.mean((0, 1, 2))).max() < 1e-5
    assert np.abs(on_the_batch - flat.predict(x, verbose=0)).max() > 0.1
    with pytest.raises(ValueError, match="with training=True"):
        inference.fold_batch_norm(model)


def member(name):
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(2, 3, name="conv"), layers.BatchNormalization(name="bn"),
         layers.GlobalAveragePooling2D(name="pool")], name=name,
    )  # fmt: skip


def test_two_inner_models_may_have_layers_of_one_name():
    """An ensemble: each is counted and copied; one flat model of the same layers cannot be."""
    image = keras.Input(SHAPE)
    first, second = member("first"), scramble(member("second"))
    model = keras.Model(image, layers.Average()([first(image), second(image)]))
    assert anatomy.profile(model).parameters == model.count_params()
    assert {"conv", "conv_1"} <= {row.name for row in anatomy.profile(model).rows}
    folded = inference.fold_batch_norm(model)
    assert same(model, folded)
    assert same(model, inference.plain(model))
    with pytest.raises(ValueError, match=r"has two layers called '(conv|bn|pool)'"):
        anatomy.flat(model)


def test_inner_models_may_take_and_give_several_tensors():
    a, b = keras.Input(SHAPE, name="a"), keras.Input((16, 16, 2), name="b")
    inner = keras.Model(
        {"a": a, "b": b}, {"sum": layers.Conv2D(2, 1)(a) + b, "same": layers.ReLU()(b)}
    )
    image = keras.Input(SHAPE)
    found = inner({"a": image, "b": layers.Conv2D(2, 3, padding="same")(image)})
    model = keras.Model(image, [found["same"], {"sum": found["sum"]}])
    x = pixels(2, *SHAPE)
    for other in (anatomy.flat(model), inference.plain(model)):
        same_, rest = other.predict(x, verbose=0)
        want, wanted = model.predict(x, verbose=0)
        assert np.allclose(same_, want, atol=1e-6)
        assert np.allclose(rest["sum"], wanted["sum"], atol=1e-6)


def test_strides_are_those_of_the_resized_image():
    image = keras.Input((40, 50, 3))
    x = layers.CenterCrop(16, 16)(layers.Resizing(20, 20)(image))
    model = keras.Model(image, backbone()(x))
    assert list(anatomy.stages(model)) == [1, 2, 4]
    rows = {row.name: row for row in anatomy.profile(model).rows}
    assert rows["conv1_conv"].receptive_field == (3, 3)
    features = anatomy.features(model, [4])
    assert features.predict(pixels(1, 40, 50, 3), verbose=0)[0].shape == (4, 4, 8)


def test_the_same_layers_in_another_model_have_a_graph_of_their_own():
    """A layer holds the tensors of its first call alone."""
    layer = layers.Conv2D(2, 3, name="conv")
    layer(keras.Input((8, 8, 2)))
    image = keras.Input((9, 9, 2))
    model = keras.Model(image, layers.ReLU(name="relu")(layer(image)))
    assert anatomy.profile(model).rows[1].output_shape == (7, 7, 2)
    assert keras.Model(model.input, anatomy.stages(model)[1]).output_shape == (None, 7, 7, 2)


def test_auxiliary_heads_of_an_inner_model_are_dropped():
    image = keras.Input((8, 8, 3))
    first = under("a", conv(4, 3), norm(), relu())(image)
    heads = [chain(global_pool(name=f"{n}_pool"), dense(3, name=n))(first) for n in ("p", "aux1")]
    network = keras.Model(image, heads, name="network")
    again = keras.Input((8, 8, 3))
    model = keras.Model(again, network(layers.Rescaling(2.0)(again)))
    x = pixels(2, 8, 8, 3)
    found = inference.drop_auxiliary(model)
    assert np.allclose(found.predict(x, verbose=0), model.predict(x, verbose=0)[0], atol=1e-6)


# --- the images that the network inside wants ------------------------------------------------

NAME = ("cifar_resnet20", "cifar")
BODY = {"include_top": False, "pooling": "avg", "input_shape": SHAPE}


def around(*bases):
    image = keras.Input(SHAPE)
    x = [base(augmentation()(image)) for base in bases]
    return keras.Model(image, layers.Dense(3)(layers.Concatenate()(x) if x[1:] else x[0]))


def test_images_are_scaled_as_the_network_inside_wants_them():
    base = pretrained.build(*NAME, **BODY)
    x = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), "uint8")
    wanted = pretrained.preprocess(x, base)
    on_top = keras.Model(base.input, layers.Dense(3)(base.output))
    for model in (around(base), on_top, keras.Sequential([base, layers.Dense(3)])):
        assert (pretrained.preprocess(x, model) == wanted).all()


def test_of_two_networks_inside_none_is_guessed():
    bases = (
        pretrained.build(*NAME, **BODY),
        pretrained.build("resnet18", "torchvision", **BODY | {"input_shape": (32, 32, 3)}),
    )
    image = keras.Input((32, 32, 3))
    both = [bases[0](layers.CenterCrop(16, 16)(image)), bases[1](image)]
    with pytest.raises(ValueError, match="cifar_resnet20 of cifar, resnet18 of torchvision"):
        pretrained.preprocess(pixels(1, 32, 32, 3), keras.Model(image, both))


def test_a_network_inside_that_scales_its_images_is_told_of():
    base = pretrained.build(*NAME, include_preprocessing=True, **BODY)
    with pytest.raises(ValueError, match="scales its images itself"):
        pretrained.preprocess(pixels(1, *SHAPE), around(base))
