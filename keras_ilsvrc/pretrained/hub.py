"""Folders in the layout of Hugging Face's hub, config.json beside the weights: local, or hf://.

pretrained.load("resnet50", "timm", "hf://timm/resnet50.a1_in1k")
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from .dialect import Contract
from .messages import extra
from .report import LoadError

SCHEME = "hf://"
# What the weights of a folder are called: the first that is there is read.
NAMES = (
    "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
CONFIG = "config.json"


class Found(NamedTuple):
    """A weights file, what was compared of it, and what stands beside it of its network."""

    path: Path
    integrity: str
    config: dict[str, Any]


def found(path: str | PathLike[str]) -> Found:
    """The weights that a path means: a file's, a folder's, or those of a repository of the hub.

    Raises:
        FileNotFoundError: there are none.
        LoadError: what was fetched is not what the hub says of it, or config.json is none.
        ModuleNotFoundError: hf:// without huggingface_hub.
        OSError: the hub cannot be reached.
        ValueError: hf:// with something else than a repository, and perhaps its revision.
    """
    words = os.fspath(path)
    if isinstance(words, str) and words.startswith(SCHEME):
        folder = fetched_folder(words)
        return Found(weights(folder), "SHA-256 of the hub", configuration(folder))
    place = Path(path)
    if place.is_dir():
        return Found(weights(place), "", configuration(place))
    if not place.is_file():
        raise FileNotFoundError(f"there is no weights file {str(path)!r}.")
    return Found(place, "", {})


def weights(folder: Path) -> Path:
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"the folder {str(folder)!r} has none of {', '.join(NAMES)}.")


def configuration(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise LoadError(f"the file {str(path)!r} is no JSON: {error}.") from error
    if not isinstance(config, dict):
        raise LoadError(f"the file {str(path)!r} is no configuration of a network.")
    return config


# --- what a configuration says -----------------------------------------------------------------


def classes(config: dict[str, Any]) -> int | None:
    """The classes of a network, where its configuration says another number than ImageNet's."""
    number = config.get("num_classes")
    return number if isinstance(number, int) and number not in (0, 1000) else None


def images(config: dict[str, Any], contract: Contract) -> Contract:
    """A source's contract, with what timm's configuration says of the weights' own images."""
    own = config.get("pretrained_cfg", config)
    own = own if isinstance(own, dict) else {}
    size = own.get("input_size")
    side = size[-1] if isinstance(size, list) and len(size) == 3 else contract.size
    share = own.get("crop_pct")
    if "mean" in own and "std" in own:
        mean, std = numbers(own["mean"]), numbers(own["std"])
        contract = replace(contract, mean=mean, std=std, scale=255, order="RGB")
    if isinstance(share, int | float) and share > 0:
        contract = replace(contract, resize=int(side / share))
    return replace(contract, size=side)


def numbers(values: Any) -> tuple[float, float, float]:
    """A mean or deviation of three channels."""
    right = isinstance(values, list) and len(values) == 3
    if not right or not all(isinstance(value, int | float) for value in values):
        raise LoadError(f"the file {CONFIG!r} has {values!r} for three channels.")
    first, second, third = map(float, values)
    return first, second, third


# --- the hub -----------------------------------------------------------------------------------


def fetched_folder(words: str) -> Path:
    """The folder of a repository, its large files compared with their SHA-256 on the hub."""
    repository, _, revision = words.removeprefix(SCHEME).strip("/").partition("@")
    if repository.count("/") != 1:
        raise ValueError(
            f"{words!r} is no repository of the hub: {SCHEME}OWNER/NAME, as "
            f"{SCHEME}timm/resnet50.a1_in1k, or {SCHEME}OWNER/NAME@REVISION."
        )
    hub = extra("huggingface_hub", "hub")
    try:
        info = hub.HfApi().model_info(repository, revision=revision or None, files_metadata=True)
        listed = {file.rfilename: file for file in info.siblings or ()}
        folder = None
        for name in wanted(listed, partial(download, hub, repository, info.sha)):
            path = download(hub, repository, info.sha, name)
            check(path, listed[name], repository)
            folder = path.parent
    except (LoadError, FileNotFoundError):
        raise
    except Exception as error:  # httpx's, and the hub's own
        raise OSError(
            f"cannot fetch {words} ({error}); put its config.json and weights into a folder by "
            f"hand, and give the folder's path."
        ) from error
    if folder is None:
        raise FileNotFoundError(f"{words} has none of {', '.join(NAMES)}.")
    return folder


def wanted(listed: dict[str, Any], fetch: Callable[[str], Path]) -> list[str]:
    """The names of a repository's files that are needed: weights, or an index and its parts."""
    name = next((name for name in NAMES if name in listed), None)
    if name is None:
        return []
    names = [CONFIG] if CONFIG in listed else []
    if name.endswith(".index.json"):
        index = json.loads(fetch(name).read_text("utf-8"))
        parts = sorted({str(part) for part in index["weight_map"].values()})
        if missing := [part for part in parts if part not in listed]:
            raise FileNotFoundError(f"the hub's index names {missing[0]!r}, which is not there.")
        names += parts
    return [*names, name]


def download(hub: Any, repository: str, commit: str, name: str) -> Path:
    return Path(hub.hf_hub_download(repository, name, revision=commit))


def check(path: Path, file: Any, repository: str) -> None:
    """Of large files the hub knows the SHA-256; the small ones are the commit's."""
    digest = getattr(file.lfs, "sha256", None)
    if digest is None:
        return
    with path.open("rb") as opened:
        own = hashlib.file_digest(opened, "sha256").hexdigest()
    if own != digest:
        raise LoadError(
            f"the file {str(path)!r} is not what {SCHEME}{repository} holds: its SHA-256 is {own}, "
            f"not {digest}; delete it to fetch it again."
        )
