#!/bin/sh
# Keras on PyTorch: under RematScope a training step updates BatchNormalization's statistics twice.
#
# keras.RematScope recomputes layers in the backward pass to save memory. On PyTorch the recomputation
# runs the layer's whole call again, with its side effects: the moving mean and the moving variance
# take two steps towards the batch instead of one. The loss of the step is the right one and nothing
# warns, so only evaluation shows it: the statistics follow a smaller momentum than the layer has.
#
# Instead: leave BatchNormalization outside the scope, or use momentum ** 0.5 and check the moving
# mean after one step.
#
# keras 3.15.1, torch 2.13.0, numpy 2.4.6, 2026-11-27. Output seen:
#
#   keras 3.15.1 torch 2.13.0+cpu numpy 2.4.6
#   expected after one step: [0.3035 0.3057 0.2602 0.3321]
#   without the scope:       [0.3035 0.3057 0.2602 0.3321]
#   under RematScope full:   [0.5767 0.5809 0.4944 0.631 ]
#   two steps would give:    [0.5767 0.5809 0.4944 0.631 ]
#   losses equal: True
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
random = np.random.default_rng(0)
x = random.normal(3, 2, (64, 4)).astype("float32")
y = random.normal(size=(64, 4)).astype("float32")
means, losses = {}, {}
for mode in (None, "full"):
    with keras.RematScope(mode=mode):
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.BatchNormalization(momentum=0.9)]
        )
        model.compile("sgd", "mse")
        losses[mode] = float(model.train_on_batch(x, y))
    means[mode] = keras.ops.convert_to_numpy(model.layers[0].moving_mean)
once = 0.1 * x.mean(axis=0)
twice = once * 0.9 + once
print("expected after one step:", np.round(once, 4))
print("without the scope:      ", np.round(means[None], 4))
print("under RematScope full:  ", np.round(means["full"], 4))
print("two steps would give:   ", np.round(twice, 4))
print("losses equal:", bool(np.isclose(losses[None], losses["full"])))
if not (np.allclose(means[None], once) and np.allclose(means["full"], twice)):
    sys.exit("The behaviour has changed.")
EOF
