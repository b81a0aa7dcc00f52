#!/bin/sh
# Keras: bfloat16 weights in .weights.h5 are opaque bytes to every other reader.
#
# HDF5 has no bfloat16. Keras stores such an array as two raw bytes an element (|V2) and keeps the
# word "bfloat16" in an attribute of the data set. Keras reads it back exactly. h5py, and with it
# every converter that reads the file by itself, gets NumPy's void type: no error on reading, no
# numbers, and astype("float32") raises. A float32 file with the same model opens everywhere.
#
# Instead: look for the attribute "dtype" of each data set and call array.view(ml_dtypes.bfloat16),
# or save a float32 copy of the model for others.
#
# keras 3.15.1 on jax 0.10.2, h5py 3.14.0, numpy 2.4.6, ml_dtypes 0.6.0, 2026-11-27. Output seen:
#
#   keras 3.15.1 h5py 3.14.0 numpy 2.4.6 ml_dtypes 0.6.0
#   expected: h5py returns the kernel's numbers, in bfloat16 or in a wider type
#   Keras reads back: True bfloat16
#   h5py reads: |V2 attribute: bfloat16
#   astype(float32): ValueError: setting an array element with a sequence.
#   view as bfloat16 equals the kernel: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile keras==3.15.1 jax==0.10.2 h5py==3.14.0 numpy==2.4.6 ml_dtypes==0.6.0
cd "$folder"
KERAS_HOME="$folder" KERAS_BACKEND=jax venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import h5py
import keras
import ml_dtypes
import numpy as np

print(*(f"{name} {version(name)}" for name in ("keras", "h5py", "numpy", "ml_dtypes")))


def model() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")])


saved, loaded = model(), model()
saved.save_weights("model.weights.h5")
loaded.load_weights("model.weights.h5")
kernel = saved.get_weights()[0]
print("expected: h5py returns the kernel's numbers, in bfloat16 or in a wider type")
print("Keras reads back:", bool(np.array_equal(kernel, loaded.get_weights()[0])), kernel.dtype)
with h5py.File("model.weights.h5") as file:
    data = file["layers/dense/vars/0"]
    raw = data[:]
    print("h5py reads:", raw.dtype, "attribute:", data.attrs["dtype"])
try:
    raw.astype("float32")
except (TypeError, ValueError) as error:
    print(f"astype(float32): {type(error).__name__}: {error}")
else:
    sys.exit("The behaviour has changed: astype works.")
same = bool(np.array_equal(raw.view(ml_dtypes.bfloat16), kernel))
print("view as bfloat16 equals the kernel:", same)
if raw.dtype != np.dtype("V2") or not same:
    sys.exit("The behaviour has changed.")
EOF
