"""A trained model as a function for this processor: `inference.compile`."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import ops

from . import calibration as calibrating
from . import export as exporting
from .engines import Run, largest, open_file, require

# Of an output's largest value; int8 is stated, and not judged.
TOLERANCES = {"f32": exporting.TOLERANCE, "bf16": 0.2}
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "openvino": ("f32", "bf16", "int8"),
    "onnxruntime": ("f32", "int8"),
    "keras": ("f32", "bf16"),
}
FORMATS = {"openvino": "openvino", "onnxruntime": "onnx"}


@dataclass(frozen=True)
class Compiled:
    """A model, compiled: images -> predictions, as NumPy arrays. `str` gives a sentence.

    Attributes:
        engine: "openvino", "onnxruntime" or "keras".
        precision: in which it computes: "f32", "bf16" or "int8".
        difference: the largest of its outputs to the model's on the images that it was tried on,
            over the model's largest output.
        agreement: the share of those images whose largest output is the model's.
        milliseconds: of one call with those images, the median of a few; indicative.
        tried: the same of the engines that were not chosen, or why they were not tried.
        notes: what was done to the model, in sentences.
    """

    engine: str
    precision: str
    difference: float
    agreement: float
    milliseconds: float
    tried: Mapping[str, str]
    notes: tuple[str, ...]
    run: Run

    def __call__(self, *inputs: Any) -> Any:
        """The outputs: one array, or a list where the model has several."""
        found = self.run([np.asarray(x) for x in inputs])
        return found[0] if len(found) == 1 else found

    def __str__(self) -> str:
        beside = "".join(f" {name}: {what}." for name, what in self.tried.items())
        return (
            f"{self.engine} in {self.precision}: outputs differ from the model's by at most "
            f"{self.difference:.1e} of the largest, the largest output is the model's on "
            f"{self.agreement:.1%} of the images; {self.milliseconds:.1f} ms a call.{beside}"
        )


def compile(
    model: keras.Model,
    engine: str = "fastest",
    precision: str = "f32",
    *,
    images: Any = None,
    calibration: Any = None,
    preprocess: Callable[[np.ndarray], Any] | None = None,
) -> Compiled:
    """`keras_ilsvrc.inference.compile`."""
    model = exporting.check_model(model)
    if engine not in ("fastest", *PRECISIONS):
        raise ValueError(f'engine is "fastest", {", ".join(PRECISIONS)}, not {engine!r}.')
    able = [name for name, known in PRECISIONS.items() if precision in known]
    if not able:
        raise ValueError(f'precision is "f32", "bf16" or "int8", not {precision!r}.')
    if engine not in ("fastest", *able):
        raise ValueError(
            f"{engine} does not compute in {precision} here: choose engine "
            f"{' or '.join(map(repr, able))}, or precision "
            f"{' or '.join(map(repr, PRECISIONS[engine]))}."
        )
    if (precision == "int8") != (calibration is not None):
        raise ValueError('calibration= and precision="int8" go together.')
    model = exporting.without_auxiliary(model)
    samples = batches(model, images, calibration, preprocess)
    right = exporting.outputs_of(model)(samples)

    found: dict[str, Compiled] = {}
    tried: dict[str, str] = {}
    for name in able if engine == "fastest" else [engine]:
        try:
            run, notes = BUILDERS[name](model, precision, calibration, preprocess)
        except (ImportError, ValueError) as why:
            if engine != "fastest":
                raise
            tried[name] = str(why).rstrip(".")
            continue
        outputs = run(samples)
        difference = largest(right, outputs)
        if precision in TOLERANCES and not difference <= TOLERANCES[precision]:
            raise RuntimeError(
                f"{name} computes outputs of '{model.name}' that differ by {difference:.1e} of "
                f"the largest, more than {TOLERANCES[precision]:.0e} in {precision}: choose "
                f"another engine."
            )
        same = [a.reshape(len(a), -1).argmax(1) for a in (right[0], outputs[0])]
        found[name] = Compiled(
            name, precision, difference, float(np.mean(same[0] == same[1])), timed(run, samples),
            {}, tuple(notes), run,
        )  # fmt: skip
    if not found:
        raise ImportError(
            f"No engine computes '{model.name}' in {precision} here. "
            + " ".join(f"{name}: {why}." for name, why in tried.items())
        )
    best = min(found.values(), key=lambda x: x.milliseconds)
    tried |= {n: f"{x.milliseconds:.1f} ms" for n, x in found.items() if x is not best}
    return Compiled(**{**vars(best), "tried": tried})


def batches(model: keras.Model, images: Any, calibration: Any, preprocess: Any) -> list[np.ndarray]:
    """One array for each input, of images to try the engines on."""
    if images is None and calibration is not None:
        return [calibrating.split(calibrating.read(calibration, model, preprocess))[1]]
    if images is None:
        return exporting.sample(model, 1)
    given = list(images) if isinstance(images, list | tuple) else [images]
    return [np.asarray(x, str(t.dtype)) for x, t in zip(given, model.inputs, strict=True)]


def timed(run: Run, samples: Sequence[np.ndarray], calls: int = 7) -> float:
    """Milliseconds of one call."""
    run(samples)
    taken = []
    for _ in range(calls):
        begin = time.perf_counter()
        run(samples)
        taken.append(time.perf_counter() - begin)
    return 1000 * median(taken)


def by_file(engine: str) -> Callable[..., tuple[Run, Sequence[str]]]:
    """What compiles by way of an exported file."""

    def build(
        model: keras.Model, precision: str, calibration: Any, preprocess: Any
    ) -> tuple[Run, Sequence[str]]:
        format = FORMATS[engine]
        if precision == "bf16" and engine == "openvino":
            check_bfloat16()
        require([engine], f"to compute by {engine}")
        small = precision == "int8"
        with tempfile.TemporaryDirectory() as folder:
            report = exporting.export(
                model,
                Path(folder) / f"model{exporting.FORMATS[format].suffix}",
                format,
                precision="int8" if small else "f32",
                calibration=calibration,
                preprocess=preprocess,
                auxiliary=True,
            )
            # An int8 file's other operations stay in float32.
            run = open_file(report.path, format, report.outputs, "f32" if small else precision)
        return run, report.notes

    return build


def check_bfloat16() -> None:
    """Raise where OpenVINO would take float32 instead, without a word."""
    require(["openvino"], "to compute by openvino")
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ValueError(
            'this processor has no bfloat16 instructions, so choose precision="f32" or "int8".'
        )


def by_keras(
    model: keras.Model, precision: str, calibration: Any, preprocess: Any
) -> tuple[Run, Sequence[str]]:
    """By the backend itself, normalization folded; compiled where the backend compiles."""
    ready, _, notes = exporting.prepared(model, "keras", True, True, None, None)
    if precision == "bf16":
        ready = exporting.of_type(ready, "bfloat16")

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        x = keras.tree.pack_sequence_as(ready.input, list(arrays))
        found = keras.tree.flatten(ready.predict_on_batch(x))
        return [np.asarray(ops.convert_to_numpy(y), "float32") for y in found]

    return run, notes


BUILDERS: Mapping[str, Callable[..., tuple[Run, Sequence[str]]]] = {
    "openvino": by_file("openvino"),
    "onnxruntime": by_file("onnxruntime"),
    "keras": by_keras,
}
