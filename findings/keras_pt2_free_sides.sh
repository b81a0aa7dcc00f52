#!/usr/bin/env bash
# A model that takes images of any size, exported by Keras to PyTorch's .pt2, takes images of one
# pixel alone.
#
# Expected: free height and width stay free, as in Keras' ONNX files from PyTorch, or the export
# refuses.
# What happens: each free axis is traced with 1, which torch.export fixes. The export says nothing;
# the file refuses the first image.
# Instead: give an input_signature with real sides and dynamic_shapes with torch.export.Dim.AUTO for
# those axes.
#
# keras 3.15.1, torch 2.13.0; seen on 2026-11-27:
# the model takes (None, None, None, 3)
# the file takes 1x1 pixels, and of 32x32: Guard failed: args_0.size()[1] == 1
# with dynamic_shapes it takes 32x32 and 40x40
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 torch==2.13.0
KERAS_BACKEND=torch venv/bin/python -W ignore - <<'PYTHON'
import keras
import torch

image = keras.Input((None, None, 3))
maps = keras.layers.Conv2D(4, 3, padding="same")(image)
model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
print("the model takes", model.input_shape)
model.export("model.pt2", format="torch", verbose=False)
program = torch.export.load("model.pt2").module()
program(torch.rand(1, 1, 1, 3))
try:
    program(torch.rand(1, 32, 32, 3))
    raise SystemExit("Free sides stay free now: the behaviour has changed.")
except AssertionError as error:
    words = str(error).splitlines()[0]
print("the file takes 1x1 pixels, and of 32x32:", words)
assert "size()[1] == 1" in words
auto = torch.export.Dim.AUTO
model.export(
    "free.pt2", format="torch", verbose=False,
    input_signature=[keras.InputSpec(shape=(None, 48, 48, 3), dtype="float32")],
    dynamic_shapes={0: torch.export.Dim("batch"), 1: auto, 2: auto},
)
program = torch.export.load("free.pt2").module()
assert [program(torch.rand(2, n, n, 3)).shape for n in (32, 40)] == [(2, 4)] * 2
print("with dynamic_shapes it takes 32x32 and 40x40")
PYTHON
