#!/bin/sh
# OpenVINO: a float32 network is computed in bfloat16 where the processor can, unasked.
#
# On processors with AVX512_BF16 or AMX, compile_model() computes a float32 file in bfloat16. Input,
# weights and output stay float32, so nothing in the file or in the result's type shows it; the
# numbers have two to three digits. On a processor without those instructions the same code computes
# in float32, so the same file gives other numbers on another machine.
#
# Instead: give {"INFERENCE_PRECISION_HINT": "f32"} where numbers are compared, and take bfloat16 on
# purpose where speed matters.
#
# The script ends with 77 (cannot be shown) on a processor without bfloat16 instructions.
#
# openvino 2026.4.1, numpy 2.4.6, 2026-11-27, a processor with AVX512_BF16. Output seen:
#
#   openvino 2026.4.1 numpy 2.4.6
#   expected: float32 weights and float32 input give float32's accuracy, about 1e-6
#   as it is: computes in bf16, returns float32, relative error of the order 1e-3
#   f32 asked: computes in f32, returns float32, relative error of the order 1e-7
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile openvino==2026.4.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
import openvino
from openvino import opset13 as ops

print("openvino", version("openvino"), "numpy", version("numpy"))
print("expected: float32 weights and float32 input give float32's accuracy, about 1e-6")
core = openvino.Core()
if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
    print("This processor has no bfloat16 instructions: nothing to see.")
    sys.exit(77)
random = np.random.default_rng(0)
weights = random.normal(size=(512, 512)).astype("float32")
x = random.normal(size=(64, 512)).astype("float32")
exact = x.astype("float64") @ weights.astype("float64")
entry = ops.parameter([64, 512], np.float32)
model = openvino.Model([ops.matmul(entry, ops.constant(weights), False, False)], [entry])
far = {}
for name, options in {"as it is": {}, "f32 asked": {"INFERENCE_PRECISION_HINT": "f32"}}.items():
    compiled = core.compile_model(model, "CPU", options)
    y = compiled([x])[0]
    far[name] = float(np.abs(y - exact).max() / np.abs(exact).max())
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    power = int(np.floor(np.log10(far[name])))
    print(f"{name}: computes in {precision}, returns {y.dtype}, relative error of the order 1e{power}")
if not (far["as it is"] > 1e-4 and far["f32 asked"] < 1e-5):
    sys.exit("The behaviour has changed.")
EOF
