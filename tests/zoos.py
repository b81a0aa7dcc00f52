"""tox run -e zoos: every dialect against its published package itself, at ten sizes of images.

Writes tests/names/*.json and docs/zoos.md. Needs PyTorch with the packages of `PACKAGES`, which the
tests do not: each network there gets random weights, all of them, moving statistics included; its
state dict is loaded here, features and logits are compared, and it reads strictly what is saved
here. Words behind the command are patterns of "source/network".
"""

import gc
import json
import sys
import tempfile
from fnmatch import fnmatchcase
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


# Even and odd, and with odd maps at each depth; the last is no square.
SIZES = ((75, 75), (97, 97), (112, 112), (129, 129), (160, 160), (193, 193), (224, 224), (225, 225),
         (250, 250), (131, 180))  # fmt: skip
# BN-Inception's branches have maps of two sizes at others: there it fails, too.
MOST = 1e-5


def features(network, source, x):
    """The maps before the classifier, of the package's network: what it pools, or flattens."""
    kept = []
    if source == "timm":
        y = network.forward_features(nchw(x))
    elif source == "cadene":
        y = network.features(nchw(x))
    elif hasattr(network, "features"):
        y = network.features(nchw(x))
        y = torch.relu(y) if type(network).__name__ == "DenseNet" else y
    else:
        hook = network.avgpool.register_forward_pre_hook(lambda module, given: kept.extend(given))
        network(nchw(x))
        hook.remove()
        (y,) = kept
    if source == "cadene" and type(network).__name__ == "DenseNet":
        y = torch.relu(y)
    return y.permute(0, 2, 3, 1).numpy()


def nchw(x):
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def at_sizes(network, source, name, weights):
    """The largest differences of features and logits over the sizes both take, and how many."""
    worst, count, last = [0.0, 0.0], 0, None
    maps = pretrained.load(name, source, weights, include_top=False)
    for height, width in SIZES:
        x = np.random.default_rng(height).normal(size=(1, height, width, 3)).astype("float32")
        try:
            with torch.no_grad():
                logits, last = theirs(network, x), features(network, source, x)
        except RuntimeError:
            continue  # too small, or of maps that do not fit there
        worst[0] = max(worst[0], apart(last, maps.predict(x, verbose=0)))
        options = {"input_shape": (height, width, 3), "classifier_activation": None}
        model = pretrained.load(name, source, weights, **options)
        worst[1] = max(worst[1], apart(logits, model.predict(x, verbose=0)))
        count += 1
        del model
        gc.collect()
    return worst, count


def compared(source, name):
    """Names and shapes there; the largest differences of features and logits at the sizes and how
    many these are; of what is read back there.
    """
    network = scrambled(published(source, name))
    size = pretrained.entry(name, source).contract.size
    x = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype("float32")
    before = theirs(network, x)
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder, "w.pth"), Path(folder, "w.safetensors")
        torch.save(network.state_dict(), there)
        model = pretrained.load(name, source, there, classifier_activation=None)
        pretrained.save(model, back)
        worst, count = at_sizes(network.eval(), source, name, there)
        again = published(source, name, auxiliary=False).eval()
        again.load_state_dict(safetensors.torch.load_file(back), strict=True)
    shapes = {n: list(v.shape) for n, v in network.state_dict().items()}
    names = {n: s for n, s in shapes.items() if not n.endswith("num_batches_tracked")}
    worst[1] = max(worst[1], apart(before, model.predict(x, verbose=0)))
    return names, *worst, count, apart(before, theirs(again, x))


def main(*patterns):
    rows, worst = [], 0.0
    for source, package in PACKAGES.items():
        names = {}
        for name in pretrained.SOURCES[source]:
            if patterns and not any(fnmatchcase(f"{source}/{name}", p) for p in patterns):
                continue
            names[name], *found, count, back = compared(source, name)
            worst = max(worst, *found, back)
            numbers = f"{found[0]:.1e} | {found[1]:.1e} | {count} | {back:.1e}"
            rows.append(f"| {package} {version(package)} | {name} | {numbers} |")
            print(rows[-1], flush=True)
        if not patterns:
            lines = (f'"{n}": {json.dumps(s, separators=(",", ":"))}' for n, s in names.items())
            text = "{\n" + ",\n".join(lines) + "\n}\n"
            (ROOT / "tests" / "names" / f"{source}.json").write_text(text)
    head = "| package | network | features | logits | sizes | saved here, read there |"
    head += "\n|---|---|---|---|---|---|"
    if not patterns:
        text = (ROOT / "docs" / "zoos.md").read_text().partition("| package")[0]
        (ROOT / "docs" / "zoos.md").write_text("\n".join([text + head, *rows, ""]))
    sys.exit(f"{worst:.1e} is more than {MOST:g}." if worst > MOST else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
