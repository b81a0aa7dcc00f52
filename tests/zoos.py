"""KERAS_BACKEND=torch python -m tests.zoos: every dialect against its published package itself.

Writes tests/names/*.json and docs/zoos.md. Needs PyTorch with the packages of `PACKAGES`, which the
tests do not: each network there gets random weights, all of them, moving statistics included; its
state dict is loaded here, the outputs are compared, and it reads strictly what is saved here.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pretrainedmodels
import safetensors.torch
import timm
import torch
import torchvision

from keras_ilsvrc import pretrained
from tests.torch_networks import apart, scrambled, theirs

ROOT = Path(__file__).parents[1]
PACKAGES = {"torchvision": "torchvision", "timm": "timm", "cadene": "pretrainedmodels"}
# Where they have another name for a network than the catalog.
NAMES = {
    "torchvision": {"alexnet_owt": "alexnet", "resnext50": "resnext50_32x4d"},
    "timm": {
        "resnet50v2": "resnetv2_50", "resnet101v2": "resnetv2_101", "resnet152v2": "resnetv2_152",
        "se_resnet50": "legacy_seresnet50", "se_resnet101": "legacy_seresnet101",
        "se_resnet152": "legacy_seresnet152", "se_resnext50": "legacy_seresnext50_32x4d",
        "senet154": "legacy_senet154", "resnext50": "resnext50_32x4d",
    },
    "cadene": {
        "inception_v2": "bninception", "inception_v4": "inceptionv4",
        "inception_resnet_v2": "inceptionresnetv2", "se_resnext50": "se_resnext50_32x4d",
    },
}  # fmt: skip


def published(source, name, auxiliary=True):
    """The package's own network; torchvision's transform_input is part of our preprocessing."""
    there = NAMES[source].get(name, name)
    if source == "timm":
        return timm.create_model(there)
    if source == "cadene":
        return vars(pretrainedmodels)[there](pretrained=None)
    heads = {}
    if there in ("googlenet", "inception_v3"):
        heads = {"aux_logits": auxiliary, "init_weights": False, "transform_input": False}
    return torchvision.models.get_model(there, weights=None, **heads)


def compared(source, name):
    """Names and shapes there; the largest difference of the outputs, there and back."""
    network = scrambled(published(source, name))
    size = pretrained.entry(name, source).contract.size
    x = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype("float32")
    before = theirs(network, x)
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder, "w.pth"), Path(folder, "w.safetensors")
        torch.save(network.state_dict(), there)
        model = pretrained.load(name, source, there, classifier_activation=None)
        pretrained.save(model, back)
        again = published(source, name, auxiliary=False).eval()
        again.load_state_dict(safetensors.torch.load_file(back), strict=True)
    shapes = {n: list(v.shape) for n, v in network.state_dict().items()}
    names = {n: s for n, s in shapes.items() if not n.endswith("num_batches_tracked")}
    return names, apart(before, model.predict(x, verbose=0)), apart(before, theirs(again, x))


def main():
    rows = []
    for source, package in PACKAGES.items():
        names = {}
        for name in pretrained.SOURCES[source]:
            names[name], there, back = compared(source, name)
            rows.append(f"| {package} {version(package)} | {name} | {there:.1e} | {back:.1e} |")
            print(rows[-1], flush=True)
        lines = (f'"{n}": {json.dumps(s, separators=(",", ":"))}' for n, s in names.items())
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        (ROOT / "tests" / "names" / f"{source}.json").write_text(text)
    head = "| package | network | loaded here | saved here, read there |\n|---|---|---|---|"
    text = (ROOT / "docs" / "zoos.md").read_text().partition("| package")[0]
    (ROOT / "docs" / "zoos.md").write_text("\n".join([text + head, *rows, ""]))


if __name__ == "__main__":
    main()
