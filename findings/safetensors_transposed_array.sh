#!/bin/sh
# safetensors: a transposed or sliced NumPy array comes back with other values, silently.
#
# save_file() of safetensors.numpy writes the memory that an array begins at, and the array's shape,
# without regard to strides. A transposed array or a slice with gaps is written without an error or
# a warning, and load_file() returns the right shape with other values: permuted ones for a
# transposed array, for a slice also ones that are not part of it. That surprises because numpy.save
# writes what the array shows. Transposing is what every conversion of weights between PyTorch
# (out, in) and Keras (in, out) does.
#
# Instead: pass numpy.ascontiguousarray(array) for every array, and compare after loading.
#
# safetensors 0.8.0, numpy 2.4.6, Python 3.11, 2026-11-27. Output seen:
#
#   safetensors 0.8.0 numpy 2.4.6
#   expected: every array is equal after save_file and load_file
#   as created: equal True, saved [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], loaded [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
#   every second column: equal False, saved [[0.0, 2.0], [3.0, 5.0]], loaded [[0.0, 1.0], [2.0, 3.0]]
#   transposed: equal False, saved [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], loaded [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#   transposed, made contiguous: equal True, saved [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], loaded [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load_file, save_file

print("safetensors", version("safetensors"), "numpy", version("numpy"))
kernel = np.arange(6, dtype="float32").reshape(2, 3)
arrays = {
    "as created": kernel,
    "every second column": kernel[:, ::2],
    "transposed": kernel.T,
    "transposed, made contiguous": np.ascontiguousarray(kernel.T),
}
print("expected: every array is equal after save_file and load_file")
equal = {}
for name, array in arrays.items():
    save_file({"kernel": array}, "kernel.safetensors")
    loaded = load_file("kernel.safetensors")["kernel"]
    equal[name] = bool(np.array_equal(loaded, array))
    print(f"{name}: equal {equal[name]}, saved {array.tolist()}, loaded {loaded.tolist()}")
if [name for name, same in equal.items() if not same] != [
    "every second column",
    "transposed",
]:
    sys.exit("The behaviour has changed.")
EOF
