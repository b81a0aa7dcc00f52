"""How each backend trains fastest: measured by `python -m benchmarks settings`."""

from typing import Any

import keras
import numpy as np

# Keras copies PyTorch's images of channels_last before each convolution. Compilation is left to
# Keras (JAX compiles), and so is a step an execution: no other choice was faster by more than 6 %.
DATA_FORMATS = {"tensorflow": "channels_last", "torch": "channels_first", "jax": "channels_last"}


def configure() -> None:
    """Keras as the suite has it, whatever the user's own settings."""
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format(DATA_FORMATS[keras.backend.backend()])


def settings() -> dict[str, str]:
    """Keras as it is set, as a record's circumstances have it."""
    return {
        "float": keras.config.floatx(),
        "image_data_format": keras.config.image_data_format(),
        "precision": keras.config.dtype_policy().name,
    }


def oriented(images: np.ndarray) -> np.ndarray:
    """Images (n, height, width, 3) as models take them.

    In channels_first they are a view of other order: memory keeps the channels last, which is how
    PyTorch's kernels want them.
    """
    first = keras.config.image_data_format() == "channels_first"
    return images.transpose(0, 3, 1, 2) if first else images


def fed(images: np.ndarray, labels: Any = None, *, batch_size: int) -> dict[str, Any]:
    """Arguments of `fit`, or without labels of `predict`, that no step waits for.

    `images` are (n, height, width, 3), `labels` an array or one for each output.
    """
    images = oriented(images)
    if keras.backend.backend() == "tensorflow":
        return {"x": dataset(images if labels is None else (images, labels), batch_size)}
    return {"x": images, "batch_size": batch_size} | ({} if labels is None else {"y": labels})


def dataset(arrays: Any, batch_size: int) -> Any:
    """A tf.data.Dataset without autotuning: the end of an epoch waits for its thread, which sleeps
    10, 20, 40, ... milliseconds.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).with_options(options)
