"""KERAS_BACKEND=torch python -m tests.zoos_graphs: other engines on Caffe's and ONNX's networks.

Writes docs/graphs.md. Needs onnxruntime, and OpenCV before 5, which has an importer for Caffe; the
tests need neither. Every network gets random weights: the Model Zoo's graphs of the onnx package
in place of their constants, Caffe's as prototxt and caffemodel in both forms of its layers.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime

from keras_ilsvrc import pretrained

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import caffe_networks  # noqa: E402
import onnx_graphs  # noqa: E402

from conftest import apart  # noqa: E402

OLDER = ("alexnet", "caffenet", "googlenet", "vgg16", "vgg19")  # than batch normalization
MEMORY = """
import re, sys
from pathlib import Path
from keras_ilsvrc import pretrained
def peak():  # ru_maxrss would be the parent's
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
name, source, path, size = sys.argv[1:]
pretrained.build("cifar_resnet20", "cifar")
__import__("onnx"); before = peak()
pretrained.load(name, source, path, kernel_initializer="zeros")
print((peak() - before) / int(size))
"""


def images(side):
    """As large as pixels are, so that response normalization counts."""
    return np.random.default_rng(0).normal(0, 60, (1, side, side, 3)).astype("float32")


def ours(name, source, path, x):
    options = {"classifier_activation": None, "kernel_initializer": "zeros"}
    return pretrained.load(name, source, path, **options).predict(x, verbose=0)


def memory(name, source, path):
    """What loading takes at most, over the size of the file, the model included; of files below
    200 MB nothing, as it would not stand out of what the process has used before.
    """
    if path.stat().st_size < 200e6:
        return "-"
    words = [name, source, str(path), str(path.stat().st_size)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEMORY, *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return f"{float(done.stdout.split()[-1]):.2f}"


def by_onnxruntime(name, folder):
    proto = onnx_graphs.graph(name)
    onnx_graphs.random_weights(proto)
    path, x = folder / "w.onnx", images(224)
    onnx.save(onnx_graphs.logits(proto), path)
    session = onnxruntime.InferenceSession(path)
    first = next(i.name for i in session.get_inputs() if "data" in i.name)
    (theirs,) = session.run(None, {first: x.transpose(0, 3, 1, 2)})
    return apart(theirs.reshape(1, -1), ours(name, "onnx", path, x)), memory(name, "onnx", path)


def by_opencv(name, older, folder):
    net = caffe_networks.NETWORKS[name]()
    words, path, x = folder / "w.prototxt", folder / "w.caffemodel", images(net.side)
    words.write_text(net.text(older))
    path.write_bytes(net.weights(net.blobs(), older))
    read = cv2.dnn.readNetFromCaffe(str(words), str(path))
    read.setInput(x.transpose(0, 3, 1, 2).copy())
    theirs = read.forward().reshape(1, -1)
    return apart(theirs, ours(name, "caffe", path, x)), memory(name, "caffe", path)


def main():
    rows = []

    def tell(*cells):
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for name in onnx_graphs.GRAPHS:
            difference, most = by_onnxruntime(name, Path(folder))
            form = "ONNX, opset 9"
            tell(f"onnxruntime {version('onnxruntime')}", name, form, f"{difference:.1e}", most)
        for name in caffe_networks.NETWORKS:
            for older in (False, True) if name in OLDER else (False,):
                difference, most = by_opencv(name, older, Path(folder))
                form = f"Caffe, `{'layers' if older else 'layer'}`"
                tell(f"OpenCV {cv2.__version__}", name, form, f"{difference:.1e}", most)
    head = "| engine | network | file | largest difference | memory |\n|---|---|---|---|---|"
    page = ROOT / "docs" / "graphs.md"
    page.write_text("\n".join([page.read_text().partition("| engine")[0] + head, *rows, ""]))


if __name__ == "__main__":
    main()
