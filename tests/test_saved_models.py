"""Saved models open without this package, in Keras' layers; with it, in the package's."""

import copy
import json
import os
import pickle
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from keras_ilsvrc import blocks, cifar, inference, layers, pretrained

SIDE = 16


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def scramble(model):
    """Weights and statistics of no start, under which signals neither die nor burst."""
    draw = np.random.default_rng(1)

    def values(path, shape):
        if path.endswith("kernel"):
            return draw.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
        positive = path.endswith(("gamma", "moving_variance"))
        return draw.uniform(0.5, 1.5, shape) if positive else draw.normal(0, 0.5, shape)

    model.set_weights([values(w.path, w.shape) for w in model.weights])
    return model


def under_policy(policy, build):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(before)


def channels_first(build):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        return build()
    finally:
        keras.config.set_image_data_format(before)


def alexnet(**options):
    return cifar.AlexNet(width=2, **{"input_shape": (SIDE, SIDE, 3), **options})


def resnet(**options):
    return cifar.ResNet(8, width=4, **{"input_shape": (SIDE, SIDE, 3), **options})


def transfer():
    """As Keras' guides have it: a network inside a model, behind augmentation."""
    image = keras.Input((SIDE, SIDE, 3))
    base = resnet(include_top=False, pooling="avg")
    base.trainable = False
    flipped = keras.layers.RandomFlip("horizontal", seed=1)(image)
    return keras.Model(image, keras.layers.Dense(3)(base(flipped)))


# Every layer that the package has, in every way in which models are made.
MODELS = {
    "alexnet": alexnet,
    "alexnet_float16": lambda: under_policy("mixed_float16", alexnet),
    "resnet": resnet,
    "resnet_bfloat16": lambda: under_policy("mixed_bfloat16", resnet),
    "resnetv2": lambda: cifar.ResNetV2(8, width=4, input_shape=(SIDE, SIDE, 3)),
    "densenet": lambda: cifar.DenseNet(10, growth=4, input_shape=(SIDE, SIDE, 3)),
    "se_resnet": lambda: cifar.SEResNet(8, width=4, input_shape=(SIDE, SIDE, 3)),
    "vgg": lambda: cifar.VGG(11, width=2, normalization="batch", input_shape=(SIDE, SIDE, 3)),
    "vgg_lrn": lambda: cifar.VGG(11, width=2, column="A-LRN", input_shape=(SIDE, SIDE, 3)),
    "googlenet": lambda: cifar.GoogLeNet(
        width=4, auxiliary=True, normalization="batch", input_shape=(SIDE, SIDE, 3)
    ),
    "pixels": lambda: pretrained.build(
        "cifar_resnet20", "cifar", include_preprocessing=True, input_shape=(SIDE, SIDE, 3)
    ),
    "folded": lambda: inference.fold_batch_norm(resnet()),
    "folded_lrn": lambda: inference.fold_batch_norm(alexnet()),
    "clone": lambda: keras.models.clone_model(alexnet()),
    "features": lambda: resnet(include_top=False),
    "transfer": transfer,
    "sequential": lambda: keras.Sequential([keras.Input((SIDE, SIDE, 3)), resnet()]),
}
FIRST = {
    "alexnet_first": lambda: alexnet(input_shape=(3, SIDE, SIDE)),
    "resnet_first": lambda: resnet(input_shape=(3, SIDE, SIDE)),
}

FEW = ("alexnet", "resnet")

# Where this package cannot be imported.
ELSEWHERE = """
import sys
from pathlib import Path
sys.modules["keras_ilsvrc"] = None
import keras, numpy as np
folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.keras")):
    keras.config.set_image_data_format(
        "channels_first" if path.stem.endswith("_first") else "channels_last"
    )
    model = keras.models.load_model(path)
    outputs = model.predict_on_batch(np.load(folder / f"{path.stem}.npy"))
    outputs = [np.asarray(y, "float32") for y in keras.tree.flatten(outputs)]
    np.savez(folder / f"{path.stem}-{keras.backend.backend()}.npz", *outputs)
"""


def test_saved_models_predict_where_this_package_is_not(tmp_path):
    """All of them on one backend: compiling takes most of the time, and files differ in nothing."""
    everything = keras.backend.backend() == "torch"
    chosen = MODELS if everything else {name: MODELS[name] for name in FEW}
    built = {name: scramble(build()) for name, build in chosen.items()}
    if everything:
        built |= {name: scramble(channels_first(build)) for name, build in FIRST.items()}
    for name, model in built.items():
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", noise(2, *model.input_shape[1:]))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, model in built.items():
        here = keras.tree.flatten(model.predict_on_batch(np.load(tmp_path / f"{name}.npy")))
        there = np.load(tmp_path / f"{name}-{keras.backend.backend()}.npz")
        tolerance = {"alexnet_float16": 2e-3, "resnet_bfloat16": 2e-2}.get(name, 1e-5)
        for a, b in zip(here, there.values(), strict=True):
            a = np.asarray(a, "float32")
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= tolerance * max(1e-3, np.abs(a).max()), name


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("build", [resnet, alexnet])
def test_opened_here_a_model_has_this_package_s_layers(build, suffix, tmp_path):
    model = scramble(build())
    model.save(tmp_path / f"model{suffix}")
    again = keras.models.load_model(tmp_path / f"model{suffix}")
    assert [type(x) for x in again.layers] == [type(x) for x in model.layers]
    assert any(isinstance(x, layers.BatchNormalization | layers.Power) for x in again.layers)
    x = noise(2, SIDE, SIDE, 3)
    assert np.allclose(again.predict_on_batch(x), model.predict_on_batch(x), rtol=1e-5, atol=1e-7)


def test_a_file_names_keras_class_and_the_registered_one(tmp_path):
    resnet().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        saved = json.loads(file.read("config.json"))["config"]["layers"]
    (layer,) = (x for x in saved if x["config"]["name"] == "conv1_bn")
    assert layer["module"] == keras.layers.BatchNormalization.__module__
    assert layer["class_name"] == "BatchNormalization"
    assert layer["registered_name"] == "keras_ilsvrc>BatchNormalization"


def test_keras_own_files_keep_keras_own_layers(tmp_path):
    """The control: importing this package changes no other model."""
    image = keras.Input((4, 4, 3))
    keras.Model(image, keras.layers.BatchNormalization()(image)).save(tmp_path / "theirs.keras")
    again = keras.models.load_model(tmp_path / "theirs.keras")
    assert type(again.layers[1]) is keras.layers.BatchNormalization


def test_a_file_of_the_first_version_opens_here(tmp_path):
    """It names this package's module, and has response normalization in one layer."""
    image = keras.Input((6, 6, 4))
    y = layers.BatchNormalization(name="bn")(layers.LocalResponseNormalization(name="lrn")(image))
    model = scramble(keras.Model(image, y))
    model.save(tmp_path / "new.keras")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as new,
        zipfile.ZipFile(tmp_path / "old.keras", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                module = keras.layers.BatchNormalization.__module__.encode()
                assert module in content
                content = content.replace(module, b"keras_ilsvrc.layers")
            old.writestr(name, content)
    again = keras.models.load_model(tmp_path / "old.keras")
    assert [type(x) for x in again.layers] == [type(x) for x in model.layers]
    x = noise(2, 6, 6, 4)
    assert np.array_equal(again.predict_on_batch(x), model.predict_on_batch(x))


def test_plain_spells_the_first_version_s_response_normalization_out():
    image = keras.Input((6, 6, 4))
    model = keras.Model(image, layers.LocalResponseNormalization(n=3, k=1.0, name="lrn")(image))
    copy = inference.plain(model)
    assert copy.layers[-1].name == "lrn"
    assert not [x for x in copy.layers if type(x).__module__.startswith("keras_ilsvrc")]
    assert not [x for x in copy.layers if isinstance(x, layers.Power)]
    x = noise(2, 6, 6, 4)
    assert np.allclose(copy.predict_on_batch(x), model.predict_on_batch(x), rtol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_response_normalization_in_layers_is_the_layer_s(policy):
    """Outputs and gradients' directions; in half precision the sums are float32's."""

    def both():
        image = keras.Input((5, 6, 8))
        one = keras.Model(image, layers.LocalResponseNormalization(name="lrn")(image))
        return one, keras.Model(image, blocks.lrn()(image))

    one, many = under_policy(policy, both)
    x = 300 * noise(2, 5, 6, 8)  # whose squares are beyond float16
    a, b = (np.asarray(m.predict_on_batch(x)) for m in (one, many))
    assert a.dtype == b.dtype
    assert np.isfinite(b.astype("float32")).all()
    assert np.allclose(a.astype("float32"), b.astype("float32"), rtol=2e-2)
    assert one.output.dtype == many.output.dtype
    if policy == "float32":
        assert np.array_equal(a, b)


def test_the_layers_survive_pickle_and_copy():
    model = scramble(resnet())
    normalization, power = model.get_layer("conv1_bn"), layers.Power(name="p")
    for again in (pickle.loads(pickle.dumps(normalization)), copy.deepcopy(normalization)):
        assert type(again) is layers.BatchNormalization
        assert again.get_config() == normalization.get_config()
        assert all(map(np.array_equal, again.get_weights(), normalization.get_weights()))
    unbuilt = pickle.loads(pickle.dumps(layers.BatchNormalization(epsilon=0.1)))
    assert unbuilt.epsilon == 0.1
    assert type(pickle.loads(pickle.dumps(power))) is layers.Power
    x = noise(2, SIDE, SIDE, 3)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
