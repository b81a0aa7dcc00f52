"""int8 files: images to calibrate on, the quantizers, and how far the result agrees."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .engines import Run, largest, require

LEAST = 10
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def read(
    source: Any, model: keras.Model, preprocess: Callable[[np.ndarray], Any] | None = None
) -> np.ndarray:
    """The images to calibrate on.

    Args:
        source: an array of images as the model takes them, or a folder of picture files, looked
            through with its subfolders.
        model: what is to be quantized, of one input.
        preprocess: of a folder: from (n, height, width, 3), RGB, 0 to 255 to what the model takes.

    Raises:
        ValueError: there are fewer than 10, or they are not what the model takes.
    """
    if len(model.inputs) != 1:
        raise ValueError(
            f"int8 is for models of one input; '{model.name}' has {len(model.inputs)}."
        )
    shape = tuple(model.inputs[0].shape[1:])
    if isinstance(source, str | Path):
        images = pictures(Path(source), shape, preprocess)
    else:
        images = np.asarray(source)
    if images.ndim != len(shape) + 1 or any(
        side not in (None, found) for side, found in zip(shape, images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"'{model.name}' takes images of {shape}, and calibration has {images.shape[1:]}."
        )
    if len(images) < LEAST:
        raise ValueError(f"Calibration takes at least {LEAST} images, not {len(images)}.")
    return images.astype(str(model.inputs[0].dtype))


def pictures(
    folder: Path, shape: Sequence[int | None], preprocess: Callable[[np.ndarray], Any] | None
) -> np.ndarray:
    """The folder's pictures, their middle scaled to the model's size."""
    require(["PIL"], "to read a folder of pictures")
    from PIL import Image, ImageOps

    if not folder.is_dir():
        raise ValueError(f"calibration is an array of images or a folder, and '{folder}' is none.")
    files = sorted(x for x in folder.rglob("*") if x.suffix.lower() in SUFFIXES)
    first = keras.config.image_data_format() == "channels_first"
    height, width = (n or 224 for n in (shape[1:] if first else shape[:2]))

    def decoded() -> Iterator[np.ndarray]:
        for file in files:
            with Image.open(file) as picture:
                turned = ImageOps.exif_transpose(picture).convert("RGB")
            yield np.asarray(ImageOps.fit(turned, (width, height)), "float32")

    if not files:
        raise ValueError(f"'{folder}' has no pictures ({', '.join(SUFFIXES)}).")
    images = np.stack([*decoded()])
    images = images.transpose(0, 3, 1, 2) if first else images
    return np.asarray(preprocess(images) if preprocess else images)


def split(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images to calibrate on, and every fifth to measure the agreement on."""
    held = np.arange(len(images)) % 5 == 4
    return images[~held], images[held]


def quantize(file: Path, format: str, images: np.ndarray) -> None:
    """Replace the float32 file by an int8 one."""
    (quantize_onnx if format == "onnx" else quantize_openvino)(file, images)


def quantize_onnx(file: Path, images: np.ndarray) -> None:
    """By ONNX Runtime: weights channel by channel, activations by their range on the images."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {name: image[None]}

    simple = file.with_name("simple.onnx")
    quant_pre_process(str(file), str(simple), skip_symbolic_shape=True)
    quantize_static(
        str(simple), str(file), Reader(),
        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip


def quantize_openvino(file: Path, images: np.ndarray) -> None:
    """By NNCF."""
    import nncf
    import openvino

    network = openvino.Core().read_model(file)
    names = [port.get_names() for port in network.outputs]
    small = nncf.quantize(
        network,
        nncf.Dataset([image[None] for image in images]),
        subset_size=len(images),
    )
    for port, name in zip(small.outputs, names, strict=True):
        port.get_tensor().set_names(name)
    beside = file.with_name("small.xml")
    openvino.save_model(small, beside, compress_to_fp16=False)
    beside.with_suffix(".bin").replace(file.with_suffix(".bin"))
    beside.replace(file)


def compare(reference: Run, run: Run, images: np.ndarray) -> tuple[float, float]:
    """The share of images whose largest (first) output is the same, and the largest difference."""
    pairs = [(reference([x]), run([x])) for x in (image[None] for image in images)]
    same = [a[0].reshape(-1).argmax() == b[0].reshape(-1).argmax() for a, b in pairs]
    right, found = (
        [np.concatenate(y) for y in zip(*side, strict=True)] for side in zip(*pairs, strict=True)
    )
    return float(np.mean(same)), largest(right, found)
