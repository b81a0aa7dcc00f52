"""ONNX files: the Model Zoo's graphs, run by the onnx package and by ours; and what is refused."""

import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import GRAPHS, evaluated, features, graph, logits, named_state, random_weights
from test_dialects import cifar_names
from torch_files import arrays_of

from conftest import ROOT, apart
from keras_ilsvrc import pretrained
from keras_ilsvrc.pretrained.files import opened
from keras_ilsvrc.pretrained.loading import fill
from keras_ilsvrc.pretrained.matching import Wishes

NAME, SOURCE = "cifar_resnet20", "cifar"
DIALECT = pretrained.entry(NAME, SOURCE)
one_backend = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the same on all backends"
)


@pytest.fixture(scope="module")
def arrays():
    return arrays_of(cifar_names(20))


@pytest.fixture(scope="module")
def whole(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "w.onnx"
    named_state(path, arrays)
    return path


@pytest.fixture(scope="module")
def model():
    return pretrained.build(NAME, SOURCE)


def refused(path, match, model):
    before = model.get_weights()
    with pytest.raises(pretrained.LoadError, match=match) as caught:
        fill(model, path, DIALECT, Wishes())
    assert path.name in str(caught.value)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


# --- the Model Zoo's graphs ------------------------------------------------------------------


@one_backend
def test_alexnet_s_graph_computes_what_ours_does(tmp_path):
    proto = graph("alexnet")
    random_weights(proto)
    onnx.save(logits(proto), tmp_path / "w.onnx")
    x = np.random.default_rng(0).normal(size=(1, 224, 224, 3)).astype("float32")
    options = {"classifier_activation": None, "kernel_initializer": "zeros"}
    model = pretrained.load("alexnet", "onnx", tmp_path / "w.onnx", **options)
    assert apart(evaluated(proto, x), model.predict(x, verbose=0)) <= 1e-5


@one_backend
@pytest.mark.parametrize("name", [n for n in GRAPHS if n != "alexnet"])
def test_bodies_of_the_graphs_compute_what_ours_do(name, tmp_path):
    """At 64 pixels, 96 for ZFNet; `python -m tests.zoos_onnx` compares the whole, at 224."""
    side = 96 if name == "zfnet" else 64
    proto = graph(name)
    random_weights(proto)
    onnx.save(features(proto), tmp_path / "w.onnx")
    x = np.random.default_rng(0).normal(size=(1, side, side, 3)).astype("float32")
    options = {
        "include_top": False, "input_shape": x.shape[1:], "kernel_initializer": "zeros",
    }  # fmt: skip
    model = pretrained.load(name, "onnx", tmp_path / "w.onnx", **options)
    theirs = evaluated(proto, x).transpose(0, 2, 3, 1)
    assert apart(theirs, model.predict(x, verbose=0)) <= 1e-5


@pytest.mark.parametrize("name", GRAPHS)
def test_all_weights_of_a_graph_have_their_place(name):
    """The published constants themselves, which are not made before they are asked for."""
    import test_dialects
    from onnx_graphs import LIGHT

    with opened(LIGHT / f"light_{GRAPHS[name]}.onnx") as contents:
        report = test_dialects.report("onnx", name, contents)
        assert report.complete, str(report)
        assert all("blobs_queue" in n for n in report.left_out)


def test_a_scale_behind_normalization_is_folded(tmp_path):
    values = {n: np.random.default_rng(i).uniform(0.5, 2, 3).astype("float32")
              for i, n in enumerate(["s", "b", "m", "v", "factor", "summand"])}  # fmt: skip
    nodes = [
        helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"]),
        helper.make_node("Unsqueeze", ["factor"], ["f"], axes=[1, 2]),
        helper.make_node("Mul", ["y", "f"], ["z"]),
        helper.make_node("Add", ["z", "summand"], ["out"]),
    ]
    written(tmp_path / "w.onnx", nodes, values)
    with opened(tmp_path / "w.onnx") as contents:
        read = {name: t.read() for name, t in contents.tensors.items()}
    assert {*read} == {"s.weight", "s.bias", "s.running_mean", "s.running_var"}
    assert np.allclose(read["s.weight"], values["s"] * values["factor"])
    assert np.allclose(read["s.bias"], values["b"] * values["factor"] + values["summand"])


def written(path, nodes, values):
    tensors = [numpy_helper.from_array(a, n) for n, a in values.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "out")]
    proto = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 9)]), path)


# --- files -------------------------------------------------------------------------------------


def test_a_whole_file_is_loaded(whole, arrays):
    model = pretrained.load(NAME, SOURCE, whole)
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv2_block1_1_conv").kernel)
    assert (kernel == arrays["layer1.0.conv1.weight"].transpose(2, 3, 1, 0)).all()
    variance = keras.ops.convert_to_numpy(model.get_layer("conv1_bn").moving_variance)
    assert (variance == arrays["bn1.running_var"]).all()


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16", "typed", "external"])
def test_every_way_to_store_values_is_read(arrays, tmp_path, kind):
    import ml_dtypes

    path = tmp_path / "w.onnx"
    if kind in ("float16", "float64", "bfloat16"):
        dtype = ml_dtypes.bfloat16 if kind == "bfloat16" else kind
        named_state(path, {n: a.astype(dtype) for n, a in arrays.items()})
        right = arrays["conv1.weight"].astype(dtype).astype("float32")
    else:
        named_state(path, arrays)
        proto = onnx.load(path)
        right = arrays["conv1.weight"]
        if kind == "typed":
            for tensor in proto.graph.initializer:
                values = numpy_helper.to_array(tensor)
                tensor.ClearField("raw_data")
                tensor.float_data.extend(values.ravel().tolist())
        onnx.save(proto, path, save_as_external_data=kind == "external", location="w.bin",
                  size_threshold=0)  # fmt: skip
    model = pretrained.load(NAME, SOURCE, path)
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    assert (kernel == right.transpose(2, 3, 1, 0)).all()


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "none.bin", "link.bin"])
def test_values_are_not_read_from_elsewhere(arrays, tmp_path, location, model):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(10**6))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    named_state(folder / "w.onnx", arrays)
    proto = onnx.load(folder / "w.onnx")
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    onnx.save(proto, folder / "w.onnx")
    refused(folder / "w.onnx", "which is no file beside it", model)


@pytest.mark.parametrize(("fault", "match"), [
    ("missing", r"missing 1: layer2\.0\.conv1\.weight"), ("more", r"unexpected 1: more"),
    ("transposed", "misshapen 1: "), ("not a number", "no finite numbers for"),
    ("negative", "variances below 0"),
])  # fmt: skip
def test_a_file_with_one_wrong_tensor_is_refused(arrays, tmp_path, fault, match, model):
    name, kernel = "layer2.0.conv1.weight", arrays["layer2.0.conv1.weight"]
    named_state(tmp_path / "w.onnx", {
        "missing": {n: a for n, a in arrays.items() if n != name},
        "more": arrays | {"more.weight": kernel},
        "transposed": arrays | {name: np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))},
        "not a number": arrays | {name: kernel * np.nan},
        "negative": arrays | {"bn1.running_var": -arrays["bn1.running_var"]},
    }[fault])  # fmt: skip
    refused(tmp_path / "w.onnx", match, model)


def test_a_constant_that_nothing_uses_is_told(arrays, tmp_path, model):
    named_state(tmp_path / "w.onnx", arrays)
    proto = onnx.load(tmp_path / "w.onnx")
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(3, "float32"), "beside"))
    onnx.save(proto, tmp_path / "w.onnx")
    refused(tmp_path / "w.onnx", "unexpected 1: beside", model)


@pytest.mark.parametrize("dims", [[10**9, 10**9], [16, 3, 3, 4], [-1], [1] * 4])
def test_a_shape_that_lies_is_refused(arrays, tmp_path, dims, model):
    named_state(tmp_path / "w.onnx", arrays)
    proto = onnx.load(tmp_path / "w.onnx")
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend(dims)
    onnx.save(proto, tmp_path / "w.onnx")
    refused(tmp_path / "w.onnx", r"has 1728 bytes for 'conv1\.weight', whose shape is", model)


def test_a_constant_of_a_huge_shape_is_not_made(tmp_path, model):
    shape = numpy_helper.from_array(np.array([10**6, 10**6], "int64"), "shape")
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["w.weight"]),
             helper.make_node("Gemm", ["x", "w.weight"], ["out"], transB=1)]  # fmt: skip
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "out")]
    proto = helper.make_graph(nodes, "net", ends[:1], ends[1:], [shape])
    onnx.save(helper.make_model(proto), tmp_path / "w.onnx")
    refused(tmp_path / "w.onnx", "unexpected 1: w.weight", model)


@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(whole, model, tmp_path_factory, share):
    data = whole.read_bytes()
    path = tmp_path_factory.mktemp("short") / "w.onnx"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "is damaged", model)


@settings(max_examples=60)
@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_flipped_bit_outside_the_values_is_loaded_as_it_is_or_refused(
    whole, model, tmp_path_factory, place, bit
):
    """Nothing but a LoadError, and all of the weights or none."""
    data = bytearray(whole.read_bytes())
    data[-1 - place] ^= 1 << bit
    path = tmp_path_factory.mktemp("bit") / "w.onnx"
    path.write_bytes(data)
    before = model.get_weights()
    try:
        fill(model, path, DIALECT, Wishes())
    except pretrained.LoadError:
        assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("data", [b"", b"weights", b"\x08\x03", b"\xff" * 100, b"\x0b\x0c"])
def test_what_is_no_onnx_file_is_refused(tmp_path, data, model):
    (tmp_path / "w.onnx").write_bytes(data)
    refused(tmp_path / "w.onnx", "is damaged or is none of weights", model)


def test_a_given_sha256_is_compared(whole):
    from hashlib import sha256

    right = sha256(whole.read_bytes()).hexdigest()
    assert pretrained.load(NAME, SOURCE, whole, sha256=right)
    with pytest.raises(pretrained.LoadError, match="another SHA-256"):
        pretrained.load(NAME, SOURCE, whole, sha256="0" * 64)


def test_without_the_package_the_extra_is_named(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"needs onnx: pip install 'keras_ilsvrc\[onnx\]'"
    ):
        pretrained.load(NAME, SOURCE, whole)


MEMORY = """
import re, sys
from pathlib import Path
from keras_ilsvrc.pretrained.files import opened
small, large = map(Path, sys.argv[1:])
def peak():  # ru_maxrss would be the parent's
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
for path in (small, large):
    before = peak()
    with opened(path) as contents:
        for tensor in contents.tensors.values():
            tensor.read().T.copy()
print((peak() - before) / large.stat().st_size)
"""


def test_a_large_file_takes_less_than_2_5_times_its_size(whole, tmp_path):
    """Its largest tensor is half of it, and is read and turned around."""
    draw = np.random.default_rng(0)
    sides = {"a": (4096, 4096), "b": (2048, 4096), "c": (2048, 4096)}
    named_state(tmp_path / "w.onnx", {
        f"{n}.weight": draw.random(shape, "float32") for n, shape in sides.items()
    })  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, whole, tmp_path / "w.onnx"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout.split()[-1]) < 1.5
