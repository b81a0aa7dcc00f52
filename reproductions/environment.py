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

from .errors import InputError

BACKENDS = ("tensorflow", "torch", "jax")

# Settings that may change numbers.
VARIABLES = (
    "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "NVIDIA_TF32_OVERRIDE", "OPENBLAS_CORETYPE",
    "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "JAX_ENABLE_X64",
)  # fmt: skip


def installed_backends() -> tuple[str, ...]:
    """The backends that can be imported here."""
    return tuple(name for name in BACKENDS if find_spec(name))


def choose_backend(name: str | None) -> str:
    """The backend to use, for this process too where it needs Keras.

    Raises:
        InputError: there is none of that name, or it is not installed.
    """
    installed = installed_backends()
    chosen = name or os.environ.get("KERAS_BACKEND") or (installed or BACKENDS)[0]
    if chosen not in BACKENDS:
        raise InputError(
            f"there is no backend {chosen!r}: it must be one of {', '.join(BACKENDS)}."
        )
    if chosen not in installed:
        raise InputError(
            f"the backend {chosen!r} is not installed here: install it, or choose "
            f"{' or '.join(installed) or 'one after installing it'}."
        )
    os.environ["KERAS_BACKEND"] = chosen
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow greets at length
    return chosen


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
    folders = (Path(__file__).parent, Path(str(package and package.origin)).parent)
    digest = hashlib.sha256()
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def git(*words: str) -> bytes:
    """What git prints of this folder's checkout; nothing where there is none."""
    if not shutil.which("git"):
        return b""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    return subprocess.run(command, capture_output=True).stdout


def threads_environment(threads: int) -> dict[str, str]:
    """Variables that hold a child process to so many threads, whatever its backend."""
    names = (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",  # NumPy, PyTorch
        "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
        "NPROC",  # the threads of XLA's CPU client, so JAX's
    )  # fmt: skip
    return dict.fromkeys(names, str(threads))
