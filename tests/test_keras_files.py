"""Keras' own files of networks: other types, other names, other forms; and files under way."""

import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import keras_ilsvrc
from keras_ilsvrc import cifar, pretrained
from keras_ilsvrc.pretrained.dialect import Dialect, File
from keras_ilsvrc.pretrained.fetching import fetch
from keras_ilsvrc.pretrained.saving import write

NAME, SOURCE = "cifar_resnet20", "cifar"
TYPES = ("float16", "bfloat16", "float32", "float64")
POLICIES = (*TYPES, "mixed_float16", "mixed_bfloat16")
if keras.backend.backend() == "jax":  # whose float64 is an option of the process
    POLICIES = tuple(policy for policy in POLICIES if policy != "float64")


def under_policy(policy, build, *arguments, **options):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return build(*arguments, **options)
    finally:
        keras.config.set_dtype_policy(before)


def written(model, path):
    if path.name.endswith((".safetensors", ".pth")):
        pretrained.save(model, path)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)


def values(model):
    return [
        keras.ops.convert_to_numpy(keras.ops.cast(v.value, "float64")).astype("float64")
        if keras.backend.backend() != "jax"
        else np.asarray(v.value).astype("float64")
        for v in model.weights
    ]


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5", ".safetensors", ".pth"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_model_of_every_type_is_saved_and_loaded(tmp_path, suffix, policy):
    """Into itself, and into float32, which holds all of them but float64's last bits."""
    if suffix == ".pth" and keras.backend.backend() != "torch":
        pytest.skip("PyTorch writes it")
    model = under_policy(policy, pretrained.build, NAME, SOURCE)
    path = tmp_path / f"w{suffix}"
    written(model, path)
    for wanted in {policy, "float32"}:
        back = under_policy(wanted, pretrained.load, NAME, SOURCE, path)
        for a, b in zip(values(model), values(back), strict=True):
            assert np.abs(a - b).max() <= 1e-7 * np.abs(a).max()


@pytest.mark.parametrize("kind", [
    "float16", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int8", "uint8", "int32",
])  # fmt: skip
def test_tensors_of_every_type_are_read(tmp_path, kind):
    dtype = np.dtype(getattr(ml_dtypes, kind, kind))
    model = pretrained.build(NAME, SOURCE)
    pretrained.save(model, tmp_path / "w.safetensors")
    state = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    typed = {n: np.ones(a.shape).astype(dtype) for n, a in state.items()}
    safetensors.numpy.save_file(typed, tmp_path / "w.safetensors")
    back = pretrained.load(NAME, SOURCE, tmp_path / "w.safetensors")
    assert all((v == 1).all() for v in values(back))


@pytest.mark.parametrize("kind", ["bool", "complex64"])
def test_what_are_no_real_numbers_is_refused(tmp_path, kind):
    model = pretrained.build(NAME, SOURCE)
    pretrained.save(model, tmp_path / "w.safetensors")
    state = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    state["conv1.weight"] = state["conv1.weight"].astype(kind)
    safetensors.numpy.save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(pretrained.LoadError, match="has no numbers for 'conv1_conv/kernel'"):
        pretrained.load(NAME, SOURCE, tmp_path / "w.safetensors")


@pytest.mark.parametrize("folder", ["", "model/"])
def test_an_archive_that_was_packed_again_is_read(tmp_path, folder):
    model = cifar.ResNet(20)
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as old:
        with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as new:
            if folder:
                new.writestr(folder, b"")
            for name in reversed(old.namelist()):
                new.writestr(folder + name, old.read(name))
        with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_BZIP2) as other:
            for name in old.namelist():
                other.writestr(name, old.read(name))
    back = cifar.ResNet(20, weights=tmp_path / "w.keras")
    assert all((a == b).all() for a, b in zip(values(model), values(back), strict=True))
    with pytest.raises(pretrained.LoadError, match="not as zip usually does"):
        cifar.ResNet(20, weights=tmp_path / "x.keras")


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_keras_inception_has_the_names_of_what_was_built_before(tmp_path, suffix):
    options = {"input_shape": (75, 75, 3), "classes": 3}
    keras.layers.Conv2D(1, 1), keras.layers.BatchNormalization()
    theirs = keras.applications.InceptionV3(weights=None, **options)
    path = tmp_path / f"w{suffix}"
    written(theirs, path)
    ours = pretrained.load("inception_v3", "keras", path, **options)
    x = np.random.default_rng(0).normal(size=(1, 75, 75, 3)).astype("float32")
    a, b = (m.predict(x, verbose=0) for m in (theirs, ours))
    assert np.abs(a - b).max() <= 1e-5
    pretrained.load("inception_v3", "keras", path, include_top=False, input_shape=(75, 75, 3))


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_a_classifier_s_file_is_read_into_the_dilated_backbone(tmp_path, suffix):
    shape = {"input_shape": (32, 32, 3)}
    path = tmp_path / f"w{suffix}"
    written(keras_ilsvrc.ResNet18(classes=3, **shape), path)
    dilated = {"include_top": False, "output_stride": 8, **shape}
    back = keras_ilsvrc.ResNet18(weights=path, **dilated)
    again = tmp_path / f"again{suffix}"
    written(back, again)
    keras_ilsvrc.ResNet18(weights=again, **dilated)
    if suffix != ".weights.h5":
        other = pretrained.build("resnet50", "torchvision", kernel_initializer="zeros", **shape)
        written(other, path)
        with pytest.raises(pretrained.LoadError, match="is of another form"):
            keras_ilsvrc.ResNet50(weights=path, kernel_initializer="zeros", **dilated)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("source", ["torchvision", "keras"])
def test_a_file_that_holds_its_preprocessing_is_read(tmp_path, suffix, data_format, source):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(data_format)
    try:
        name = "resnet18" if source == "torchvision" else "resnet50"
        shape = (32, 32, 3) if data_format == "channels_last" else (3, 32, 32)
        options = {"input_shape": shape, "classes": 3}
        model = pretrained.build(name, source, include_preprocessing=True, **options)
        path = tmp_path / f"w{suffix}"
        written(model, path)
        for scaled in (True, False):
            back = pretrained.load(name, source, path, include_preprocessing=scaled, **options)
            pairs = zip(model.get_weights(), back.get_weights(), strict=True)
            assert all((a == b).all() for a, b in pairs)
    finally:
        keras.config.set_image_data_format(before)


def test_writers_of_one_path_do_not_meet(tmp_path):
    path, faults = tmp_path / "w.safetensors", []
    done = threading.Event()

    def look():
        while not done.is_set():
            if path.exists():
                try:
                    safetensors.numpy.load_file(path)
                except Exception as fault:
                    faults.append(fault)

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(4) as pool:
        arrays = [{"w": np.full(50_000, i, "float32")} for i in range(4)]
        list(pool.map(lambda i: write(path, arrays[i % 4], {}), range(40)))
    done.set()
    reader.join()
    assert not faults
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_building_in_threads_leaves_the_recursion_limit():
    before = sys.getrecursionlimit()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: cifar.ResNet(n, width=1), [56, 20, 8, 20, 56, 8]))
    assert sys.getrecursionlimit() == before


def test_where_a_host_is_dead_another_is_asked(tmp_path, monkeypatch):
    """Each file is compared with the digest before it is put in its place."""
    from hashlib import sha256

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    right, wrong = tmp_path / "right.pth", tmp_path / "wrong.pth"
    right.write_bytes(b"right")
    wrong.write_bytes(b"wrong")
    urls = ("http://localhost:9/w.pth", wrong.as_uri(), right.as_uri())
    place = tmp_path / "models" / "w.pth"
    fetch(File(urls[0], sha256(b"right").hexdigest()[:8], urls[1:]), place)
    assert place.read_bytes() == b"right"
    assert [p.name for p in place.parent.iterdir()] == ["w.pth"]
    with pytest.raises(OSError, match=r"cannot fetch http://localhost:9/w\.pth .*wrong\.pth"):
        fetch(File(urls[0], "12345678", urls[1:2]), tmp_path / "models" / "other.pth")


@pytest.mark.parametrize("name", ["se_resnet50", "se_resnet101", "se_resnet152", "inception_v4"])
def test_imagenet_s_file_has_a_second_host(name):
    entry: Dialect = pretrained.entry(name, "imagenet")
    hosts = [url.split("/")[2] for url in (entry.file.url, *entry.file.mirrors)]
    assert hosts == ["github.com", "data.lip6.fr"]
