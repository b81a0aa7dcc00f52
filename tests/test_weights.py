"""Weights files: all formats come in whole, and whatever is wrong with one is said, not loaded."""

import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_files import arrays_of, call, state, tensor, text, write_old, write_zip

import keras_ilsvrc
from conftest import ROOT
from keras_ilsvrc import cifar, pretrained
from keras_ilsvrc.blocks import Rule, rules
from keras_ilsvrc.pretrained.files import digest, hashed, opened
from keras_ilsvrc.pretrained.loading import fill
from keras_ilsvrc.pretrained.matching import Wishes

NAME, SOURCE = "cifar_resnet20", "cifar"
DIALECT = pretrained.entry(NAME, SOURCE)


def built(**options):
    return pretrained.build(NAME, SOURCE, **options)


@pytest.fixture(scope="module")
def arrays():
    """Random tensors under the source's names."""
    import json

    names = json.loads((ROOT / "tests" / "names" / "cifar.json").read_text())[NAME]
    return arrays_of(names)


@pytest.fixture(scope="module")
def whole(arrays, tmp_path_factory):
    """The same weights in every format, by suffix."""
    folder = tmp_path_factory.mktemp("weights")
    write_zip(folder / "w.pth", arrays)
    write_old(folder / "w.th", arrays)
    model = pretrained.load(NAME, SOURCE, folder / "w.pth")
    pretrained.save(model, folder / "w.safetensors")
    model.save(folder / "w.keras")
    model.save_weights(folder / "w.weights.h5")
    model.save(folder / "w.h5")
    return {path.name[1:]: path for path in folder.iterdir()}


FORMATS = (".pth", ".th", ".safetensors", ".keras", ".weights.h5", ".h5")
STATES = FORMATS[:3]


MODEL = {}  # built once for the many examples of a law


def refused(path, match, model=None, dialect=DIALECT):
    """Loading fails with a sentence that names the file, and leaves the model as it was."""
    model = model or built()
    before = model.get_weights()
    with pytest.raises(pretrained.LoadError, match=match) as caught:
        fill(model, path, dialect, Wishes())
    assert path.name in str(caught.value)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    return caught.value


# --- what is whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_weights(whole, arrays, suffix):
    model = pretrained.load(NAME, SOURCE, whole[suffix])
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv2_block1_1_conv").kernel)
    assert (kernel == arrays["layer1.0.conv1.weight"].transpose(2, 3, 1, 0)).all()
    variance = keras.ops.convert_to_numpy(model.get_layer("conv1_bn").moving_variance)
    assert (variance == arrays["bn1.running_var"]).all()
    first = pretrained.load(NAME, SOURCE, whole[".pth"]).get_weights()
    assert all((a == b).all() for a, b in zip(first, model.get_weights(), strict=True))


@pytest.mark.parametrize(("suffix", "integrity"), [
    (".pth", "CRC-32"), (".keras", "CRC-32"), (".safetensors", "SHA-256 in the file"),
    (".th", "not checked"), (".weights.h5", "not checked"), (".h5", "not checked"),
])  # fmt: skip
def test_the_report_says_what_was_checked(whole, suffix, integrity):
    report = fill(built(), whole[suffix], DIALECT, Wishes())
    assert report.complete
    assert report.integrity == integrity
    assert f"integrity {integrity}" in str(report)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_a_builder_reads_files_of_its_own_form(whole, suffix):
    model = cifar.ResNet(20, weights=str(whole[suffix]))
    first = pretrained.load(NAME, SOURCE, whole[".pth"]).get_weights()
    assert all((a == b).all() for a, b in zip(first, model.get_weights(), strict=True))


@pytest.mark.parametrize("suffix", STATES)
def test_a_builder_asks_whose_names_a_state_dict_has(whole, suffix):
    with pytest.raises(ValueError, match=r"say whose it is, as in pretrained\.load"):
        cifar.ResNet(20, weights=whole[suffix])


def test_a_builder_s_own_name_is_the_network_s(whole):
    with pytest.raises(ValueError, match="has no 'resnet50'"):
        pretrained.load("ResNet50", SOURCE, whole[".pth"])


def test_saved_and_loaded_is_the_same_file(whole, arrays, tmp_path):
    pretrained.save(
        pretrained.load(NAME, SOURCE, whole[".safetensors"]), tmp_path / "w.safetensors"
    )
    for path in (tmp_path / "w.safetensors", whole[".safetensors"]):
        with safetensors.safe_open(path, "numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            assert file.metadata()["sha256"] == digest({n: hashed(a) for n, a in tensors.items()})
    assert len(tensors) == len(arrays)


def test_a_saved_state_says_what_it_is(whole, arrays):
    with safetensors.safe_open(whole[".safetensors"], "numpy") as file:
        metadata = file.metadata()
    hashes = {n: hashed(a) for n, a in arrays.items()}
    assert metadata == {
        "format": "pt", "network": NAME, "source": SOURCE, "sha256": digest(hashes)
    }  # fmt: skip


def test_another_order_of_bytes_is_read(arrays, tmp_path):
    write_zip(
        tmp_path / "w.pth", {name: a.astype(">f4") for name, a in arrays.items()}, order="big"
    )
    with opened(tmp_path / "w.pth") as contents:
        assert (contents.tensors["conv1.weight"].read() == arrays["conv1.weight"]).all()


@settings(max_examples=20)
@given(
    shape=st.lists(st.integers(1, 4), min_size=0, max_size=4),
    order=st.permutations(range(4)),
)
def test_a_tensor_of_any_layout_is_read_as_it_is(tmp_path_factory, shape, order):
    a = np.arange(np.prod(shape, dtype=int), dtype="float32").reshape(shape)
    axes = [i for i in order if i < len(shape)]
    strided = a.transpose(axes)
    path = tmp_path_factory.mktemp("layouts") / "w.pth"
    pickle = b"\x80\x02}X\x01\x00\x00\x00a" + tensor("0", strided) + b"s."
    write_zip(path, {"a": a}, pickle)
    with opened(path) as contents:
        assert contents.tensors["a"].shape == strided.shape
        assert (contents.tensors["a"].read() == strided).all()


# --- what is not -------------------------------------------------------------------------------

WRITERS = {
    ".pth": write_zip,
    ".th": write_old,
    ".safetensors": lambda path, arrays: safetensors.numpy.save_file(arrays, path),
}


def changed_hdf5(whole, path, suffix, change):
    """A copy of a Keras file whose HDF5 `change` has changed."""
    if suffix != ".keras":
        shutil.copy(whole[suffix], path)
        with h5py.File(path, "r+") as file:
            change(file)
        return
    inside = path.with_suffix(".inside")
    with zipfile.ZipFile(whole[suffix]) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "model.weights.h5":
                inside.write_bytes(data)
                with h5py.File(inside, "r+") as file:
                    change(file)
                data = inside.read_bytes()
            new.writestr(name, data)


KERNELS = {
    ".keras": "layers/conv2d_7/vars/0",
    ".weights.h5": "layers/conv2d_7/vars/0",
    ".h5": "model_weights/conv3_block1_1_conv/conv3_block1_1_conv/kernel",
}


def replaced(file, name, value):
    del file[name]
    if value is not None:
        file[name] = value


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("fault", "match"), [
    ("missing", "missing 1: "), ("more", "unexpected 1: "), ("transposed", "misshapen 1: "),
    ("not a number", "no finite numbers for 'conv3_block1_1_conv/kernel'"),
])  # fmt: skip
def test_a_file_with_one_wrong_tensor_is_refused(whole, arrays, tmp_path, suffix, fault, match):
    path = tmp_path / f"wrong{suffix}"
    name, kernel = "layer2.0.conv1.weight", arrays["layer2.0.conv1.weight"]
    assert kernel.shape[0] != kernel.shape[1]
    if suffix in STATES:
        values = {
            "missing": {n: a for n, a in arrays.items() if n != name},
            "more": arrays | {"more.weight": kernel},
            "transposed": arrays | {name: np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))},
            "not a number": arrays | {name: kernel * np.nan},
        }[fault]
        WRITERS[suffix](path, values)
    else:
        ours = kernel.transpose(2, 3, 1, 0)
        changes = {
            "missing": lambda file: replaced(file, KERNELS[suffix], None),
            "more": lambda file: file.__setitem__(KERNELS[suffix][:-1] + "7", ours),
            "transposed": lambda file: replaced(file, KERNELS[suffix], ours.transpose(0, 1, 3, 2)),
            "not a number": lambda file: replaced(file, KERNELS[suffix], ours * np.nan),
        }
        if (suffix, fault) == (".h5", "missing"):  # the list still names it
            match = "is damaged or is none of weights"
        changed_hdf5(whole, path, suffix, changes[fault])
    error = refused(path, match)
    assert (error.report is None) == ("finite" in match or "damaged" in match)


def test_a_variance_below_zero_is_refused(arrays, tmp_path):
    write_zip(tmp_path / "w.pth", arrays | {"bn1.running_var": -arrays["bn1.running_var"]})
    refused(tmp_path / "w.pth", "variances below 0")


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=15)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(whole, tmp_path_factory, suffix, share):
    data = whole[suffix].read_bytes()
    path = tmp_path_factory.mktemp("short") / f"w{suffix}"
    path.write_bytes(data[: int(share * len(data))])
    refused(
        path,
        "is damaged|is cut off|is of no known kind|longer than its tensors",
        MODEL.setdefault("it", built()),
    )


@pytest.mark.parametrize("suffix", [".pth", ".keras", ".safetensors"])
@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_under_a_checksum_is_refused(whole, tmp_path_factory, suffix, share, bit):
    """In what the checksum covers: an archive's members, a state's tensors."""
    data = bytearray(whole[suffix].read_bytes())
    places = covered(whole[suffix], data)
    data[places[int(share * len(places))]] ^= 1 << bit
    path = tmp_path_factory.mktemp("bit") / f"w{suffix}"
    path.write_bytes(data)
    refused(path, "is damaged|has other values than were saved", MODEL.setdefault("it", built()))


def covered(path, data):
    if path.suffix == ".safetensors":
        return range(8 + int.from_bytes(data[:8], "little"), len(data))
    with zipfile.ZipFile(path) as archive:
        found = []
        for member in archive.infolist():
            names = len(member.filename.encode()) + 30
            start = member.header_offset + names + int.from_bytes(
                data[member.header_offset + 28 : member.header_offset + 30], "little"
            )  # fmt: skip
            found += [*range(start, start + member.file_size)][:: 1 + member.file_size // 500]
    return found


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_given_sha256_is_compared(whole, tmp_path, suffix):
    from hashlib import sha256

    right = sha256(whole[suffix].read_bytes()).hexdigest()
    assert pretrained.load(NAME, SOURCE, whole[suffix], sha256=right[:8])
    data = bytearray(whole[suffix].read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / f"w{suffix}").write_bytes(data)
    with pytest.raises(pretrained.LoadError, match="has another SHA-256"):
        pretrained.load(NAME, SOURCE, tmp_path / f"w{suffix}", sha256=right)


@pytest.mark.parametrize("wrong", ["12fca82", "XYZ45678", "0" * 65])
def test_what_is_no_sha256_is_refused(whole, wrong):
    with pytest.raises(ValueError, match="sha256 is 8 to 64 hexadecimal digits"):
        pretrained.load(NAME, SOURCE, whole[".pth"], sha256=wrong)


@pytest.mark.parametrize("writer", [write_zip, write_old])
@pytest.mark.parametrize("program", ["os.system", "builtins.eval", "posix.system", "torch.load"])
def test_a_pickle_that_runs_code_does_not(arrays, tmp_path, writer, program):
    canary = tmp_path / "canary"
    module, name = program.split(".")
    word = f"open({str(canary)!r}, 'w')" if name == "eval" else f"touch {canary}"
    order = b"X" + len(word).to_bytes(4, "little") + word.encode()
    harm = b"X\x04\x00\x00\x00harm" + call(module, name, b"(" + order + b"t")
    writer(tmp_path / "harm.pth", arrays, state(arrays, harm))
    refused(tmp_path / "harm.pth", f"wants to run {program}")
    assert not canary.exists()


def test_the_canary_would_sing(arrays, tmp_path):
    """The control: unpickled as such, the program runs."""
    import pickle

    canary = tmp_path / "canary"
    word = f"touch {canary}"
    order = b"X" + len(word).to_bytes(4, "little") + word.encode()
    pickle.loads(b"\x80\x02" + call("os", "system", b"(" + order + b"t") + b".")
    assert canary.exists()


@pytest.mark.parametrize(("tampered", "match"), [
    ({"offset": 1}, "reaches beyond its storage"), ({"offset": -4}, "reaches beyond its storage"),
    ({"strides": (-1, 1, 1, 1)}, "reaches beyond its storage"),
    ({"strides": (10**6, 1, 1, 1)}, "reaches beyond its storage"),
    ({"kept": 10**9}, "a storage of 432 values"),
])  # fmt: skip
def test_a_tensor_beyond_its_storage_is_refused(arrays, tmp_path, tampered, match):
    write_zip(tmp_path / "w.pth", arrays, state(arrays, **tampered))
    with pytest.raises(pretrained.LoadError, match=match), opened(tmp_path / "w.pth") as contents:
        contents.tensors["conv1.weight"].read()


@pytest.mark.parametrize("outside", ["../out", "/etc/out", "a/../../out", "..\\out"])
def test_an_archive_with_a_path_outside_is_refused(arrays, tmp_path, outside):
    write_zip(tmp_path / "w.pth", arrays, members=[(outside, b"")])
    refused(tmp_path / "w.pth", "outside itself")
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


# Programs for the pickle machine that would call, hang, crash or fill the memory.
PROGRAMS = {
    "a function that calls itself": (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00(h\x00)}Ntb)R.",
        "sets attributes of what is no container",
    ),
    "attributes of a function": (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.", "sets attributes of what is no container"
    ),
    "nested tuples for a key": (b"\x80\x02})" + b"2\x86" * 60 + b"K\x01s.", "wants DUP done"),
    "tuples in tuples for a key": (
        b"\x80\x02})q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"K\x01s.", "container of unknown kind"
    ),
    "a deep tuple for a key": (b"\x80\x02})" + b"\x85" * 10**6 + b"K\x01s.", "a tuple for a key"),
    "a far place in the memo": (b"\x80\x02Nr\xff\xff\xff\x7f.", "holds a NoneType"),
    "an instance": (b"\x80\x02(ios\nsystem\n.", "wants INST done"),
    "a call of a string": (b"\x80\x02X\x01\x00\x00\x00a)R.", "calls a str"),
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_for_harm_is_refused_at_once(tmp_path, program):
    pickle, match = PROGRAMS[program]
    write_zip(tmp_path / "w.pth", {}, pickle)
    refused(tmp_path / "w.pth", match, MODEL.setdefault("it", built()))


def test_hard_links_that_meet_again_are_refused(tmp_path):
    """Each level twice the paths: without a look at where they lead, a walk of 2 ** 40 steps."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        below = file.create_group("0")
        for i in range(1, 41):
            level = file.create_group(str(i))
            level["a"] = level["b"] = below
            below = level
    refused(tmp_path / "w.h5", "in two places")


def test_one_name_for_two_tensors_is_refused(whole, arrays, tmp_path):
    def twice(file):
        file["layers/zzz/vars/0"] = np.full((3, 3, 3, 16), 7, "float32")
        file["layers/zzz/vars"].attrs["name"] = "conv1_conv"

    changed_hdf5(whole, tmp_path / "w.weights.h5", ".weights.h5", twice)
    refused(tmp_path / "w.weights.h5", "has 'conv1_conv/0' twice")
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(tmp_path / "w.pth", arrays, members=[("archive/data/0", b"")])
    refused(tmp_path / "w.pth", "has 'archive/data/0' twice")
    write_zip(tmp_path / "w.pth", arrays, members=[("other/data.pkl", state(arrays))])
    refused(tmp_path / "w.pth", "is an archive of neither")


def test_legacy_weights_say_which_they_are(whole, tmp_path):
    """Gamma and beta have one shape."""

    def swapped(file):
        names = file["model_weights/conv1_bn"].attrs["weight_names"]
        file["model_weights/conv1_bn"].attrs["weight_names"] = [*names[1::-1], *names[2:]]

    changed_hdf5(whole, tmp_path / "w.h5", ".h5", swapped)
    refused(tmp_path / "w.h5", "misshapen 2")


def test_only_a_classifier_is_left_out_of_a_legacy_file(whole, tmp_path):
    path = tmp_path / "w.h5"
    more = np.ones(5, "float32")
    changed_hdf5(whole, path, ".h5", lambda f: f.__setitem__("model_weights/more/gamma", more))
    with pytest.raises(pretrained.LoadError, match="unexpected 1: more/gamma"):
        pretrained.load(NAME, SOURCE, path, include_top=False)


@pytest.mark.parametrize(("name", "shape"), [
    ("linear.weight", (10, 32)), ("linear.weight", (7, 64)), ("linear.bias", (7,)),
])  # fmt: skip
def test_half_a_classifier_is_refused(arrays, tmp_path, name, shape):
    write_zip(tmp_path / "w.pth", arrays | {name: np.ones(shape, "float32")})
    with pytest.raises(pretrained.LoadError, match=f"misshapen .*{name}"):
        pretrained.load(NAME, SOURCE, tmp_path / "w.pth", classes=10)


def test_a_file_without_classifier_has_any_classes(whole, tmp_path, caplog):
    model = pretrained.load(NAME, SOURCE, whole[".pth"], include_top=False)
    model.save_weights(tmp_path / "w.weights.h5")
    again = pretrained.load(NAME, SOURCE, tmp_path / "w.weights.h5", classes=5)
    assert "fresh 2" in caplog.text
    assert again.output_shape == (None, 5)
    with pytest.raises(pretrained.LoadError, match="missing 2: predictions/0, predictions/1"):
        pretrained.load(NAME, SOURCE, tmp_path / "w.weights.h5")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_with_its_model_is_not_loaded_into_another_form(tmp_path, suffix):
    """The names and shapes of both are the same, and no sum of squares would tell."""
    options = {"input_shape": (32, 32, 3), "kernel_initializer": "zeros"}
    pretrained.build("resnet50", "torchvision", **options).save(tmp_path / f"w{suffix}")
    with pytest.raises(
        pretrained.LoadError, match=r"is of another form: its 'conv\d_block1_1_conv'"
    ):
        keras_ilsvrc.ResNet50(weights=tmp_path / f"w{suffix}", **options)
    assert pretrained.load("resnet50", "torchvision", tmp_path / f"w{suffix}", **options)


@pytest.mark.parametrize("config", [b"{", b"[]", b'{"config": {"layers": [1]}}'])
def test_a_file_whose_model_is_damaged_is_refused(whole, tmp_path, config):
    with zipfile.ZipFile(whole[".keras"]) as old, zipfile.ZipFile(tmp_path / "w.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, config if name == "config.json" else old.read(name))
    refused(tmp_path / "w.keras", "is damaged")


def test_values_beyond_float32_are_refused(arrays, tmp_path):
    wide = {name: a.astype("float64") for name, a in arrays.items()}
    safetensors.numpy.save_file(wide, tmp_path / "w.safetensors")
    assert pretrained.load(NAME, SOURCE, tmp_path / "w.safetensors")
    wide["conv1.weight"] = wide["conv1.weight"] * 1e300
    safetensors.numpy.save_file(wide, tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", "no finite numbers for 'conv1_conv/kernel'")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "_orig_mod.module."])
def test_what_wrappers_put_before_all_names_is_taken_off(arrays, tmp_path, prefix):
    pickle = b"\x80\x02}(" + b"".join(
        text(prefix + name) + tensor(str(i), a) for i, (name, a) in enumerate(arrays.items())
    ) + b"u."  # fmt: skip
    write_zip(tmp_path / "w.pth", arrays, pickle)
    with opened(tmp_path / "w.pth") as contents:
        assert {*contents.tensors} == {*arrays}


@pytest.mark.parametrize("writer", [write_zip, write_old])
def test_an_optimizer_s_tensors_are_none_of_the_network(arrays, tmp_path, writer):
    momentum = np.ones((16, 3, 3, 3), "float32")
    inside = b"}" + text("state") + b"}K\x00}" + text("buffer") + tensor(str(len(arrays)), momentum)
    extra = text("optimizer") + inside + b"sss"
    writer(tmp_path / "w.pth", arrays | {"momentum": momentum}, state(arrays, extra))
    assert pretrained.load(NAME, SOURCE, tmp_path / "w.pth")


def test_a_name_of_the_model_is_the_reader_s(whole):
    model = pretrained.load(NAME, SOURCE, whole[".pth"], name="mine")
    assert model.name == "mine"
    assert (
        keras_ilsvrc.get_model("cifar_resnet20", weights=whole[".keras"]).name == "cifar_resnet20"
    )


def test_rules_around_do_not_change_a_source_s_form():
    with rules(Rule("norm", {"epsilon": 0.5})):
        assert built().get_layer("conv1_bn").epsilon == 1e-5


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"there is no weights file 'none\.pth'"):
        pretrained.load(NAME, SOURCE, "none.pth")


def test_values_that_no_tensor_uses_are_told(arrays, tmp_path):
    write_zip(tmp_path / "w.pth", arrays, members=[("archive/data/999", b"\0" * 8)])
    refused(tmp_path / "w.pth", "unexpected 1: storage archive/data/999")


def test_a_compressed_archive_is_refused(whole, tmp_path):
    with (
        zipfile.ZipFile(whole[".pth"]) as old,
        zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    refused(tmp_path / "w.pth", "is compressed")


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
@pytest.mark.parametrize("link", [
    h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/layers/conv2d/vars/0"),
])  # fmt: skip
def test_an_hdf5_file_with_a_link_is_refused(whole, tmp_path, suffix, link):
    path = tmp_path / f"w{suffix}"
    changed_hdf5(whole, path, suffix, lambda file: replaced(file, KERNELS[suffix], link))
    with pytest.raises(pretrained.LoadError, match="has a link in the place of"):
        fill(built(), path, DIALECT, Wishes())


def test_an_hdf5_file_with_values_elsewhere_is_refused(whole, tmp_path):
    path, values = tmp_path / "w.weights.h5", tmp_path / "values"
    values.write_bytes(bytes(4 * 9 * 16 * 32))
    shutil.copy(whole[".weights.h5"], path)
    with h5py.File(path, "r+") as file:
        del file[KERNELS[".weights.h5"]]
        file.create_dataset(
            KERNELS[".weights.h5"], (3, 3, 16, 32), "f4", external=[(str(values), 0, 18432)]
        )
    refused(path, "in another file")


@pytest.mark.parametrize(
    "data", [b"", b"weights", b"{}" * 40, b"PK\x03\x04 no archive", b"\x89HDF"]
)
def test_what_is_no_weights_file_is_refused(tmp_path, data):
    (tmp_path / "w.pth").write_bytes(data)
    refused(tmp_path / "w.pth", "is of no known kind of weights|is damaged or is none of weights")


@pytest.mark.parametrize(("pickle", "match"), [
    (b"\x80\x02](K\x01e.", "holds a list"),
    (b"\x80\x02}.", "holds 0 sets of tensors"),
    (b"\x80\x02K\x01", "damaged"),
])  # fmt: skip
def test_a_pickle_of_something_else_is_refused(tmp_path, pickle, match):
    write_zip(tmp_path / "w.pth", {}, pickle)
    refused(tmp_path / "w.pth", match)


def test_legacy_layers_out_of_order_are_refused(whole, tmp_path):
    """Two of equal shape, told by their names."""
    shutil.copy(whole[".h5"], tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        names = [str(n) for n in file["model_weights"].attrs["layer_names"]]
        i, j = names.index("conv2_block1_1_conv"), names.index("conv2_block1_2_conv")
        names[i], names[j] = names[j], names[i]
        file["model_weights"].attrs["layer_names"] = names
    refused(tmp_path / "w.h5", "misshapen 2")


# --- what may differ -----------------------------------------------------------------------------


def test_other_classes_have_a_fresh_classifier(whole, caplog):
    model = pretrained.load(NAME, SOURCE, whole[".pth"], classes=7)
    assert model.output_shape == (None, 7)
    assert "fresh 2: predictions/kernel, predictions/bias" in caplog.text
    first = pretrained.load(NAME, SOURCE, whole[".pth"])
    pairs = zip(first.get_weights()[:-2], model.get_weights()[:-2], strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_as_many_classes_as_the_file_s_are_loaded(whole, caplog):
    model = pretrained.load(NAME, SOURCE, whole[".pth"], classes=10)
    first = pretrained.load(NAME, SOURCE, whole[".pth"])
    assert (model.get_weights()[-1] == first.get_weights()[-1]).all()
    assert "fresh" not in caplog.text


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_top_the_maps_are_the_same(whole, suffix):
    maps = pretrained.load(NAME, SOURCE, whole[suffix], include_top=False)
    first = pretrained.load(NAME, SOURCE, whole[".pth"])
    pairs = zip(maps.get_weights(), first.get_weights()[:-2], strict=True)
    assert all((a == b).all() for a, b in pairs)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_an_image_of_equal_channels_gives_what_its_grey_one_gave(whole, caplog, channels):
    model = pretrained.load(NAME, SOURCE, whole[".pth"], input_shape=(32, 32, channels))
    first = pretrained.load(NAME, SOURCE, whole[".pth"])
    assert "reshaped 1: conv1_conv/kernel" in caplog.text
    grey = np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype("float32")
    a, b = (m.predict(grey.repeat(n, -1), verbose=0) for m, n in ((model, channels), (first, 3)))
    assert np.abs(a - b).max() <= 1e-5


# --- saving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda m: keras.Model(m.inputs, keras.layers.Rescaling(-1.0)(m.output)),
    lambda m: keras.Model(m.inputs, [m.output, m.get_layer("conv1_conv").output]),
])  # fmt: skip
def test_a_model_that_gives_something_else_is_not_saved(tmp_path, change):
    with pytest.raises(ValueError, match="is not 'cifar_resnet20' in the form of 'cifar'"):
        pretrained.save(change(built()), tmp_path / "w.safetensors", SOURCE, name=NAME)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        pretrained.save(built(), tmp_path / "none" / "w.safetensors")


def test_another_form_under_the_same_names_is_not_saved():
    """The paper's ResNet-50 has torchvision's names and shapes, and computes something else."""
    paper = keras_ilsvrc.ResNet50(input_shape=(32, 32, 3), kernel_initializer="zeros")
    with pytest.raises(ValueError, match=r"is not 'resnet50' in the form of 'torchvision'.*layer"):
        pretrained.save(paper, "w.safetensors", "torchvision")


@pytest.mark.parametrize(("source", "path", "match"), [
    ("keras", "w.safetensors", "use model.save_weights"),
    ("torchvision", "w.npz", r"path ends in \.safetensors, \.pth or \.pt, not 'w\.npz'"),
    ("zoo", "w.pth", "source is 'keras'"),
])  # fmt: skip
def test_what_cannot_be_saved_says_why(tmp_path, source, path, match):
    name = "keras" if source == "keras" else "torchvision"
    model = pretrained.build("resnet50", name, input_shape=(32, 32, 3), kernel_initializer="zeros")
    (tmp_path / path).write_text("before")
    with pytest.raises(ValueError, match=match):
        pretrained.save(model, tmp_path / path, source)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["before"]


def test_a_model_of_no_source_asks_for_one():
    with pytest.raises(ValueError, match="was not loaded from one; say whose names"):
        pretrained.save(cifar.ResNet(20), "w.safetensors", name=NAME)


def test_without_a_classifier_nothing_is_saved():
    with pytest.raises(ValueError, match="has no classifier"):
        pretrained.save(built(include_top=False), "w.safetensors")
