"""Of which network a file says that it is: another one may have equal names and shapes."""

import json
from pathlib import Path
from typing import Any

from ..catalog import ENTRIES
from .contents import Contents
from .forms import Form, network
from .report import LoadError

# Words that a file may begin its network's name with; of other names nothing is known.
FAMILIES = (
    "alexnet", "bn_inception", "bninception", "cifar", "densenet", "googlenet", "inception",
    "legacy_se", "plain", "resnet", "resnext", "se_res", "senet", "seres", "skres", "ecares",
    "vgg", "wide_resnet", "zfnet", "gcres", "tv_res", "ssl_res", "swsl_res", "ig_res", "hrnet",
    "regnet", "efficientnet", "mobilenet", "convnext", "xception", "vit",
)  # fmt: skip
# What Hugging Face's hub calls a file of weights, beside which config.json says whose they are.
HUB = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json",
       "pytorch_model.bin.index.json")  # fmt: skip
UNKNOWN = (
    "the file does not say which network it is of; another one of the same names and shapes, such "
    "as timm's resnetblur50 for resnet50, is not told from it"
)


def check_identity(contents: Contents, path: Path, form: Form | None) -> str:
    """Compare what a file, or the config.json beside it, says with the network that is asked for;
    of a state dict that says nothing, a sentence for the report.

    Raises:
        LoadError: it says another network.
    """
    if form is None or contents.kind != "state":
        return ""
    says = told(contents, path)
    if not says:
        return UNKNOWN
    if not same(says, form):
        if says.lower().startswith(FAMILIES):
            raise LoadError(
                f"the file {str(path)!r} says that it is of {says!r}, not of {form.name!r}: its "
                f"weights may fit, and compute something else."
            )
        return f"the file says that it is of {says!r}, which no source here has"
    return ""


def told(contents: Contents, path: Path) -> str:
    """What a network is called in a file, or in the hub's config.json beside it."""
    for name in ("network", "arch", "architecture"):
        if name in contents.metadata:
            return str(contents.metadata[name])
    config = path.with_name("config.json")
    if path.name in HUB and config.is_file():
        try:
            found: Any = json.loads(config.read_text("utf-8"))
        except ValueError as error:
            raise LoadError(f"the file {str(config)!r} is no JSON: {error}.") from error
        says = found.get("architecture") if isinstance(found, dict) else None
        return says if isinstance(says, str) else ""
    return ""


def same(says: str, form: Form) -> bool:
    """Whether a name is one of the network's, in its source, in the catalog, or with a tag."""
    for name in (says, says.partition(".")[0]):
        try:
            if network(name, form.source).name == form.name:
                return True
        except ValueError:
            continue
    return says.lower() in (form.name, getattr(ENTRIES[form.name].builder, "__name__", "").lower())
