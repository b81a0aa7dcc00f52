"""Files for other engines: what is refused, named, dropped, and one round trip.

Every format, network and backend: tests/exports.py, by `tox run -e exports-torch` and others.
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_ilsvrc import calibration, cifar, export, inference
from keras_ilsvrc.engines import largest, require

backend = keras.backend.backend()


def tiny(name="predictions"):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    return keras.Model(image, layers.Dense(5, "softmax", name=name)(layers.Flatten()(x)))


def parts(folder):
    return sorted(x.name for x in folder.iterdir())


REFUSED = {
    ("jax", "onnx"): "KERAS_BACKEND=torch",
    ("jax", "litert"): "KERAS_BACKEND=tensorflow",
    ("jax", "torch"): "KERAS_BACKEND=torch",
    ("torch", "savedmodel"): "KERAS_BACKEND=tensorflow",
    ("tensorflow", "torch"): "KERAS_BACKEND=torch",
}


@pytest.mark.parametrize("format", export.FORMATS)
def test_what_cannot_be_run_is_refused_before_a_file_is_written(format, tmp_path):
    suffix = export.FORMATS[format].suffix
    if (backend, format) not in REFUSED:
        assert format not in REFUSED or backend not in export.FORMATS[format].refused
        return
    with pytest.raises(ValueError, match=REFUSED[backend, format]) as refusal:
        export.export(tiny(), tmp_path / f"m{suffix}", format)
    assert "\n" not in str(refusal.value)
    assert not parts(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("m.bin",), "ends with none of .onnx"),
        (("m.onnx", "onyx"), "format is one of"),
        (("m.tflite", "onnx"), "ends with .onnx, not 'm.tflite'"),
    ],
)
def test_paths_and_formats_that_do_not_fit(arguments, sentence, tmp_path):
    path, *format = arguments
    with pytest.raises(ValueError, match=sentence):
        export.export(tiny(), tmp_path / path, *format)
    assert not parts(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"precision": "int4"}, "precision is"),
        ({"precision": "int8"}, "needs calibration"),
        ({"calibration": np.zeros((10, 8, 8, 3))}, "precision is 'f32'"),
        ({"batch": 0}, "batch is a positive number"),
        ({"size": 224}, "height, width"),
    ],
)
def test_options_that_do_not_go_together(options, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        export.export(tiny(), tmp_path / "m.xml", **options)
    assert not parts(tmp_path)


def test_what_is_no_graph_is_refused(tmp_path):
    with pytest.raises(ValueError, match="No file is written"):
        export.export(3, tmp_path / "m.xml")
    with pytest.raises(ValueError, match="has no graph yet"):
        export.export(keras.Sequential([layers.Dense(3)]), tmp_path / "m.xml")


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        export.export(tiny(), tmp_path / "absent" / "m.onnx")


def test_a_folder_with_other_things_stays(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="other things in it"):
        export.export(tiny(), tmp_path, "savedmodel")
    assert parts(tmp_path) == ["thesis.tex"]


def test_missing_packages_are_named_with_their_extra():
    with pytest.raises(ImportError, match=r"no_such is missing to write it: pip install no_such\."):
        require(["no_such", "numpy"], "to write it")
    if importlib.util.find_spec("nncf") is None:
        with pytest.raises(ImportError, match=r"pip install nncf \(or keras_ilsvrc\[openvino\]\)"):
            require(["nncf"], "to quantize")


def test_names_do_not_depend_on_what_was_built_before():
    assert export.names_of(tiny()) == export.names_of(tiny()) == (("images",), ("predictions",))
    assert export.names_of(tiny(None)) == export.names_of(tiny(None)) == (("images",), ("outputs",))
    mine = keras.Input((3,), name="left")
    other = keras.Input((3,))
    both = keras.Model(
        [mine, other], [layers.Dense(2, name="score")(layers.Add()([mine, other])), mine]
    )
    assert export.names_of(both)[0] == ("left", "images_1")


def test_auxiliary_classifiers_are_dropped_unless_asked_for():
    image = keras.Input((8, 8, 3))
    x = layers.Flatten()(image)
    heads = [layers.Dense(3, name=name)(x) for name in ("predictions", "aux1", "aux2")]
    model = keras.Model(image, heads)
    ready, _, notes = export.prepared(model, "onnx", False, False, None, None)
    assert len(ready.outputs) == 1
    assert notes == ["The auxiliary classifiers are dropped."]
    kept, _, notes = export.prepared(model, "onnx", True, False, None, None)
    assert len(kept.outputs) == 3
    assert not notes


def test_lower_precision_is_written_in_float32_and_said():
    with_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    image = keras.Input((8, 8, 3))
    x = layers.Dense(4, name="dense")(layers.Conv2D(4, 3, dtype=with_policy)(image))
    model = keras.Model(image, x)
    ready, reference, notes = export.prepared(model, "onnx", False, True, None, None)
    assert "computes in bfloat16" in notes[0]
    assert export.lower_precision(ready) is None
    x = export.sample(model)
    assert largest(reference(x), export.outputs_of(ready)(x)) < 1e-6


def test_free_height_and_width_can_be_fixed():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)))
    ready, _, _ = export.prepared(model, "onnx", False, False, 4, (64, 96))
    assert ready.inputs[0].shape == (4, 64, 96, 3)
    with pytest.raises(ValueError, match="leave height and width free"):
        export.prepared(tiny(), "onnx", False, False, None, (64, 64))


# --- one format for real -------------------------------------------------------------------------

here = {
    "torch": ("model.onnx", ("onnx", "onnxruntime")),
    "tensorflow": ("model", ()),
    "jax": ("model", ("tensorflow",)),
}
name, needed = here[backend]
format_here = export.format_of(Path(name), None)
runs_here = pytest.mark.skipif(
    any(importlib.util.find_spec(x) is None for x in needed), reason=f"needs {needed}"
)


@pytest.fixture
def network():
    return cifar.ResNet(8, classes=7)


@runs_here
def test_the_file_computes_what_the_model_does_and_replaces_an_older_one(network, tmp_path):
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / name
    for _ in range(2):
        report = export.export(network, path)
        assert report.difference <= 1e-5
        assert parts(path.parent) == [name]
    assert report.inputs == ("images",)
    assert report.size > 4 * 70_000
    assert "differ from the model's by at most" in str(report)


@runs_here
def test_a_wrong_file_is_not_kept(network, tmp_path, monkeypatch):
    write = export.WRITERS[format_here]

    def altered(model, path):
        weights = model.get_weights()
        model.set_weights([1.5 * w for w in weights])
        write(model, path)

    monkeypatch.setitem(export.WRITERS, format_here, altered)
    with pytest.raises(export.ExportError, match="differ from the model's by"):
        export.export(network, tmp_path / name)
    assert not parts(tmp_path)


# --- calibration, compile --------------------------------------------------------------------


def test_a_fifth_of_the_images_is_held_out():
    learn, test = calibration.split(np.arange(12))
    assert [*test] == [4, 9]
    assert {*learn} | {*test} == {*range(12)}


def test_calibration_takes_images_that_the_model_takes(tmp_path):
    model = tiny()
    with pytest.raises(ValueError, match="at least 10 images, not 3"):
        calibration.read(np.zeros((3, 8, 8, 3)), model)
    with pytest.raises(ValueError, match=r"takes images of \(8, 8, 3\)"):
        calibration.read(np.zeros((10, 9, 8, 3)), model)
    with pytest.raises(ValueError, match="is none"):
        calibration.read(tmp_path / "absent", model)


def test_a_folder_of_pictures_is_read(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "class").mkdir()
    for i in range(10):
        image.new("L" if i % 2 else "RGB", (20, 10 + i), 100).save(tmp_path / "class" / f"{i}.png")
    (tmp_path / "notes.txt").write_text("")
    found = calibration.read(tmp_path, tiny(), lambda x: x / 100)
    assert found.shape == (10, 8, 8, 3)
    assert found[1].min() == found[1].max() == 1


def test_compile_on_the_backend_itself(network):
    images = np.random.default_rng(0).random((4, 32, 32, 3), "float32")
    fast = inference.compile(network, "keras", images=images)
    assert (fast.engine, fast.precision) == ("keras", "f32")
    assert fast.difference < 1e-5
    assert fast.agreement == 1
    assert largest([network.predict_on_batch(images)], [fast(images)]) < 1e-5
    assert "keras in f32: outputs differ" in str(fast)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tensorrt",), "engine is"),
        (("keras", "int8"), "does not compute in int8"),
        (("onnxruntime", "bf16"), "choose engine 'openvino' or 'keras'"),
        (("openvino", "f16"), "precision is"),
        (("openvino", "int8"), "go together"),
    ],
)
def test_what_cannot_be_compiled(arguments, sentence, network):
    with pytest.raises(ValueError, match=sentence):
        inference.compile(network, *arguments)


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="openvino is here")
def test_an_engine_that_is_not_installed_is_named(network):
    with pytest.raises(ImportError, match="openvino is missing"):
        inference.compile(network, "openvino")
