"""On what a run was made: packages, hardware, the state of the code. No path is kept."""

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Settings that may change numbers.
VARIABLES = (
    "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "NVIDIA_TF32_OVERRIDE", "OPENBLAS_CORETYPE",
    "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "JAX_ENABLE_X64",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Packages and hardware, as a record refers to them."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": sorted({f"{d.name}=={d.version}" for d in metadata.distributions()}),
        "hardware": hardware(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


PACKAGES = (
    "keras", "numpy", "tensorflow", "tensorflow-cpu", "tensorflow_cpu", "torch", "jax", "jaxlib",
)  # fmt: skip


def versions(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What of an environment the bits of a run may depend on."""
    packages = dict(package.split("==", 1) for package in environment["packages"])
    return {
        "cpu": environment["hardware"]["cpu"],
        "gpus": environment["hardware"]["gpus"],
        "variables": environment["variables"],
        "python": environment["python"],
        **{name: packages[name] for name in PACKAGES if name in packages},
    }


def hardware() -> dict[str, Any]:
    import cpuinfo
    import psutil

    cpu = cpuinfo.get_cpu_info()
    # Clouds sell several generations, of unlike kernels and bits, under one brand.
    kind = [f"{name} {cpu[name]}" for name in ("family", "model") if name in cpu]
    return {
        "cpu": ", ".join([cpu.get("brand_raw", "unknown"), *kind]),
        "cores": available_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus(),
    }


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """Name and driver of each NVIDIA GPU."""
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.splitlines()


# This suite's folder; what lies below may move.
PACKAGE = Path(__file__).parents[1]
# What a result is computed by.
CODE = (":/keras_ilsvrc/*.py", ":/reproductions/*.py")


def code() -> dict[str, str | None]:
    """The commit, and the digest of what of the code differs from it; None where unknown, none.

    Untracked files count by their names. What is no code does not count: a run may be recorded
    inside the checkout, and its documents edited meanwhile.
    """
    commit = git("rev-parse", "--verify", "HEAD")
    untracked = git("ls-files", "--others", "--exclude-standard", "--", *CODE)
    difference = git("diff", "HEAD", "--", *CODE) + untracked
    dirty = hashlib.sha256(difference).hexdigest() if difference else None
    return {"commit": commit.decode().strip() or None, "dirty": dirty}


def source() -> str:
    """The digest of the code as it lies here, whether it is committed or not."""
    package = find_spec("keras_ilsvrc")
    folders = (PACKAGE, Path(str(package and package.origin)).parent)
    digest = hashlib.sha256()
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def git(*words: str) -> bytes:
    """What git prints of this folder's checkout; nothing where there is none."""
    if not shutil.which("git"):
        return b""
    command = ["git", "-C", str(PACKAGE), *words]
    return subprocess.run(command, capture_output=True).stdout
