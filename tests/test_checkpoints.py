"""Trained weights on real images: exactly the errors that PyTorch makes with them."""

import os
from pathlib import Path

import keras
import pytest

from conftest import missing
from keras_ilsvrc import preprocess, pretrained

# Counted in PyTorch, on the copy of CIFAR-10's test images of JPEG quality 75 with which these
# tests run; on the original images they are 827 and 661 (their author's table: 8.27 %, 6.61 %).
ERRORS = {"resnet20-12fca82f.th": 1897, "resnet56-4bfd9763.th": 1680}


@pytest.fixture(params=ERRORS)
def file(request):
    """Where CIFAR_CHECKPOINTS promises it, it must be there."""
    if "CIFAR_CHECKPOINTS" not in os.environ:
        missing("CIFAR_CHECKPOINTS is not set: no trained weights here")
    path = Path(os.environ["CIFAR_CHECKPOINTS"], request.param)
    assert path.is_file(), f"{path} is not there"
    return path


def errors(model, data):
    predicted = model.predict(preprocess(data.test_images, model), verbose=0, batch_size=500)
    return int((predicted.argmax(1) != data.test_labels).sum())


def test_trained_weights_err_as_often_as_in_pytorch(file, cifar10):
    depth, digest = file.stem[6:].split("-")
    model = pretrained.load(f"cifar_resnet{depth}", "cifar", file, sha256=digest)
    assert errors(model, cifar10) == ERRORS[file.name]


@pytest.mark.parametrize("file", list(ERRORS)[:1], indirect=True)
def test_with_the_zeros_on_one_side_they_err_more(file, cifar10, monkeypatch):
    """The control: half of option A's zero channels stand before the others, half after."""
    depth = file.stem[6:].split("-")[0]
    padding = keras.layers.ZeroPadding2D

    def one_sided(pads, data_format=None, **options):
        if "pad_channels" in options["name"]:
            pads = tuple((0, sum(pair)) for pair in pads)
        return padding(pads, data_format, **options)

    monkeypatch.setattr(keras.layers, "ZeroPadding2D", one_sided)
    model = pretrained.load(f"cifar_resnet{depth}", "cifar", file)
    assert errors(model, cifar10) > 2 * ERRORS[file.name]
