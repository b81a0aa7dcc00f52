"""The same weights and images on every backend, a process each, compared layer by layer."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
from keras import ops

BACKENDS = ("tensorflow", "torch", "jax")
WORKER = "import sys; from keras_ilsvrc.pretrained.parity import main; main(*sys.argv[1:])"


def parity(model: keras.Model, backends: Sequence[str] = BACKENDS) -> dict[str, dict[str, float]]:
    """Run `model` on each installed backend and print where their outputs part.

    Args:
        model: with a fixed size of images, or any (224 is taken).
        backends: of "tensorflow", "torch", "jax"; those that are not installed are named and left
            out. All are compared with the first that is.

    Returns:
        For each further backend and each layer, the largest difference over the layer's largest
        value.

    Raises:
        ValueError: a backend is unknown, or fewer than two are installed.
        RuntimeError: a backend's process failed; the message has its last line.
    """
    backends = (backends,) if isinstance(backends, str) else backends
    if unknown := set(backends) - set(BACKENDS):
        raise ValueError(f"backends are {', '.join(BACKENDS)}, not {', '.join(sorted(unknown))}.")
    there = [name for name in backends if find_spec(name)]
    for name in set(backends) - set(there):
        print(f"{name} is not installed: left out")
    if len(there) < 2:
        raise ValueError(f"parity compares two backends; installed: {', '.join(there) or 'none'}.")
    with tempfile.TemporaryDirectory() as folder:
        outputs = [ran(model, name, Path(folder)) for name in there]
    order = [op.name for op in model.operations if op.name in outputs[0]]
    found = {
        name: {layer: difference(outputs[0][layer], those[layer]) for layer in order}
        for name, those in zip(there[1:], outputs[1:], strict=True)
    }
    print(table(there[0], found))
    return found


def ran(model: keras.Model, backend: str, folder: Path) -> dict[str, np.ndarray]:
    """The outputs of all layers on a backend."""
    saved, images, results = folder / "model.keras", folder / "x.npy", folder / f"{backend}.npz"
    if not saved.exists():
        model.save(saved)
        shape = [side or 224 for side in model.input_shape[1:]]
        np.save(images, np.random.default_rng(0).normal(size=(1, *shape)).astype("float32"))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, saved, images, results],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise RuntimeError(f"on {backend} the model did not run: {last}")
    with np.load(results) as arrays:
        return dict(arrays)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(np.abs(a).max(), np.finfo("float32").tiny))


def table(first: str, found: dict[str, dict[str, float]]) -> str:
    """A row a layer, and last the largest."""
    wide = max(len(layer) for rows in found.values() for layer in rows)
    lines = [f"{'against ' + first:{wide}} " + " ".join(f"{name:>10}" for name in found)]
    for layer in next(iter(found.values())):
        cells = " ".join(f"{rows[layer]:10.1e}" for rows in found.values())
        lines.append(f"{layer:{wide}} {cells}")
    largest = " ".join(f"{max(rows.values()):10.1e}" for rows in found.values())
    return "\n".join([*lines, f"{'largest':{wide}} {largest}"])


def main(saved: str, images: str, results: str) -> None:
    """In a process of its own, on the backend of the environment."""
    model = keras.models.load_model(saved, compile=False)
    operations = [op for op in model.operations if op.output is not model.inputs[0]]
    taps = keras.Model(model.inputs, {op.name: op.output for op in operations})
    outputs = taps.predict(np.load(images), verbose=0)
    np.savez(results, **{name: ops.convert_to_numpy(y) for name, y in outputs.items()})
