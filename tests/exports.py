"""Every format that a backend writes, of a network of each family: `tox run -e exports-torch`.

Also exports-tensorflow, exports-jax and exports-openvino, whose environments have the engines. Not
among the tests of every day: minutes for each backend.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_ilsvrc as zoo
from keras_ilsvrc import cifar, export, inference
from keras_ilsvrc.compiled import PRECISIONS
from keras_ilsvrc.engines import ENGINES, installed, largest, open_file

pytestmark = pytest.mark.filterwarnings("ignore")  # of converters, on their own internals
BACKEND = keras.backend.backend()


def small(builder, side, **options):
    return lambda: builder(input_shape=(side, side, 3), classes=10, **options)


def nested():
    image = keras.Input((32, 32, 3))
    base = cifar.ResNet(8, include_top=False, pooling="avg")
    return keras.Model(image, layers.Dense(3, name="kinds")(base(layers.Rescaling(1 / 255)(image))))


FAMILIES = {
    "cifar": lambda: cifar.ResNet(8),
    "nested": nested,
    "alexnet": small(zoo.AlexNet, 67, towers=2),
    "zfnet": small(zoo.ZFNet, 67),
    "vgg": small(zoo.VGG11, 32),
    "googlenet": small(zoo.GoogLeNet, 65),
    "inception_v2": small(zoo.InceptionV2, 65),
    "inception_v3": small(zoo.InceptionV3, 75),
    "inception_resnet": small(zoo.InceptionResNetV2, 75),
    "resnet": small(zoo.ResNet18, 64),
    "resnet_v2": small(zoo.ResNet50V2, 64),
    "resnext": small(zoo.ResNeXt50, 64),
    "densenet": small(zoo.DenseNet121, 64),
    "senet": small(zoo.SEResNet50, 64),
}
WRITTEN = [
    name
    for name, kind in export.FORMATS.items()
    if BACKEND in kind.writers and all(map(installed, kind.writers[BACKEND]))
]


@pytest.fixture(scope="module", params=FAMILIES)
def network(request):
    keras.utils.set_random_seed(0)
    return FAMILIES[request.param]()


def written(model, tmp_path, format, **options):
    path = tmp_path / f"network{export.FORMATS[format].suffix}"
    report = export.export(model, path, format, **options)
    assert report.difference is not None, "the environment has every engine"
    return report


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "plain"])
@pytest.mark.parametrize("format", WRITTEN)
def test_a_file_computes_what_the_model_does(network, format, fold, tmp_path):
    report = written(network, tmp_path, format, fold=fold)
    assert report.difference <= export.TOLERANCE
    run = open_file(report.path, format, report.outputs)
    for images in (1, 3) if (format, BACKEND) != ("litert", "torch") else (1,):
        x = export.sample(network, images)
        assert largest(export.outputs_of(network)(x), run(x)) <= export.TOLERANCE


PREDICT = """
import sys, keras, numpy as np
model, x = keras.models.load_model(sys.argv[1]), np.load(sys.argv[2])
np.savez(sys.argv[3], predicted=model.predict(x, verbose=0),
         exact=keras.ops.convert_to_numpy(model(x, training=False)))
"""


@pytest.mark.skipif(BACKEND == "openvino", reason="compares another backend with it")
def test_the_openvino_backend_predicts_the_same(network, tmp_path):
    (x,) = export.sample(network)
    inference.plain(network).save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    files = [str(tmp_path / name) for name in ("model.keras", "x.npy", "y.npz")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREDICT, *files],
        env={**os.environ, "KERAS_BACKEND": "openvino"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (right,) = export.outputs_of(network)([x])
    found = np.load(files[2])
    assert largest([right], [found["exact"]]) <= export.TOLERANCE
    # Its predict computes in bfloat16 where the processor can.
    assert largest([right], [found["predicted"]]) <= 0.2


@pytest.mark.parametrize("format", WRITTEN)
def test_height_and_width_stay_free_where_the_format_can(format, tmp_path):
    model = zoo.ResNet18(include_top=False, pooling="avg")
    if (format, BACKEND) in export.FIXED_SIZE:
        with pytest.raises(export.ExportError, match=r"give size=\(height, width\)"):
            written(model, tmp_path, format)
        report = written(model, tmp_path, format, size=(64, 96))
        x = [np.random.default_rng(0).random((1, 64, 96, 3), "float32")]
    else:
        report = written(model, tmp_path, format)
        x = export.sample(model, 2, 70)
    run = open_file(report.path, format, report.outputs)
    assert largest(export.outputs_of(model)(x), run(x)) <= export.TOLERANCE


@pytest.mark.parametrize("format", WRITTEN)
def test_auxiliary_outputs_keep_their_names_and_order(format, tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3)(image))
    model = keras.Model(
        image, [layers.Dense(3, name=n)(x) for n in ("predictions", "aux2", "aux1")]
    )
    report = written(model, tmp_path, format, auxiliary=True)
    assert report.outputs == ("predictions", "aux2", "aux1")


@pytest.mark.parametrize("format", WRITTEN)
def test_any_batch_behind_flatten(format, tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))
    written(keras.Model(image, layers.Dense(3)(x)), tmp_path, format)  # run on two batches


@pytest.mark.skipif("onnx" not in WRITTEN, reason="the backend writes no ONNX")
def test_names_in_an_onnx_file(tmp_path):
    import onnx

    report = written(cifar.ResNet(8), tmp_path, "onnx")
    graph = onnx.load(report.path).graph
    assert [x.name for x in graph.input] == ["images"]
    assert [x.name for x in graph.output] == ["predictions"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("format", WRITTEN)
def test_grouped_convolutions(format, tmp_path):
    image = keras.Input((9, 9, 8))
    x = layers.Conv2D(8, 3, groups=4, padding="same", strides=2, activation="relu")(image)
    x = layers.Conv2D(16, (1, 3), groups=2, use_bias=False)(x)
    model = keras.Model(image, layers.Conv2D(16, 2, groups=2)(x))
    assert written(model, tmp_path, format).difference <= export.TOLERANCE


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
@pytest.mark.parametrize("fold", [True, False])
def test_response_normalization_of_channels_first(fold, tmp_path):
    keras.config.set_image_data_format("channels_first")
    try:
        model = zoo.AlexNet(input_shape=(3, 67, 67), classes=10)
        assert written(model, tmp_path, "onnx", fold=fold).difference <= export.TOLERANCE
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
def test_the_weights_of_a_pt2_file_are_those_it_computes_with(tmp_path):
    import torch

    report = written(cifar.ResNet(8), tmp_path, "torch")
    network = torch.export.load(report.path).module()
    x = torch.rand(1, 32, 32, 3)
    before = network(x)
    network.load_state_dict({n: torch.zeros_like(v) for n, v in network.state_dict().items()})
    assert not torch.equal(before, network(x))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_models_of_half_precision_are_written_in_float32(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        model = cifar.ResNet(8)
    finally:
        keras.config.set_dtype_policy("float32")
    format = WRITTEN[-1]
    report = written(model, tmp_path, format)
    assert "in float32" in report.notes[0]


# --- int8, and engines ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((40, 32, 32, 3), "float32")


@pytest.mark.parametrize("format", [x for x in ("onnx", "openvino") if x in WRITTEN])
def test_int8_is_smaller_and_agrees(format, images, tmp_path):
    model = cifar.ResNet(20, classes=5)
    whole = written(model, tmp_path, format)
    small = written(model, tmp_path, format, precision="int8", calibration=images)
    assert small.size < 0.6 * whole.size
    assert small.agreement >= 0.5
    assert 0 < small.difference < 0.5
    assert "int8 after calibration on 32 images" in str(small)


ENGINES_HERE = [
    name
    for name, format in (("openvino", "openvino"), ("onnxruntime", "onnx"), ("keras", None))
    if format is None or (format in WRITTEN and installed(ENGINES[format].module))
]


def refused(engine, precision):
    if precision not in PRECISIONS[engine]:
        return "does not compute in"
    if (engine, precision) == ("openvino", "bf16"):
        import openvino

        able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return None if "BF16" in able else "no bfloat16 instructions"
    return None


@pytest.mark.parametrize("engine", ENGINES_HERE)
@pytest.mark.parametrize("precision", ["f32", "bf16", "int8"])
def test_compiled_models(engine, precision, images):
    model = cifar.ResNet(8, classes=5)
    calibration = images if precision == "int8" else None
    if why := refused(engine, precision):
        with pytest.raises(ValueError, match=why):
            inference.compile(model, engine, precision, calibration=calibration)
        return
    fast = inference.compile(model, engine, precision, images=images[:4], calibration=calibration)
    assert (fast.engine, fast.precision) == (engine, precision)
    right = model.predict_on_batch(images[:2])
    tolerance = {"f32": 1e-4, "bf16": 0.2, "int8": 0.5}[precision]
    assert largest([np.asarray(right)], [fast(images[:2])]) <= tolerance
    assert (fast.difference > 1e-4) == (precision != "f32")


def test_the_fastest_engine_is_chosen_and_the_others_are_told(images):
    fast = inference.compile(cifar.ResNet(8), images=images[:1])
    assert fast.engine in ENGINES_HERE
    assert {fast.engine, *fast.tried} == {"openvino", "onnxruntime", "keras"}
