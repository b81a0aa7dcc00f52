#!/bin/sh
# OpenVINO: an ONNX Resize with antialias=1 is run without antialiasing, silently.
#
# Resize with mode linear or cubic and antialias=1 widens the filter when it makes a picture smaller.
# ONNX Runtime and onnx's reference evaluator do that. OpenVINO reads the same file without an error
# or a warning and returns what antialias=0 gives, to the digit. A network whose preprocessing lies
# in the file therefore sees other pictures. Enlarging is not affected.
#
# Instead: resize before the network, with the library that training used, and leave Resize with
# antialias out of files for OpenVINO.
#
# openvino 2026.4.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   openvino 2026.4.1 onnx 1.23.2 onnxruntime 1.32.0 numpy 2.4.6
#   expected: all three return the antialiased picture for antialias=1
#   linear, antialias=1, runtime: first row [113.2, 137.2, 147.6, 127.1], differs from antialias=0 by 63.57, from the reference by 0.00
#   linear, antialias=1, reference: first row [113.2, 137.2, 147.6, 127.1], differs from antialias=0 by 63.57, from the reference by 0.00
#   linear, antialias=1, OpenVINO: first row [133.1, 166.9, 146.4, 156.6], differs from antialias=0 by 0.00, from the reference by 63.57
#   cubic, antialias=1, runtime: first row [110.1, 135.8, 149.1, 128.0], differs from antialias=0 by 88.57, from the reference by 0.00
#   cubic, antialias=1, reference: first row [110.1, 135.8, 149.1, 128.0], differs from antialias=0 by 88.57, from the reference by 0.00
#   cubic, antialias=1, OpenVINO: first row [137.9, 192.4, 133.9, 180.7], differs from antialias=0 by 0.00, from the reference by 88.57
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
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

names = ("openvino", "onnx", "onnxruntime", "numpy")
print(*(f"{name} {version(name)}" for name in names))
print("expected: all three return the antialiased picture for antialias=1")
x = np.random.default_rng(0).uniform(0, 255, (1, 1, 16, 16)).astype("float32")
changed = False
for mode in ("linear", "cubic"):
    results = {}
    for antialias in (0, 1):
        node = helper.make_node(
            "Resize",
            ["x", "", "scales"],
            ["y"],
            mode=mode,
            coordinate_transformation_mode="half_pixel",
            antialias=antialias,
        )
        graph = helper.make_graph(
            [node],
            "resize",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 16, 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4, 4])],
            [numpy_helper.from_array(np.array([1, 1, 0.25, 0.25], "float32"), "scales")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        file = model.SerializeToString()
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        results[antialias] = {
            "runtime": onnxruntime.InferenceSession(file).run(None, {"x": x})[0],
            "reference": ReferenceEvaluator(model).run(None, {"x": x})[0],
            "OpenVINO": compiled([x])[0],
        }
    for name in results[1]:
        row = [round(float(v), 1) for v in results[1][name][0, 0, 0]]
        same = float(np.abs(results[1][name] - results[0][name]).max())
        far = float(np.abs(results[1][name] - results[1]["reference"]).max())
        print(
            f"{mode}, antialias=1, {name}: first row {row}, "
            f"differs from antialias=0 by {same:.2f}, from the reference by {far:.2f}"
        )
        ignores = same == 0
        changed = changed or ignores != (name == "OpenVINO") or (far < 0.01) == ignores
if changed:
    sys.exit("The behaviour has changed.")
EOF
