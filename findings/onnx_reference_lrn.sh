#!/bin/sh
# onnx: the reference evaluator's LRN is not the specification's, and ONNX Runtime's is.
#
# The specification of LRN sums the squares over `size` neighbouring channels. The reference
# evaluator of the same package returns other numbers unless the batch has as many images as there
# are channels: its loop runs over the images where it should run over the channels, so the other
# channels are not normalized. ONNX Runtime and the formula by hand agree. Whoever checks an exported
# AlexNet or GoogLeNet against the reference evaluator finds a fault in a file that has none.
#
# Instead: compare LRN with ONNX Runtime or with the formula.
#
# onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   onnx 1.23.2 onnxruntime 1.32.0 numpy 2.4.6
#   expected: by hand, runtime and reference differ by rounding, for every shape
#   (1, 8, 2, 2): largest difference from by hand: runtime 6.0e-08, reference 1.1e+00
#   (2, 8, 2, 2): largest difference from by hand: runtime 1.8e-07, reference 1.1e+00
#   (8, 8, 2, 2): largest difference from by hand: runtime 2.4e-07, reference 0.0e+00
#   (1, 8, 1, 8): largest difference from by hand: runtime 1.2e-07, reference 1.0e+00
#   (1, 2, 8, 8): largest difference from by hand: runtime 1.8e-07, reference 9.3e-01
#   reference differs for [(1, 8, 2, 2), (2, 8, 2, 2), (1, 8, 1, 8), (1, 2, 8, 8)]
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
print("expected: by hand, runtime and reference differ by rounding, for every shape")
size, alpha, beta, bias = 5, 1.0, 0.75, 1.0
differs = []
for shape in ((1, 8, 2, 2), (2, 8, 2, 2), (8, 8, 2, 2), (1, 8, 1, 8), (1, 2, 8, 8)):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    node = helper.make_node("LRN", ["x"], ["y"], size=size, alpha=alpha, beta=beta, bias=bias)
    graph = helper.make_graph(
        [node],
        "lrn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    squares = np.pad(x**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    sums = sum(squares[:, i : i + shape[1]] for i in range(size))
    hand = x / (bias + alpha / size * sums) ** beta
    runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0]
    far = [float(np.abs(y - hand).max()) for y in (runtime, reference)]
    print(f"{shape}: largest difference from by hand: runtime {far[0]:.1e}, reference {far[1]:.1e}")
    if far[0] > 1e-5:
        sys.exit("The behaviour has changed: ONNX Runtime differs.")
    if far[1] > 1e-3:
        differs.append(shape)
print("reference differs for", differs)
if not differs:
    sys.exit("The behaviour has changed.")
EOF
