"""Which backend computes here, and on how many threads."""

import os
from importlib.util import find_spec

from ..evidence.errors import InputError
from ..experiments.spec import BACKENDS


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


def threads_environment(threads: int) -> dict[str, str]:
    """Variables that hold a child process to so many threads, whatever its backend."""
    names = (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",  # NumPy, PyTorch
        "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
        "NPROC",  # the threads of XLA's CPU client, so JAX's
    )  # fmt: skip
    return dict.fromkeys(names, str(threads))
