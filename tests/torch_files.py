"""PyTorch's two file formats written without PyTorch, opcode by opcode, sound and unsound."""

import struct
import zipfile

import numpy as np

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value):
    return b"J" + struct.pack("<i", value)


def integers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def call(module, name, arguments=b")"):
    return b"c" + f"{module}\n{name}\n".encode() + arguments + b"R"


def storage(key, count):
    return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + (
        integer(count) + b"tQ"
    )  # fmt: skip


def tensor(key, array, offset=0, strides=None, kept=None):
    steps = strides or [s // 4 for s in array.strides]
    inside = storage(key, array.size if kept is None else kept) + integer(offset)
    inside += integers(array.shape) + integers(steps) + b"\x89" + call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", b"(" + inside + b"t")


def state(arrays, extra=b"", **tampered):
    """The pickle of {"state_dict": arrays}, their names behind "module."."""
    items = b"".join(
        text(f"module.{name}") + tensor(str(i), a, **(tampered if i == 0 else {}))
        for i, (name, a) in enumerate(arrays.items())
    )
    inner = call("collections", "OrderedDict") + b"(" + items + b"u"
    return b"\x80\x02}(" + text("epoch") + integer(1) + text("state_dict") + inner + extra + b"u."


def write_zip(path, arrays, pickle=None, members=(), order="little"):
    """torch.save's format: an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state(arrays) if pickle is None else pickle)
        archive.writestr("archive/byteorder", order)
        for i, a in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", a.tobytes())
        archive.writestr("archive/version", "3\n")
        for name, data in members:
            archive.writestr(name, data)


def write_old(path, arrays, pickle=None):
    """That of before version 1.6: pickles in a row, then the values."""
    system = b"\x80\x02}(" + text("little_endian") + b"\x88u."
    keys = b"\x80\x02](" + b"".join(text(str(i)) for i in range(len(arrays))) + b"e."
    values = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in arrays.values())
    head = MAGIC + b"\x80\x02M\xe9\x03." + system
    path.write_bytes(head + (state(arrays) if pickle is None else pickle) + keys + values)


def arrays_of(names, seed=0):
    """Random values for {name: shape}; variances positive."""
    draw = np.random.default_rng(seed)
    return {
        name: (draw.uniform(0.5, 1.5, shape) if "var" in name else draw.normal(0, 0.3, shape))
        .astype("float32")
        for name, shape in names.items()
    }  # fmt: skip
