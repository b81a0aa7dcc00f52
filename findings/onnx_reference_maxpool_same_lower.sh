#!/bin/sh
# onnx: the reference evaluator computes MaxPool with auto_pad=SAME_LOWER otherwise than the runtimes.
#
# onnx.reference.ReferenceEvaluator is what people compare runtimes with. For MaxPool with
# auto_pad="SAME_LOWER" it returns a smaller map where the size is odd and other values where it is
# even, although the file's own shape inference and ONNX Runtime agree with the specification:
# ceil(size / stride) outputs, the odd row of padding at the beginning. SAME_UPPER is right, and so
# is AveragePool with SAME_LOWER.
#
# Instead: write explicit pads into the file, or compare with ONNX Runtime.
#
# onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   onnx 1.23.2 onnxruntime 1.32.0 numpy 2.4.6
#   expected: three outputs for 5 or 6 pixels, and the same values in both
#   5 pixels SAME_UPPER: by hand [9.0, 3.0, 4.0], runtime [9.0, 3.0, 4.0], reference [9.0, 3.0, 4.0]
#   5 pixels SAME_LOWER: by hand [9.0, 3.0, 4.0], runtime [9.0, 3.0, 4.0], reference [9.0, 4.0]
#   6 pixels SAME_UPPER: by hand [9.0, 4.0, 8.0], runtime [9.0, 4.0, 8.0], reference [9.0, 4.0, 8.0]
#   6 pixels SAME_LOWER: by hand [9.0, 3.0, 8.0], runtime [9.0, 3.0, 8.0], reference [9.0, 4.0, 8.0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print(*(f"{name} {version(name)}" for name in ("onnx", "onnxruntime", "numpy")))
print("expected: three outputs for 5 or 6 pixels, and the same values in both")


def by_hand(row: np.ndarray, lower: bool) -> list[float]:
    """Maximum of 3, stride 2, over a row padded to ceil(size / 2) windows."""
    windows = -(-row.size // 2)
    total = max(0, (windows - 1) * 2 + 3 - row.size)
    before = (total + 1) // 2 if lower else total // 2
    padded = np.pad(row, (before, total - before), constant_values=-np.inf)
    return [float(padded[2 * i : 2 * i + 3].max()) for i in range(windows)]


wrong = []
for size in (5, 6):
    row = np.array([9, 1, 2, 3, 4, 8][:size], dtype="float32")
    for padding in ("SAME_UPPER", "SAME_LOWER"):
        node = helper.make_node(
            "MaxPool", ["x"], ["y"], kernel_shape=[3], strides=[2], auto_pad=padding
        )
        graph = helper.make_graph(
            [node],
            "pool",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, None])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        feed = {"x": row.reshape(1, 1, size)}
        session = onnxruntime.InferenceSession(model.SerializeToString())
        runtime = session.run(None, feed)[0].ravel().tolist()
        reference = ReferenceEvaluator(model).run(None, feed)[0].ravel().tolist()
        hand = by_hand(row, padding == "SAME_LOWER")
        print(f"{size} pixels {padding}: by hand {hand}, runtime {runtime}, reference {reference}")
        if runtime != hand:
            sys.exit("The behaviour has changed: ONNX Runtime differs.")
        if reference != hand:
            wrong.append((size, padding))
if wrong != [(5, "SAME_LOWER"), (6, "SAME_LOWER")]:
    sys.exit("The behaviour has changed.")
EOF
