#!/bin/sh
# Keras on PyTorch: LayerNormalization over another axis than the last normalizes the last one.
#
# keras.layers.LayerNormalization takes any axis. On PyTorch the input goes to a function that
# normalizes the last axes whatever axis was asked for. Where the sizes differ, a call raises
# "Given normalized_shape"; where the axis asked for and the last have the same size, e.g. rows and
# columns of a square map or channels and columns, the result is the last axis' and nothing warns.
# On JAX (0.10.2, the same layers) every axis is right.
#
# Instead: permute the axis to the end, normalize, permute back; or use
# GroupNormalization(groups=1) where all axes but the batch are meant.
#
# keras 3.15.1, torch 2.13.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   keras 3.15.1 torch 2.13.0+cpu numpy 2.4.6
#   expected: mean 0 along the axis that was asked for
#   (2, 8, 8, 8), axis -1: mean along it 0: right
#   (2, 8, 8, 8), axis 1: mean along it up to 0.83: last axis
#   (2, 8, 8, 8), axis 2: mean along it up to 1.01: last axis
#   (2, 4, 8, 8), axis 1: RuntimeError: ... Given normalized_shape=[4], expected input with shape [*, 4] ...
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile keras==3.15.1 torch==2.13.0 numpy==2.4.6
cd "$folder"
KERAS_HOME="$folder" KERAS_BACKEND=torch venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import keras
import numpy as np

print(*(f"{name} {version(name)}" for name in ("keras", "torch", "numpy")))
print("expected: mean 0 along the axis that was asked for")
kinds = []
for shape, axis in (((2, 8, 8, 8), -1), ((2, 8, 8, 8), 1), ((2, 8, 8, 8), 2), ((2, 4, 8, 8), 1)):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    try:
        y = keras.layers.LayerNormalization(axis=axis)(x)
    except RuntimeError as error:
        message = str(error)
        message = message[message.index("Given normalized_shape") :].split(", but")[0]
        kinds.append("error")
        print(f"{shape}, axis {axis}: RuntimeError: ... {message} ...")
        continue
    y = keras.ops.convert_to_numpy(y)
    asked = float(np.abs(y.mean(axis=axis)).max())
    last = float(np.abs(y.mean(axis=-1)).max())
    right = asked < 1e-5
    kinds.append("right" if right else "last axis" if last < 1e-5 else "other")
    print(f"{shape}, axis {axis}: mean along it {'0' if right else f'up to {asked:.2f}'}: {kinds[-1]}")
if kinds != ["right", "last axis", "last axis", "error"]:
    sys.exit("The behaviour has changed.")
EOF
