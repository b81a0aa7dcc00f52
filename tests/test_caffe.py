"""Caffe's files: networks in its words, computed by PyTorch and by ours; and what is refused."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from caffe_networks import (
    NETWORKS,
    Net,
    blob,
    densenet,
    evaluated,
    field,
    googlenet,
    resnet,
    se_inception,
    se_resnet,
    text,
    varint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, apart
from keras_ilsvrc import pretrained
from keras_ilsvrc.pretrained.dialect import Contract, Dialect
from keras_ilsvrc.pretrained.files import opened
from keras_ilsvrc.pretrained.loading import fill
from keras_ilsvrc.pretrained.matching import Wishes

one_backend = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the same on all backends"
)

# A small network under Caffe's names: ResNet-20 of arXiv:1512.03385, section 4.2.
SMALL = Dialect(
    Contract((0, 0, 0), (1, 1, 1), 1, "BGR", 32),
    names=(
        ("conv1_conv", "conv1"), ("conv1_bn", "conv1/bn"),
        ("conv{s}_block{b}_{i}_conv", "conv{s}_{b}_{i}"),
        ("conv{s}_block{b}_{i}_bn", "conv{s}_{b}_{i}/bn"), ("predictions", "fc"),
    ),
)  # fmt: skip


def small():
    net = Net(32)

    def unit(name, x, filters, stride=1):
        y = net.conv(name, x, filters, 3, stride, 1, bias=False)
        return net.norm(y, f"{name}/bn", f"{name}/scale")

    x = net.relu(unit("conv1", "data", 16))
    for stage, filters in enumerate((16, 32, 64), 2):
        for i in (1, 2, 3):
            y = net.relu(unit(f"conv{stage}_{i}_1", x, filters, 2 if stage > 2 and i == 1 else 1))
            x = unit(f"conv{stage}_{i}_2", y, filters)
    net.dense("fc", net.mean("pool", x), 10, 64)
    return net


NET = small()


@pytest.fixture(scope="module")
def blobs():
    return NET.blobs()


@pytest.fixture(scope="module")
def model():
    from keras_ilsvrc import cifar

    return cifar.ResNet(20)


def loaded(path, model):
    fill(model, path, SMALL, Wishes())
    return {v.path: keras.ops.convert_to_numpy(v.value) for v in model.variables}


def refused(path, match, model):
    before = model.get_weights()
    with pytest.raises(pretrained.LoadError, match=match) as caught:
        fill(model, path, SMALL, Wishes())
    assert path.name in str(caught.value)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def write(folder, data):
    path = folder / "w.caffemodel"
    path.write_bytes(data)
    return path


# --- networks --------------------------------------------------------------------------------


@one_backend
@pytest.mark.parametrize(("name", "build", "side"), [
    ("googlenet", googlenet, 75), ("resnet50", lambda side: resnet(50, side), 75),
    ("densenet121", lambda side: densenet(side=side), 75),
    ("se_resnet50", lambda side: se_resnet(50, side), 75),
    ("se_inception_v2", se_inception, 64),
])  # fmt: skip
def test_networks_compute_what_caffe_does(name, build, side, tmp_path):
    """At odd sides too, where its pooling rounds up; `python -m tests.zoos_caffe` has OpenCV."""
    net = build(side=side)
    values = net.blobs()
    path = write(tmp_path, net.weights(values))
    x = np.random.default_rng(0).normal(size=(1, side, side, 3)).astype("float32")
    options = {"classifier_activation": None, "kernel_initializer": "zeros"}
    model = pretrained.load(name, "caffe", path, input_shape=x.shape[1:], **options)
    assert apart(evaluated(net, values, x), model.predict(x, verbose=0)) <= 1e-5


@one_backend
@pytest.mark.parametrize("older", [False, True])
def test_auxiliary_classifiers_are_loaded_or_left_out(older, tmp_path, caplog):
    net = googlenet(auxiliary=True)
    values = net.blobs()
    path = write(tmp_path, net.weights(values, older))
    options = {"kernel_initializer": "zeros"}
    with_heads = pretrained.load("googlenet", "caffe", path, auxiliary=True, **options)
    kernel = keras.ops.convert_to_numpy(with_heads.get_layer("aux2").kernel)
    assert (kernel == values["loss2/classifier"][0].T).all()
    without = pretrained.load("bvlc_googlenet", "caffe", path, **options)
    assert len(without.outputs) == 1


@one_backend
def test_another_order_of_pooling_and_normalization_differs():
    """The control: AlexNet's weights fit CaffeNet, which computes something else."""
    from caffe_networks import alexnet

    x = np.random.default_rng(0).normal(0, 60, (1, 227, 227, 3)).astype("float32")
    values = alexnet().blobs()
    a, b = (evaluated(alexnet(after=after), values, x) for after in (False, True))
    assert apart(a, b) > 1e-3


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [
    {}, {"packed": False}, {"double": True}, {"double": True, "packed": False},
], ids=str)  # fmt: skip
def test_every_way_to_store_values_is_read(blobs, tmp_path, stored, model):
    found = loaded(write(tmp_path, NET.weights(blobs, **stored)), model)
    kernel = blobs["conv3_1_1"][0]
    assert (found["conv3_block1_1_conv/kernel"] == kernel.transpose(2, 3, 1, 0)).all()
    mean, variance, factor = blobs["conv1/bn"]
    assert np.allclose(found["conv1_bn/moving_mean"], mean / factor, rtol=1e-6)
    assert np.allclose(found["conv1_bn/moving_variance"], variance / factor, rtol=1e-6)
    assert (found["conv1_bn/gamma"] == blobs["conv1/scale"][0]).all()
    assert (found["conv1_bn/beta"] == blobs["conv1/scale"][1]).all()
    assert (found["predictions/kernel"] == blobs["fc"][0].T).all()


def test_layers_of_all_three_forms_are_read(tmp_path):
    """`layer`, `layers`, and the layers within `layers` of Caffe's first months."""
    kernel, bias = np.arange(24, dtype="f4").reshape(2, 3, 2, 2), np.arange(2, dtype="f4")
    matrix = np.arange(8, dtype="f4").reshape(2, 4)
    arrays = {older: [blob(a, older) for a in (kernel, bias)] for older in (False, True)}
    newest = text(1, "a") + text(2, "Convolution") + b"".join(field(7, a) for a in arrays[False])
    older = text(4, "b") + varint(5 << 3) + varint(4) + b"".join(field(6, a) for a in arrays[True])
    first = text(1, "c") + text(2, "innerproduct") + b"".join(
        varint(50 << 3 | 2) + varint(len(a)) + a for a in (blob(matrix, True), arrays[True][1])
    )  # fmt: skip
    data = field(2, older) + field(2, field(1, first)) + field(100, newest)
    with opened(write(tmp_path, data)) as contents:
        found = {name: t.read() for name, t in contents.tensors.items()}
        assert all(t.shape == found[name].shape for name, t in contents.tensors.items())
    assert {*found} == {f"{n}.{part}" for n in "abc" for part in ("weight", "bias")}
    assert all((found[f"{n}.weight"] == kernel).all() for n in "ab")
    assert (found["c.weight"] == matrix).all()
    assert all((found[f"{n}.bias"] == bias).all() for n in "abc")


def test_gradients_beside_the_values_are_left_alone(blobs, tmp_path, model):
    """`diff`, which a snapshot may hold."""
    array = blobs["conv1"][0]
    data = NET.weights(blobs)
    plain = blob(array)
    assert data.count(plain) == 1
    more = plain + field(6, (array * np.nan).tobytes())
    layer = text(1, "conv1") + text(2, "Convolution") + text(3, "data") + text(4, "conv1")
    old, new = (field(100, layer + field(7, b)) for b in (plain, more))
    assert old in data
    found = loaded(write(tmp_path, data.replace(old, new)), model)
    assert (found["conv1_conv/kernel"] == array.transpose(2, 3, 1, 0)).all()


@pytest.mark.parametrize(("factor", "right"), [(0.0, 0.0), (1.0, 1.0), (999.98236, 1 / 999.98236)])
def test_sums_are_divided_by_their_factor(blobs, tmp_path, factor, right, model):
    changed = blobs | {"conv1/bn": [*blobs["conv1/bn"][:2], np.array([factor], "f4")]}
    found = loaded(write(tmp_path, NET.weights(changed)), model)
    assert np.allclose(found["conv1_bn/moving_mean"], blobs["conv1/bn"][0] * right)


def faults(blobs, fault):
    kernel = blobs["conv3_1_1"][0]
    mean, variance, factor = blobs["conv1/bn"]
    return {
        "missing": {n: b for n, b in blobs.items() if n != "conv3_1_1"},
        "no scale": {n: b for n, b in blobs.items() if n != "conv1/scale"},
        "more": blobs | {"relu_conv1": [kernel]},
        "third": blobs | {"fc": [*blobs["fc"], kernel]},
        "transposed": blobs | {"conv3_1_1": [np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))]},
        "not a number": blobs | {"conv3_1_1": [kernel * np.nan]},
        "negative": blobs | {"conv1/bn": [mean, -variance, factor]},
        "no factor": blobs | {"conv1/bn": [mean, variance]},
        "factor": blobs | {"conv1/bn": [mean, variance, -factor]},
        "no number": blobs | {"conv1/bn": [mean, variance, factor * np.nan]},
    }[fault]


@pytest.mark.parametrize(("fault", "match"), [
    ("missing", r"missing 1: conv3_1_1\.weight"), ("more", r"unexpected 1: relu_conv1\.0"),
    ("no scale", r"missing 2: conv1/bn\.weight, conv1/bn\.bias"),
    ("third", r"unexpected 1: fc\.2"), ("transposed", "misshapen 1: "),
    ("not a number", "no finite numbers for 'conv3_block1_1_conv/kernel'"),
    ("negative", "variances below 0"), ("no factor", "has no mean, variance and factor"),
    ("factor", r"has the factor -7\.0 for 'conv1/bn'"), ("no number", "has the factor nan"),
])  # fmt: skip
def test_a_file_with_one_wrong_layer_is_refused(blobs, tmp_path, fault, match, model):
    refused(write(tmp_path, NET.weights(faults(blobs, fault))), match, model)


def test_a_layer_that_is_there_twice_is_refused(blobs, tmp_path, model):
    layer = text(1, "conv1") + text(2, "Convolution") + field(7, blob(blobs["conv1"][0]))
    refused(write(tmp_path, NET.weights(blobs) + field(100, layer)),
            r"has 'conv1\.weight' twice", model)  # fmt: skip


@pytest.mark.parametrize("shape", [(10**9, 10**9), (16, 3, 3, 4), (2**63,), ()])
def test_a_shape_that_lies_is_refused(blobs, tmp_path, shape, model):
    right, array = NET.weights(blobs), blobs["conv1"][0]
    lying = field(7, field(1, b"".join(map(varint, shape)))) + field(5, array.tobytes())
    layer = text(1, "conv1") + text(2, "Convolution") + text(3, "data") + text(4, "conv1")
    old, new = (field(100, layer + field(7, b)) for b in (blob(array), lying))
    assert old in right
    refused(write(tmp_path, right.replace(old, new)), "has 1728 bytes for 'conv1/0'", model)


@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(blobs, model, tmp_path_factory, share):
    """Between two layers a shorter file is sound, and lacks weights."""
    data = NET.weights(blobs)
    path = write(tmp_path_factory.mktemp("short"), data[: int(share * len(data))])
    refused(path, "is damaged|missing", model)


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_loaded_as_it_is_or_refused(blobs, model, tmp_path_factory, share, bit):
    """Caffe's files have no checksum: nothing but a LoadError, and all of the weights or none."""
    data = bytearray(NET.weights(blobs))
    data[int(share * 3000)] ^= 1 << bit
    path = write(tmp_path_factory.mktemp("bit"), bytes(data))
    before = model.get_weights()
    try:
        fill(model, path, SMALL, Wishes())
    except pretrained.LoadError:
        assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("data", [b"", b"weights", b"\x0a\x03net", b"\xff" * 100, b"\x0b\x0c"])
def test_what_is_no_caffemodel_is_refused(tmp_path, data, model):
    refused(write(tmp_path, data), "is damaged or is none of weights", model)


def test_without_the_package_the_extra_is_named(blobs, tmp_path, monkeypatch, model):
    from keras_ilsvrc.pretrained import caffe_files

    caffe_files.net.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf.descriptor_pb2", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras_ilsvrc\[caffe\]'"):
        loaded(write(tmp_path, NET.weights(blobs)), model)


@pytest.mark.parametrize("packed", [True, False])
def test_a_large_file_takes_less_than_2_5_times_its_size(blobs, tmp_path, packed):
    """Its largest blob is half of it, and is read and turned around."""
    from test_onnx import MEMORY

    write(tmp_path, NET.weights(blobs))
    path = tmp_path / "large.caffemodel"
    step, key = (4, b"") if packed else (5, b"\x2d")
    with path.open("wb") as file:
        for name, units in (("a", 4096), ("b", 2048), ("c", 2048)):
            values = units * 4096
            shape = field(7, field(1, varint(units) + varint(4096)))
            inner = shape + (varint(5 << 3 | 2) + varint(4 * values) if packed else b"")
            head = text(1, name) + text(2, "InnerProduct")
            size = len(inner) + step * values
            head += varint(7 << 3 | 2) + varint(size) + inner
            total = len(head) + step * values
            file.write(varint(100 << 3 | 2) + varint(total) + head)
            row = np.random.default_rng(0).random(4096, "float32").tobytes()
            if not packed:
                row = b"".join(key + row[i : i + 4] for i in range(0, len(row), 4))
            file.write(row * units)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "w.caffemodel", path],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout.split()[-1]) < 2


def test_the_authors_networks_are_described_here():
    assert {*NETWORKS} == {*pretrained.SOURCES["caffe"]}
