#!/usr/bin/env bash
# A .pt2 file that Keras writes keeps each weight twice, and its state_dict is the copy that is not
# used.
#
# Expected: load_state_dict on the loaded program changes what it computes, as for other exported
# PyTorch modules, and the file is as large as the weights.
# What happens: Keras' variables are traced as constants beside the module's parameters. The file
# has twice the size, and after all weights of the state_dict are set to zero the outputs are the
# same to the bit.
# Instead: set weights in Keras before exporting.
#
# keras 3.15.1, torch 2.13.0; seen on 2026-11-27:
# file over weights: 2.1
# all weights of the state_dict zero, outputs the same: True
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 torch==2.13.0
KERAS_BACKEND=torch venv/bin/python -W ignore - <<'PYTHON'
import os

import keras
import torch

image = keras.Input((8, 8, 3))
model = keras.Model(image, keras.layers.Dense(256)(keras.layers.Flatten()(image)))
model.export("model.pt2", format="torch", verbose=False)
program = torch.export.load("model.pt2").module()
share = os.path.getsize("model.pt2") / (4 * model.count_params())
x = torch.rand(1, 8, 8, 3)
before = program(x)
assert before.abs().max() > 0
program.load_state_dict({name: torch.zeros_like(v) for name, v in program.state_dict().items()})
same = torch.equal(before, program(x))
print(f"file over weights: {share:.1f}")
print("all weights of the state_dict zero, outputs the same:", same)
assert share > 1.9
assert same
PYTHON
