"""What training scripts, wrappers and larger models put around a network's weights."""

import argparse
import collections
import datetime
import decimal
import enum
import fractions
import json
import pathlib
import types
import uuid

import keras
import numpy as np
import pytest
import safetensors.numpy
from torch_files import arrays_of, call, state, text, write_zip

from conftest import ROOT
from keras_ilsvrc import cifar, pretrained
from keras_ilsvrc.pretrained.choosing import Choice
from keras_ilsvrc.pretrained.loading import fill
from keras_ilsvrc.pretrained.matching import Wishes

NAME, SOURCE = "cifar_resnet20", "cifar"
DIALECT = pretrained.entry(NAME, SOURCE)


@pytest.fixture(scope="module")
def arrays():
    names = json.loads((ROOT / "tests" / "names" / "cifar.json").read_text())[NAME]
    return arrays_of(names)


@pytest.fixture(scope="module")
def models():
    """Built once; each test writes other values."""
    return {
        False: pretrained.build(NAME, SOURCE),
        True: pretrained.build(NAME, SOURCE, include_top=False),
    }


def tensors(path, arrays):
    safetensors.numpy.save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, path)


def loaded(models, path, topless=False, **choice):
    """The report; and the values are the file's."""
    model = models[topless]
    report = fill(model, path, DIALECT, Wishes(no_top=topless), choice=Choice(**choice))
    return model, report


def kernel_of(model):
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv2_block1_1_conv").kernel)
    return kernel.transpose(3, 2, 0, 1)


def under(prefix, arrays):
    return {prefix + name: a for name, a in arrays.items()}


def body(arrays):
    return {n: a for n, a in arrays.items() if not n.startswith("linear.")}


# --- prefixes -----------------------------------------------------------------------------------

WRAPPED = ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module.", "ema_model.",
           "_orig_mod.module.model.", "net.", "backbone.", "lit.net."]  # fmt: skip


@pytest.mark.parametrize("prefix", WRAPPED)
@pytest.mark.parametrize("writer", [tensors, write_zip])
def test_what_stands_before_all_names_is_taken_off_in_every_format(
    arrays, models, tmp_path, prefix, writer
):
    named = under(prefix, arrays)
    if writer is write_zip:
        writer(tmp_path / "w", named, plain(named))
    else:
        writer(tmp_path / "w", named)
    model, report = loaded(models, tmp_path / "w")
    assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()
    assert report.complete


def plain(arrays):
    """The pickle of the arrays by name, without anything around."""
    from torch_files import tensor

    items = b"".join(text(n) + tensor(str(i), a) for i, (n, a) in enumerate(arrays.items()))
    return b"\x80\x02}(" + items + b"u."


def test_counters_beside_the_prefix_are_no_weights(arrays, models, tmp_path):
    """torch.optim.swa_utils.AveragedModel has n_averaged beside module.*."""
    more = {"n_averaged": np.int64(3), "module.bn1.num_batches_tracked": np.int64(7)}
    tensors(
        tmp_path / "w", {**under("module.", arrays), **{n: np.array(v) for n, v in more.items()}}
    )
    model, _ = loaded(models, tmp_path / "w")
    assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()


def test_two_networks_in_one_file_ask_which(arrays, models, tmp_path):
    """As MoCo's encoder_q and encoder_k."""
    other = {n: a * 2 for n, a in arrays.items()}
    both = under("module.encoder_q.", arrays) | under("module.encoder_k.", other)
    tensors(tmp_path / "w", both | {"module.queue": np.ones((4, 9), "float32")})
    with pytest.raises(pretrained.LoadError, match=r"holds the network 2 times, .*prefix='encoder"):
        loaded(models, tmp_path / "w")
    for asked in ("module.encoder_k.", "encoder_k", "encoder_k."):
        model, report = loaded(models, tmp_path / "w", prefix=asked)
        assert (kernel_of(model) == 2 * arrays["layer1.0.conv1.weight"]).all()
        assert "queue" in report.left_out
        assert "encoder_q.conv1.weight" in report.left_out
        assert "'encoder_k.' taken off" in str(report)
    with pytest.raises(pretrained.LoadError, match=r"no names that begin with prefix='teacher'"):
        loaded(models, tmp_path / "w", prefix="teacher")


def test_a_backbone_leaves_out_what_stands_outside_and_a_network_does_not(arrays, models, tmp_path):
    head = {"head.fc.weight": np.ones((5, 64), "float32"), "neck.scale": np.ones(3, "float32")}
    tensors(tmp_path / "w", under("backbone.", body(arrays)) | head)
    model, report = loaded(models, tmp_path / "w", topless=True)
    assert set(report.left_out) == {*head}
    assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()
    tensors(tmp_path / "w", under("backbone.", arrays) | head)
    with pytest.raises(pretrained.LoadError, match=r"unexpected 2: head\.fc\.weight, neck\.scale"):
        loaded(models, tmp_path / "w")
    for ignore in (["head", "neck"], ["head.*", "*.scale"]):
        _, report = loaded(models, tmp_path / "w", ignore=ignore)
        assert set(report.left_out) == {*head}


@pytest.mark.parametrize("around", ["", "0.", "encoder.", "module.features."])
def test_children_in_a_sequential_are_taken_in_their_order(arrays, models, tmp_path, around):
    """torch.nn.Sequential(*network.children()): conv1, bn1, relu, layer1, ..."""
    place = {"conv1": "0", "bn1": "1", "layer1": "3", "layer2": "4", "layer3": "5", "linear": "7"}
    named = {}
    for name, a in arrays.items():
        first, rest = name.split(".", 1)
        named[f"{around}{place[first]}.{rest}"] = a
    tensors(tmp_path / "w", named)
    for topless in (False, True):
        model, report = loaded(models, tmp_path / "w", topless=topless)
        assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()
        assert "in their order" in str(report)


# --- heads --------------------------------------------------------------------------------------


def test_another_head_is_left_out_where_none_is_asked_for(arrays, models, tmp_path, caplog):
    """Sequential(Dropout, Linear) in the classifier's place."""
    own = {"linear.1.weight": np.ones((4, 64), "float32"), "linear.1.bias": np.ones(4, "float32")}
    tensors(tmp_path / "w", body(arrays) | own)
    _, report = loaded(models, tmp_path / "w", topless=True)
    assert set(report.left_out) == {*own}
    model = pretrained.load(NAME, SOURCE, tmp_path / "w", classes=9)
    assert model.output_shape == (None, 9)
    assert "fresh 2" in caplog.text
    with pytest.raises(pretrained.LoadError, match=r"missing 2: .*linear"):
        loaded(models, tmp_path / "w")
    model = pretrained.load(NAME, SOURCE, tmp_path / "w", classes=4,
                            rename={"linear.1.": "linear."})  # fmt: skip
    assert (keras.ops.convert_to_numpy(model.get_layer("predictions").bias) == 1).all()


def test_what_is_no_head_is_never_left_out_unasked(arrays, models, tmp_path):
    """Dense layers inside a stage, as squeeze-and-excitation's, make another network."""
    inside = {"layer1.0.se.fc.weight": np.ones((4, 16), "float32")}
    tensors(tmp_path / "w", body(arrays) | inside)
    with pytest.raises(pretrained.LoadError, match=r"unexpected 1: layer1\.0\.se"):
        loaded(models, tmp_path / "w", topless=True)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_the_backbone_of_a_transfer_model(models, tmp_path, nested, suffix):
    net = cifar.ResNet(20, include_top=False, pooling="avg")
    image = keras.Input(net.input_shape[1:])
    inner, start = (net(image), image) if nested else (net.output, net.input)
    model = keras.Model(start, keras.layers.Dense(3, name="head")(inner))
    path = tmp_path / f"w{suffix}"
    (model.save if suffix == ".keras" else model.save_weights)(path)
    back = cifar.ResNet(20, include_top=False, pooling="avg", weights=path)
    pairs = zip(net.get_weights(), back.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)
    with pytest.raises(pretrained.LoadError, match="unexpected 2: head/0, head/1"):
        cifar.ResNet(20, weights=path)


def test_renaming_what_is_not_there_is_said(arrays, models, tmp_path):
    tensors(tmp_path / "w", arrays)
    with pytest.raises(pretrained.LoadError, match=r"no names that begin with 'fc\.' \(rename\)"):
        loaded(models, tmp_path / "w", rename={"fc.": "linear."})


@pytest.mark.parametrize(("wrong", "match"), [
    ({"key": 3}, "key is a name"), ({"prefix": 3}, "prefix is a name"),
    ({"rename": [("a", "b")]}, "rename is a dictionary"), ({"ignore": "fc"}, "ignore is a list"),
])  # fmt: skip
def test_wrong_choices_are_named(wrong, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        pretrained.load(NAME, SOURCE, tmp_path / "w", **wrong)


# --- torch.save: sets, and what stands beside them ------------------------------------------------


class Mode(enum.Enum):
    TRAIN = "train"


class Config:
    def __init__(self):
        self.lr = 0.1


Point = collections.namedtuple("Point", "x y")
RANDOM = np.random.default_rng(0)
# What training scripts keep: their arguments, bests, random states, places.
BESIDE = {
    "argparse.Namespace": argparse.Namespace(lr=0.1),
    "Counter": collections.Counter([30]), "defaultdict": collections.defaultdict(list, a=[1]),
    "deque": collections.deque([1]), "named tuple": Point(1, 2), "enum": Mode.TRAIN,
    "own class": Config(), "simple namespace": types.SimpleNamespace(a=1),
    "NumPy scalars": [np.float64(1), np.float32(1), np.int64(1), np.bool_(True)],
    "NumPy arrays": [np.arange(3), np.zeros((2, 0)), np.array(["a"]), np.array([None])],
    "NumPy type": np.dtype("float32"), "NumPy type's class": np.float32,
    "random state": np.random.RandomState(0).get_state(), "generators": [RANDOM],
    "Python's random state": __import__("random").getstate(),
    "paths": [pathlib.PurePosixPath("x"), pathlib.PureWindowsPath("x"), pathlib.Path("x")],
    "sets": [{1}, frozenset([1, 2]), set()], "complex": 1j,
    "bytes": [b"", b"a\xff", bytearray(b"a")],
    "ranges": [slice(1, 2), range(3)], "large numbers": [2**70, -1, 0.5, 1e300],
    "dates": [datetime.datetime(2026, 1, 1), datetime.timedelta(1), datetime.date(2026, 1, 1)],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 2), uuid.UUID(int=5)],
    "classes and functions": [dict, Config, len, json.dumps], "an exception": ValueError("x"),
    "keys": {1: "a", 0.5: "b", None: "c", (1, "x"): "d", b"k": "e"},
    "itself": [],
}  # fmt: skip
BESIDE["itself"].append(BESIDE["itself"])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_beside_the_weights_is_passed_over(arrays, models, tmp_path, what, protocol):
    write_zip(tmp_path / "w.pth", arrays, together(arrays, BESIDE[what], protocol))
    model, report = loaded(models, tmp_path / "w.pth")
    assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()
    assert report.complete


def together(arrays, value, protocol):
    """One pickle of a list of `value`, popped, and the state: what Python itself writes of it."""
    import pickle

    head = pickle.dumps(value, protocol)
    whole = state(arrays)
    start = 2 if protocol >= 2 else 0
    inside = head[start:-1]
    # {"other": value} | state: the memo's places are the value's own; the state uses none.
    return head[:start] + b"}(" + text("other") + inside + whole[4:]


# Called by name in a pickle they would run; harmless ones stand for all.
PROGRAMS = [
    ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"),
    ("builtins", "eval"), ("builtins", "exec"), ("__builtin__", "eval"), ("builtins", "getattr"),
    ("builtins", "__import__"), ("builtins", "open"), ("importlib", "import_module"),
    ("runpy", "run_path"), ("pickle", "loads"), ("_pickle", "loads"), ("marshal", "loads"),
    ("ctypes", "CDLL"), ("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load"),
    ("numpy", "load"), ("numpy.core.multiarray", "fromfile"), ("operator", "methodcaller"),
    ("operator", "attrgetter"), ("shutil", "rmtree"), ("webbrowser", "open"), ("pip", "main"),
    ("code", "InteractiveInterpreter"), ("torch.utils.data", "DataLoader"),
    ("torch._utils", "_rebuild_anything"), ("training", "run"), ("training", "EXEC"),
    ("tests.test_choosing.Config", "method"), ("copyreg", "add_extension"),
    ("torch.storage", "_load_from_bytes"), ("functools", "reduce"), ("types", "FunctionType"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), PROGRAMS)
def test_nothing_else_became_possible(arrays, tmp_path, models, module, name):
    canary = tmp_path / "canary"
    word = f"touch {canary}"
    harm = text("harm") + call(module, name, b"(" + text(word) + b"t")
    write_zip(tmp_path / "w.pth", arrays, state(arrays, harm))
    with pytest.raises(pretrained.LoadError, match=f"wants to run {module}.{name}"):
        loaded(models, tmp_path / "w.pth")
    assert not canary.exists()


def test_what_is_passed_over_is_never_imported_or_built(arrays, tmp_path, models):
    """A class whose module, imported, would leave a mark; and objects in whose place it stands."""
    import sys

    (tmp_path / "canary_module.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(tmp_path))
    try:
        thing = b"ccanary_module\nThing\n)\x81}" + text("a") + b"K\x01sb"
        reduced = b"ccanary_module\nThing\n(K\x01tR"
        for code in (thing, reduced, b"ccanary_module\nThing\n"):
            write_zip(tmp_path / "w.pth", arrays, state(arrays, text("harm") + code))
            model, _ = loaded(models, tmp_path / "w.pth")
            assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()
        assert "canary_module" not in sys.modules
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(("code", "match"), [
    (b"cargparse\nNamespace\n)R)R", "calls a Opaque"),
    (b"cargparse\nNamespace\n}b", "sets attributes of what is no container"),
    (b"cos\nsystem\n}b", "sets attributes of what is no container"),
    (b"]cos\nsystem\na(K\x01tR", "calls a list"),
])  # fmt: skip
def test_what_is_passed_over_is_not_called(arrays, tmp_path, models, code, match):
    write_zip(tmp_path / "w.pth", arrays, state(arrays, text("harm") + code))
    with pytest.raises(pretrained.LoadError, match=match):
        loaded(models, tmp_path / "w.pth")


def test_tensors_beside_the_state_dict_are_none_of_it(arrays, models, tmp_path):
    """The best accuracy at the top, an iteration, a loss's weights in a dictionary of its own."""
    from torch_files import tensor

    best, weights = np.ones((), "float32"), np.ones(3, "float32")
    n = len(arrays)
    extra = text("best_acc1") + tensor(str(n), best)
    extra += text("criterion") + b"}" + text("weight") + tensor(str(n + 1), weights) + b"s"
    write_zip(tmp_path / "w.pth", arrays | {"a": best, "b": weights}, state(arrays, extra))
    _, report = loaded(models, tmp_path / "w.pth")
    assert "from 'state_dict'" in str(report)


@pytest.mark.parametrize(("keys", "asked"), [
    (("state_dict", "state_dict_ema"), "state_dict_ema"), (("student", "teacher"), "teacher"),
    (("model", "model_ema"), "model"), (("state_dict", "current_model_state"), "state_dict"),
])  # fmt: skip
def test_one_of_several_sets_is_chosen_by_its_key(arrays, models, tmp_path, keys, asked):
    from torch_files import tensor

    items, values = b"", {}
    for factor, key in enumerate(keys, 1):
        inner = b""
        for name, a in arrays.items():
            values[len(values)] = a * factor
            inner += text(name) + tensor(str(len(values) - 1), a)
        items += text(key) + b"}(" + inner + b"u"
    write_zip(tmp_path / "w.pth", values, b"\x80\x02}(" + items + b"u.")
    with pytest.raises(pretrained.LoadError, match=f"holds 2 sets of tensors .*key='{keys[0]}'"):
        loaded(models, tmp_path / "w.pth")
    model, report = loaded(models, tmp_path / "w.pth", key=asked)
    factor = keys.index(asked) + 1
    assert (kernel_of(model) == factor * arrays["layer1.0.conv1.weight"]).all()
    assert f"from '{asked}'" in str(report)
    with pytest.raises(pretrained.LoadError, match="no set of tensors key='ema'; it has"):
        loaded(models, tmp_path / "w.pth", key="ema")


def test_a_set_deep_inside_is_found_by_its_path(arrays, models, tmp_path):
    inner = state(arrays)[2:-1]  # {"epoch", "state_dict"}
    pickle = b"\x80\x02}" + text("callbacks") + b"}" + text("average") + inner + b"ss."
    write_zip(tmp_path / "w.pth", arrays, pickle)
    for key in (None, "average.state_dict", "callbacks.average.state_dict", "state_dict"):
        _, report = loaded(models, tmp_path / "w.pth", key=key)
        assert report.complete


# --- of which network -----------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "match"), [
    ("resnet20", None), ("cifar_resnet20", None), ("mine", "which no source here has"),
    ("resnet32", "says that it is of 'resnet32'"),
    ("resnetblur20", "says that it is of 'resnetblur20'"),
])  # fmt: skip
def test_a_checkpoint_that_says_its_network_is_compared(arrays, models, tmp_path, arch, match):
    write_zip(tmp_path / "w.pth", arrays, state(arrays, text("arch") + text(arch)))
    if match and "says that" in match:
        with pytest.raises(pretrained.LoadError, match=match):
            loaded(models, tmp_path / "w.pth")
        return
    _, report = loaded(models, tmp_path / "w.pth")
    assert (match or "") in str(report)
    assert "does not say which network" not in str(report)


@pytest.mark.parametrize(("architecture", "match"), [
    ("resnet20", None), ("resnetaa20", "says that it is of 'resnetaa20'"),
])  # fmt: skip
def test_the_hub_s_config_json_is_compared(arrays, models, tmp_path, architecture, match):
    path = tmp_path / "model.safetensors"
    tensors(path, arrays)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": architecture}))
    if match:
        with pytest.raises(pretrained.LoadError, match=match):
            loaded(models, path)
    else:
        loaded(models, path)


def test_of_a_file_that_says_nothing_the_report_says_so(arrays, models, tmp_path):
    tensors(tmp_path / "w", arrays)
    assert "does not say which network it is of" in str(loaded(models, tmp_path / "w")[1])


# --- files in parts -------------------------------------------------------------------------------


def in_parts(folder, arrays, suffix=".safetensors", **changed):
    names = [*arrays]
    where = {n: f"part{i % 3}{suffix}" for i, n in enumerate(names)}
    for part in {*where.values()}:
        inside = {n: arrays[n] for n in names if where[n] == part}
        if suffix == ".safetensors":
            tensors(folder / part, inside)
        else:
            write_zip(folder / part, inside, plain(inside))
    path = folder / f"model{suffix}.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": where | changed}, indent=2))
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_state_in_parts_is_one(arrays, models, tmp_path, suffix, prefix):
    model, report = loaded(models, in_parts(tmp_path, under(prefix, arrays), suffix))
    assert report.complete
    assert (kernel_of(model) == arrays["layer1.0.conv1.weight"]).all()


@pytest.mark.parametrize("size", [0.0005, 1])
def test_a_keras_file_in_parts_is_one(models, tmp_path, size):
    net = cifar.ResNet(20)
    net.save_weights(tmp_path / "w.weights.json", max_shard_size=size)
    back = cifar.ResNet(20, weights=tmp_path / "w.weights.json")
    assert all((a == b).all() for a, b in zip(net.get_weights(), back.get_weights(), strict=True))


@pytest.mark.parametrize(("where", "match"), [
    ("none.safetensors", "'none.safetensors' is not beside it"),
    ("../w.safetensors", "a part outside its folder"), ("/etc/passwd", "a part outside its folder"),
    ("part0.safetensors", "in its index, and not in"), (7, "a part outside its folder"),
    ("model.safetensors.index.json", "for a part"),
])  # fmt: skip
def test_an_index_that_is_wrong_is_refused(arrays, models, tmp_path, where, match):
    path = in_parts(tmp_path, arrays, **{"more.weight": where})
    with pytest.raises(pretrained.LoadError, match=match):
        loaded(models, path)


@pytest.mark.parametrize("words", ["{}", '{"weight_map": {}}', '{"weight_map": []}'])
def test_json_of_something_else_is_refused(models, tmp_path, words):
    (tmp_path / "w.json").write_text(words)
    with pytest.raises(pretrained.LoadError, match=r"no known kind|index of no parts"):
        loaded(models, tmp_path / "w.json")
