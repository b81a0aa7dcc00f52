#!/bin/sh
# OpenVINO: AveragePool with ceil_mode and count_include_pad divides the last window otherwise.
#
# ONNX's AveragePool with ceil_mode=1, count_include_pad=1 and padding has a last window that hangs
# over the padding where the size is even. ONNX Runtime and onnx's reference evaluator divide it by
# the part inside the padded map; OpenVINO reads the same file without a message and returns
# a smaller number there: it divides by the whole window. Odd sizes agree, so a test at 225 pixels passes and 224 differs. Only the
# last row and column differ.
#
# Instead: pad with a Pad node and use AveragePool without pads and without ceil_mode, or compare
# OpenVINO with ONNX Runtime at an even size.
#
# openvino 2026.4.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   openvino 2026.4.1 onnx 1.23.2 onnxruntime 1.32.0 numpy 2.4.6
#   expected: the same numbers in all three
#   5 pixels of 36, last row: runtime [16.0, 24.0, 16.0], reference [16.0, 24.0, 16.0], OpenVINO [16.0, 24.0, 16.0]
#   6 pixels of 36, last row: runtime [12.0, 18.0, 18.0, 9.0], reference [12.0, 18.0, 18.0, 9.0], OpenVINO [8.0, 12.0, 12.0, 4.0]
#   7 pixels of 36, last row: runtime [16.0, 24.0, 24.0, 16.0], reference [16.0, 24.0, 24.0, 16.0], OpenVINO [16.0, 24.0, 24.0, 16.0]
#   8 pixels of 36, last row: runtime [12.0, 18.0, 18.0, 18.0, 9.0], reference [12.0, 18.0, 18.0, 18.0, 9.0], OpenVINO [8.0, 12.0, 12.0, 12.0, 4.0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

names = ("openvino", "onnx", "onnxruntime", "numpy")
print(*(f"{name} {version(name)}" for name in names))
print("expected: the same numbers in all three")
agree = {}
for size in (5, 6, 7, 8):
    node = helper.make_node(
        "AveragePool",
        ["x"],
        ["y"],
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        ceil_mode=1,
        count_include_pad=1,
    )
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, None, None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    x = np.full((1, 1, size, size), 36, "float32")
    runtime = onnxruntime.InferenceSession(file).run(None, {"x": x})[0][0, 0]
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0][0, 0]
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    other = compiled([x])[0][0, 0]
    if not np.allclose(runtime, reference):
        sys.exit("The behaviour has changed: ONNX Runtime differs from the reference.")
    agree[size] = bool(np.allclose(runtime, other))
    rows = [np.round(y[-1], 3).tolist() for y in (runtime, reference, other)]
    print(f"{size} pixels of 36, last row: runtime {rows[0]}, reference {rows[1]}, OpenVINO {rows[2]}")
if agree != {5: True, 6: False, 7: True, 8: False}:
    sys.exit("The behaviour has changed.")
EOF
