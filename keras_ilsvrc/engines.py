"""The engines that run exported files, and trained models by them."""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Arrays in, arrays out, in the model's order.
Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]

# What provides a module, where pip knows it by another name.
DISTRIBUTIONS = {"ai_edge_litert": "ai-edge-litert", "litert_torch": "litert-torch"}
EXTRAS = {
    "onnx": "export",
    "tf2onnx": "export",
    "onnxruntime": "export",
    "openvino": "openvino",
    "scipy": "openvino",
    "nncf": "openvino",
    "ai_edge_litert": "litert",
    "tensorflow": "tensorflow",
    "torch": "torch",
}


def installed(module: str) -> bool:
    """Whether the module can be imported."""
    return importlib.util.find_spec(module) is not None


def version(package: str) -> str:
    """Of the package that is installed; tensorflow-cpu is TensorFlow's."""
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def require(packages: Iterable[str], purpose: str) -> None:
    """Raise a ModuleNotFoundError that names the packages that are not installed."""
    absent = [name for name in dict.fromkeys(packages) if not installed(name)]
    if absent:
        extras = sorted({EXTRAS[name] for name in absent if name in EXTRAS})
        how = " ".join(DISTRIBUTIONS.get(name, name) for name in absent)
        also = f" (or keras_ilsvrc[{','.join(extras)}])" if extras else ""
        raise ModuleNotFoundError(
            f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing {purpose}: "
            f"pip install {how}{also}."
        )


def largest(right: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    """The largest difference of outputs, over each one's largest; infinite if shapes differ."""
    if [x.shape for x in right] != [x.shape for x in found]:
        return float("inf")
    apart = (
        np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-30)
        for a, b in zip(right, found, strict=True)
    )
    worst = max(map(float, apart))
    return worst if np.isfinite(worst) else float("inf")


# --- files -----------------------------------------------------------------------------------


def run_onnx(path: Path, precision: str, outputs: Sequence[str]) -> Run:
    """By ONNX Runtime, which computes in the file's precision."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [x.name for x in session.get_inputs()]
    return lambda arrays: list(session.run(None, dict(zip(names, arrays, strict=True))))


def run_openvino(path: Path, precision: str, outputs: Sequence[str]) -> Run:
    """By OpenVINO, told the precision: of itself it computes in bfloat16 where a CPU can."""
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    network = core.compile_model(core.read_model(path), "CPU", hints)
    return lambda arrays: [np.array(y) for y in network(list(arrays)).values()]


def run_savedmodel(path: Path, precision: str, outputs: Sequence[str]) -> Run:
    """By TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = loaded.serve(*map(tf.constant, arrays))
        return [np.asarray(found[name]) for name in outputs]

    return run


def run_litert(path: Path, precision: str, outputs: Sequence[str]) -> Run:
    """By LiteRT: by the signature's names, as the file's own order of outputs is arbitrary."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    signature = interpreter.get_signature_list()["serving_default"]
    runner = interpreter.get_signature_runner("serving_default")

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = runner(**dict(zip(signature["inputs"], arrays, strict=True)))
        names = outputs if set(outputs) == set(found) else signature["outputs"]
        return [np.array(found[name]) for name in names]

    return run


def run_torch(path: Path, precision: str, outputs: Sequence[str]) -> Run:
    """By PyTorch."""
    import torch

    network = torch.export.load(path).module()

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.no_grad():
            found = network(*map(torch.from_numpy, arrays))
        return [y.numpy() for y in (found if isinstance(found, tuple | list) else [found])]

    return run


@dataclass(frozen=True)
class Engine:
    """What runs a format: its name in sentences, its module and package, and how."""

    title: str
    module: str
    package: str
    open: Callable[[Path, str, Sequence[str]], Run]


ENGINES: Mapping[str, Engine] = {
    "onnx": Engine("ONNX Runtime", "onnxruntime", "onnxruntime", run_onnx),
    "openvino": Engine("OpenVINO", "openvino", "openvino", run_openvino),
    "savedmodel": Engine("TensorFlow", "tensorflow", "tensorflow", run_savedmodel),
    "litert": Engine("LiteRT", "ai_edge_litert", "ai-edge-litert", run_litert),
    "torch": Engine("PyTorch", "torch", "torch", run_torch),
}


def open_file(path: Path, format: str, outputs: Sequence[str] = (), precision: str = "f32") -> Run:
    """What computes the outputs, of those names, of an exported file."""
    return ENGINES[format].open(Path(path), precision, outputs)
