"""What the command line needs before Keras is imported; nothing where the package is a library."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

BACKENDS = ("tensorflow", "torch", "jax")


def on_the_command_line() -> bool:
    """Whether the package is imported to run as a command.

    Of `python -m keras_ilsvrc` the first word is "-m" until the package is imported.
    """
    return Path((sys.argv or [""])[0]).name in ("-m", "keras-ilsvrc", "keras-ilsvrc.exe")


def choose_backend() -> None:
    """One that is installed, where nothing else is said."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    if "KERAS_BACKEND" in os.environ or (home / "keras.json").exists():
        return
    there = [name for name in BACKENDS if find_spec(name)]
    if not there:
        sys.stderr.write(
            "keras-ilsvrc: no backend is installed: pip install 'keras_ilsvrc[torch]' "
            "(or tensorflow, or jax).\n"
        )
        sys.exit(2)
    os.environ["KERAS_BACKEND"] = there[0]


@contextmanager
def silence() -> Iterator[None]:
    """Nothing from below Python on the error stream, where TensorFlow greets in any case."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


if on_the_command_line():
    choose_backend()
    with silence():
        import keras  # noqa: F401
