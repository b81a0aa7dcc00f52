"""Images on their way in, words on the way out, and files on their way here."""

import subprocess
import sys
import threading
import warnings
from functools import partial
from hashlib import md5, sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_weights import DIALECT, NAME, SOURCE, arrays, whole  # noqa: F401 (fixtures)

import keras_ilsvrc
from keras_ilsvrc import cifar, decode_predictions, preprocess, pretrained
from keras_ilsvrc.pretrained.dialect import Dialect, File

MODULES = {"resnet": "resnet", "densenet": "densenet"}  # of keras.applications, by their beginning


def pixels(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape)


# --- preprocess ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pretrained.SOURCES["keras"])
def test_keras_s_contracts_do_what_keras_applications_does(name):
    module = next((m for begin, m in MODULES.items() if name.startswith(begin)), name)
    module = "resnet_v2" if name.endswith("v2") and module == "resnet" else module
    theirs = getattr(keras.applications, module).preprocess_input(pixels().astype("float32"))
    ours = preprocess(pixels(), pretrained.entry(name, "keras"))
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize(("name", "source", "first"), [
    ("resnet50", "torchvision", (10 / 255 - 0.485) / 0.229),
    ("inception_v3", "torchvision", 10 / 127.5 - 1),
    ("googlenet", "torchvision", 10 / 127.5 - 1),
    ("inception_v2", "cadene", 30 - 104),  # its first channel is blue
    ("senet154", "qubvel", (10 / 255 - 0.485) / 0.229),
    ("inception_v4", "timm", 10 / 127.5 - 1),
])  # fmt: skip
def test_a_pixel_by_hand(name, source, first):
    (value, *_) = preprocess(np.array([[[10, 20, 30]]]), pretrained.entry(name, source))[0, 0]
    assert value == pytest.approx(first, abs=1e-5)


@given(st.sampled_from(["uint8", "int64", "float32", "float64"]), st.integers(0, 9))
def test_the_argument_stays_as_it_was(dtype, seed):
    images = pixels(seed=seed).astype(dtype)
    before = images.copy()
    for name in ("resnet50", "resnet50v2"):
        result = preprocess(images, pretrained.entry(name, "keras"))
        assert result.dtype == "float32"
        assert not np.shares_memory(result, images)
    assert (images == before).all()
    assert images.dtype == dtype


@pytest.mark.parametrize("name", ["resnet50", "resnet50v2", "densenet121"])
def test_tensors_are_scaled_like_arrays(name):
    entry = pretrained.entry(name, "keras")
    tensor = keras.ops.convert_to_tensor(pixels().astype("float32"))
    result = preprocess(tensor, entry)
    assert keras.ops.is_tensor(result)
    assert np.abs(keras.ops.convert_to_numpy(result) - preprocess(pixels(), entry)).max() <= 1e-4


def test_it_runs_inside_a_compiled_function():
    """Where a tensor has no values yet."""
    entry = pretrained.entry("resnet50", "keras")
    images = pixels().astype("float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        batches = tf.data.Dataset.from_tensors(images).map(lambda x: preprocess(x, entry))
        (result,) = batches.as_numpy_iterator()
    elif keras.backend.backend() == "jax":
        import jax

        result = np.asarray(jax.jit(lambda x: preprocess(x, entry))(images))
    else:
        import torch

        tensor = torch.from_numpy(images).requires_grad_()
        result = preprocess(tensor, entry).detach().numpy()
    assert np.abs(result - preprocess(pixels(), entry)).max() <= 1e-4


@pytest.mark.parametrize("wrong", ["resnet50", None, np.zeros(3)])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(TypeError, match="takes images, and then a model"):
        preprocess(pixels(), wrong)


def test_lists_and_contracts_will_do():
    first = preprocess(pixels().tolist(), DIALECT.contract)
    assert (first == preprocess(pixels(), DIALECT)).all()


def test_channels_may_come_first():
    keras.config.set_image_data_format("channels_first")
    try:
        first = preprocess(pixels().transpose(0, 3, 1, 2), pretrained.entry("vgg16", "keras"))
    finally:
        keras.config.set_image_data_format("channels_last")
    last = preprocess(pixels(), pretrained.entry("vgg16", "keras"))
    assert (first.transpose(0, 2, 3, 1) == last).all()


@pytest.mark.parametrize(("images", "says"), [
    (np.full((1, 2, 2, 3), 0.5), "multiply by 255"),
    (np.full((1, 2, 2, 3), -1.0), "from -1 to -1"),
    (np.full((1, 2, 2, 3), 300.0), "from 300 to 300"),
])  # fmt: skip
def test_another_range_is_warned_of(images, says):
    with pytest.warns(UserWarning, match=says):
        preprocess(images, DIALECT)


@pytest.mark.parametrize("images", [np.zeros((1, 2, 2, 3)), pixels(), np.zeros((0, 2, 2, 3))])
def test_pixels_are_not(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess(images, DIALECT)


def test_grey_images_are_refused():
    with pytest.raises(ValueError, match=r"with 3 channels \(last\), not 1"):
        preprocess(pixels((2, 5, 4, 1)), DIALECT)


def test_a_model_knows_its_images(whole):  # noqa: F811
    model = pretrained.load(NAME, SOURCE, whole[".pth"])
    assert (preprocess(pixels(), model) == preprocess(pixels(), DIALECT)).all()
    with pytest.raises(ValueError, match=r"nothing is known of the images of 'cifar_resnet20'"):
        preprocess(pixels(), cifar.ResNet(20))


@pytest.mark.parametrize("form", [(NAME, SOURCE), ("resnet50", "keras"), ("resnet50v2", "keras")])
def test_scaling_inside_the_graph_is_scaling_outside(form):
    options = {"input_shape": (32, 32, 3)}
    keras.utils.set_random_seed(0)
    inside = pretrained.build(*form, include_preprocessing=True, **options)
    outside = pretrained.build(*form, **options)
    outside.set_weights(inside.get_weights())
    images = pixels((2, 32, 32, 3))
    a = inside.predict(images.astype("float32"), verbose=0)
    b = outside.predict(preprocess(images, outside), verbose=0)
    assert np.abs(a - b).max() <= 1e-5
    with pytest.raises(ValueError, match="scales its images itself"):
        preprocess(images, inside)


def test_scaling_inside_survives_a_file(tmp_path):
    model = pretrained.build("resnet50", "keras", include_preprocessing=True,
                             input_shape=(32, 32, 3))  # fmt: skip
    model.save(tmp_path / "m.keras")
    images = pixels((1, 32, 32, 3)).astype("float32")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert (again.predict(images, verbose=0) == model.predict(images, verbose=0)).all()


@pytest.mark.parametrize("options", [{}, {"weights": None}])
def test_without_a_source_there_is_nothing_to_scale_by(options):
    with pytest.raises(ValueError, match="include_preprocessing=True needs weights of a source"):
        keras_ilsvrc.ResNet18(include_preprocessing=True, **options)


# --- decode_predictions --------------------------------------------------------------------------


def test_classes_are_named_in_ilsvrc_s_order():
    scores = np.eye(1000)[[0, 281, 999]]
    first = [row[0] for row in decode_predictions(scores, top=1)]
    assert first == [
        ("n01440764", "tench", 1.0), ("n02123045", "tabby", 1.0),
        ("n15075141", "toilet tissue", 1.0),
    ]  # fmt: skip


def test_a_thousand_classes_have_a_thousand_identifiers_in_order():
    (row,) = decode_predictions(np.arange(1000)[None], top=1000)
    identifiers = [i for i, _, _ in reversed(row)]
    assert identifiers == sorted({*identifiers})
    assert all(name == name.strip() != "" for _, name, _ in row)


@given(st.integers(0, 99), st.integers(1, 10))
def test_the_most_probable_come_first(seed, top):
    scores = np.random.default_rng(seed).normal(size=(2, 1000))
    for row, found in zip(scores, decode_predictions(scores, top), strict=True):
        assert [p for _, _, p in found] == sorted(row, reverse=True)[:top]


@pytest.mark.parametrize(("shape", "top"), [((2, 10), 5), ((1000,), 5), ((1, 1000), 0)])
def test_other_predictions_are_refused(shape, top):
    with pytest.raises(ValueError, match=r"predictions are|top is"):
        decode_predictions(np.zeros(shape), top)


# --- fetching ------------------------------------------------------------------------------------


@pytest.fixture
def published(whole, tmp_path, monkeypatch):  # noqa: F811
    """A site of its own with the weights, and an empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *words: None})
    handler = partial(quiet, directory=str(whole[".pth"].parent))
    server = ThreadingHTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    data = whole[".pth"].read_bytes()

    def offer(digest, url=f"http://localhost:{server.server_port}/w.pth"):
        entry = Dialect(**{**vars(DIALECT), "file": File(url, digest)})
        monkeypatch.setitem(pretrained.SOURCES[SOURCE], NAME, entry)
        return sha256(data).hexdigest(), md5(data).hexdigest()

    yield offer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", [0, 1], ids=["sha256", "md5"])
def test_a_source_s_file_is_fetched_once_and_checked(published, whole, kind, tmp_path):  # noqa: F811
    digest = published("")[kind]
    published(digest if kind else digest[:8])
    first = cifar.ResNet(20, weights="cifar")
    published(digest if kind else digest[:8], url="http://localhost:9/w.pth")  # nobody there
    again = pretrained.load(NAME, SOURCE)
    assert (tmp_path / "home" / "models" / "w.pth").exists()
    pairs = zip(first.get_weights(), again.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)


@pytest.mark.parametrize("digest", ["12345678", "0" * 32], ids=["sha256", "md5"])
def test_another_file_than_was_published_is_refused(published, digest):
    published(digest)
    with pytest.raises(pretrained.LoadError, match="is not what http"):
        pretrained.load(NAME, SOURCE)


def test_a_sha256_is_compared_with_what_was_fetched_too(published):
    published(published("")[0][:8])
    with pytest.raises(pretrained.LoadError, match="has another SHA-256"):
        pretrained.load(NAME, SOURCE, sha256="0" * 64)


def test_importing_asks_the_network_for_nothing():
    words = "import keras, socket; socket.socket.connect = None; import keras_ilsvrc"
    subprocess.run([sys.executable, "-c", words], check=True)


def test_offline_the_error_says_what_to_put_where(published, tmp_path):
    published("12345678", url="http://localhost:9/some-12345678.pth")
    place = tmp_path / "home" / "models"
    with pytest.raises(OSError, match=r"cannot fetch http://localhost:9/some-12345678\.pth") as e:
        pretrained.load(NAME, SOURCE)
    assert f"put the file in {str(place)!r} by hand, as 'some-12345678.pth'" in str(e.value)


def test_a_file_without_a_known_checksum_is_not_fetched(published):
    published(None)
    with pytest.raises(ValueError, match="no file with a known checksum: fetch http"):
        pretrained.load(NAME, SOURCE)


@pytest.mark.parametrize(("builder", "options", "match"), [
    (cifar.ResNet, {"depth": 20, "weights": "timm"}, "'timm' has no 'cifar_resnet20'"),
    (cifar.ResNet, {"depth": 26, "weights": "cifar"}, "no source has weights of ResNet with these"),
    (keras_ilsvrc.ResNet50, {"weights": "torchvision", "stride_on": "1x1"}, "has stride_on='3x3'"),
    (keras_ilsvrc.VGG16, {"weights": "keras", "column": "C"}, "'keras' has no 'vgg16_c'"),
    (keras_ilsvrc.ZFNet, {"weights": "imagenet"}, "no known source has weights of 'zfnet'"),
])  # fmt: skip
def test_a_builder_without_such_weights_says_so(builder, options, match):
    with pytest.raises(ValueError, match=match):
        builder(**options)


# --- parity --------------------------------------------------------------------------------------


def test_a_backend_agrees_with_itself(capfd):
    backend = keras.backend.backend()
    model = cifar.SEResNet(8, width=4)
    found = pretrained.parity(model, (backend, backend))
    assert {*found[backend].values()} == {0.0}
    assert {x.name for x in model.layers[1:]} == {*found[backend]}
    assert "largest" in capfd.readouterr().out


def test_parity_needs_two_backends():
    with pytest.raises(ValueError, match="compares two backends"):
        pretrained.parity(cifar.ResNet(8), (keras.backend.backend(),))
    with pytest.raises(ValueError, match="backends are tensorflow, torch, jax, not numpy"):
        pretrained.parity(cifar.ResNet(8), ("numpy",))


@pytest.mark.parametrize("source", ["torchvision", "keras"])
def test_tensors_of_another_library_are_scaled_by_it(source):
    """As in tf.data, or PyTorch's DataLoader, under any backend."""
    from keras_ilsvrc.pretrained import preprocessing

    library = keras.backend.backend()
    if library not in preprocessing.LIBRARIES:
        pytest.skip("of TensorFlow and PyTorch")
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype("uint8")
    contract = pretrained.entry("resnet50", source).contract
    right = pretrained.preprocess(images, contract)
    factor, summand = (a.astype("float32") for a in preprocessing.coefficients(contract))
    tensor = keras.ops.convert_to_tensor(images, "uint8")
    flip = contract.order == "BGR"
    found = preprocessing.LIBRARIES[library](tensor, -1, flip, factor, summand)
    assert type(found) is type(tensor)
    assert np.abs(keras.ops.convert_to_numpy(found) - right).max() <= 1e-4
