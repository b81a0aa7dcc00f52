"""Networks as they are used, once trained."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from .anatomy import Step, flat, free, functional, graph_of, tensors, walked
from .assembly import deep_recursion
from .blocks import channel_axis, normalize_responses
from .layers import BatchNormalization, LocalResponseNormalization, Power

if TYPE_CHECKING:
    from .compiled import Compiled

log = logging.getLogger(__name__)


def drop_auxiliary(model: keras.Model) -> keras.Model:
    """`model` without its auxiliary classifiers: images -> the first of its outputs.

    Args:
        model: of one output, or of the predictions and then auxiliary ones, of layers whose names
            begin with "aux" (arXiv:1409.4842, section 5: "at inference time, these auxiliary
            networks are discarded").

    Returns:
        A keras.Model of the same name, layers and weights, not compiled, flat (`anatomy.flat`);
        `model` itself if it has one output.

    Raises:
        ValueError: an output but the first is none of an auxiliary classifier.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"model is a keras.Model, not {model!r}.")
    if len(getattr(model, "output_names", [])) < 2:
        return model
    model = flat(model)
    names = model.output_names
    others = [name for name in names[1:] if not name.startswith("aux")]
    if others:
        raise ValueError(
            f"'{model.name}' has outputs {', '.join(others)} beside {names[0]}, and only those "
            f'whose names begin with "aux" are dropped.'
        )
    return keras.Model(model.input, model.outputs[0], name=model.name)


# --- in Keras' own layers ----------------------------------------------------------------------


def plain(model: keras.Model) -> keras.Model:
    """`model` in Keras' own layers and operations alone, also where this package is imported.

    A saved model of this package opens without it anyhow; what is left is a model whose layers of
    response normalization are this package's, as they were in its first version.

    Args:
        model: a functional or Sequential model, also with such models for layers.

    Returns:
        A flat model of the same name, layers' names and weights (copied), not compiled. Batch
        normalization is Keras' layer, without the backends' kernels. Of two layers of one name, in
        models for layers, the second has a number behind.

    Raises:
        ValueError: `model` is another.
    """
    copy, origins = rewritten(model, own_kind)
    for layer in copy.layers:
        if layer.weights:
            layer.set_weights(origins[layer.name].get_weights())
    return copy


def own_kind(layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
    """A new layer of the same configuration, of Keras' own kind where there is one."""
    kind = layers.BatchNormalization if type(layer) is BatchNormalization else type(layer)
    return kind.from_config({**layer.get_config(), "name": name})


def spelled_out(layer: Any, *inputs: Any, **options: Any) -> Any:
    """The layer's output; that of a layer that Keras lacks by what it is made of."""
    match layer:
        case Power():
            return ops.power(*inputs, **options)
        case LocalResponseNormalization():
            return responses(layer, *inputs)
    return layer(*inputs, **options)


def responses(layer: LocalResponseNormalization, x: Any) -> Any:
    """Response normalization in layers, of images; in operations, of other tensors."""
    if len(x.shape) != 4 or layer.axis % 4 != channel_axis() % 4:
        return layer.call(x)
    constants = {key: getattr(layer, key) for key in ("n", "k", "alpha", "beta")}
    return normalize_responses(x, layer.name, layer.dtype_policy, ops.power, **constants)


class Copy(NamedTuple):
    """A model of new layers, and the layers that they are copies of, by the new ones' names."""

    model: keras.Model
    origins: dict[str, keras.layers.Layer]


def rewritten(
    model: keras.Model,
    copied: Callable[[keras.layers.Layer, str], keras.layers.Layer],
    call: Callable[..., Any] = spelled_out,
) -> Copy:
    """The graph of `model`, flat, of other layers, called in another way; not compiled.

    Names are those of the steps of `anatomy.graph_of`.
    """
    whole = functional(model)
    check_precision(whole)
    origins: dict[str, keras.layers.Layer] = {}
    made: dict[int, keras.layers.Layer] = {}

    def visit(layer: Any, *inputs: Any, **options: Any) -> Any:
        if id(layer) not in made:
            name = free(layer.name, origins)
            origins[name], made[id(layer)] = layer, copied(layer, name)
        return call(made[id(layer)], *inputs, **options)

    names = {id(x.output): x.name for x in whole.layers if isinstance(x, layers.InputLayer)}
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=names.get(id(x))),
        whole.input,
    )
    with deep_recursion():
        outputs = walked(whole, tensors(inputs), visit)
        structured = keras.tree.pack_sequence_as(whole.output, outputs)
        return Copy(keras.Model(inputs, structured, name=model.name), origins)


def check_precision(model: keras.Model) -> None:
    """Raise ValueError where weights cannot be copied into new layers: of float8."""
    if names := [x.name for x in model.layers if getattr(x, "quantization_mode", "") == "float8"]:
        raise ValueError(
            f"'{model.name}' is quantized to float8 ({', '.join(names[:3])}), whose layers cannot "
            f"be rewritten: do this first, and call model.quantize on the result."
        )


# --- normalization folded into convolutions ------------------------------------------------------


@dataclass(frozen=True)
class Folding:
    """What of a model can be folded. `str` gives sentences.

    Attributes:
        normalizations: the convolution that takes a normalization in, by the latter's name.
        activations: the convolution that takes an activation in, by the latter's name.
        kept: why a normalization stays, by its name.
    """

    normalizations: Mapping[str, str] = field(default_factory=dict)
    activations: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        total = len(self.normalizations) + len(self.kept)
        head = (
            f"{len(self.normalizations)} of {total} normalizations are folded into convolutions, "
            f"and {len(self.activations)} activations with them."
        )
        return "\n".join([head, *(f"{name} stays: {why}." for name, why in self.kept.items())])


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """`model` for inference, each convolution and the normalization behind it one convolution.

    With the moving averages the two are W * x + b with W scaled by gamma / sqrt(variance +
    epsilon), filter by filter. A normalization that follows no Conv2D, as before the
    activations of ResNet v2 and DenseNet, stays: `folding(model)` says which, and why; so
    does the log, at level INFO. Load weights first: files of the model do not fit the result.

    Args:
        model: functional or Sequential, also with such models for layers, of one input of images,
            each layer called once.

    Returns:
        A flat model in Keras' own layers, not compiled; outputs are equal but for rounding. A
        keras.layers.Activation behind a folded normalization is that of the convolution. Its
        kernels are laid out (`lay_out_kernels`).

    Raises:
        ValueError: `model` is another, or calls a normalization with training=True.
    """
    found = folding(model)
    log.info("%s: %s", model.name, found)
    there = {step.name: step.layer for step in graph_of(model).steps}
    into = {conv: there[bn] for bn, conv in found.normalizations.items()}
    activations = {conv: there[name] for name, conv in found.activations.items()}
    gone = {*found.normalizations, *found.activations}

    def folded(layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        if name in into:
            return wider(layer, activations.get(name), name)
        return own_kind(layer, name)

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name not in gone:
            return spelled_out(layer, *inputs, **options)
        if options.pop("training", None):
            raise ValueError(
                f"'{model.name}' calls {layer.name} with training=True: on the statistics of each "
                f"batch, which cannot be folded."
            )
        return inputs[0] if inputs else options.popitem()[1]

    copy, origins = rewritten(model, folded, call)
    for layer in copy.layers:
        if layer.name in into:
            layer.set_weights(weights(origins[layer.name], into[layer.name]))
        elif layer.weights:
            layer.set_weights(origins[layer.name].get_weights())
    lay_out_kernels(copy)
    return copy


def wider(
    conv: keras.layers.Conv2D, activation: keras.layers.Activation | None, name: str
) -> layers.Conv2D:
    """A new convolution with a bias, without what an adapter adds to its kernel, and activated."""
    config = {k: v for k, v in conv.get_config().items() if not k.startswith("lora_")}
    config |= {"activation": activation and activation.get_config()["activation"]}
    return layers.Conv2D.from_config({**config, "use_bias": True, "name": name})


def weights(conv: keras.layers.Conv2D, norm: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias of the convolution that is both."""
    gamma, beta, mean, variance, bias = (
        np.float64(ops.convert_to_numpy(value)) if value is not None else absent
        for value, absent in (
            (norm.gamma, 1.0), (norm.beta, 0.0),
            (norm.moving_mean, 0.0), (norm.moving_variance, 1.0),
            (conv.bias, 0.0),
        )
    )  # fmt: skip
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [ops.convert_to_numpy(conv.kernel) * factor, beta + (bias - mean) * factor]


def folding(model: keras.Model) -> Folding:
    """What `fold_batch_norm` makes of `model`, if it calls no normalization with training=True.

    Raises:
        ValueError: the model is not functional, not of one input of images, or calls a layer more
            than once.
    """
    graph = graph_of(model)
    maker = {id(y): step for step in graph.steps for y in tensors(step.output)}
    hearers: dict[int, list[Any]] = {id(y): [None] for y in graph.outputs}
    for step in graph.steps:
        for x in tensors(step.input):
            hearers.setdefault(id(x), []).append(step)
    normalizations, activations, kept = {}, {}, {}
    for norm in graph.steps:
        if isinstance(norm.layer, layers.BatchNormalization):
            conv: Any = maker.get(id(norm.input))
            if why := obstacle(conv, norm, hearers):
                kept[norm.name] = why
                continue
            normalizations[norm.name] = conv.name
            match hearers[id(norm.output)]:
                case [Step(layer=layers.Activation() as activation) as step] if alike(
                    activation, conv.layer
                ):
                    activations[step.name] = conv.name
    return Folding(normalizations, activations, kept)


def obstacle(made: Step | None, step: Step, hearers: Mapping[int, list[Any]]) -> str | None:
    """Why the normalization of `step` cannot be folded into what `made` its input, or None."""
    conv: Any = made and made.layer
    norm: Any = step.layer
    if made is None or type(conv) is not layers.Conv2D:
        what = f"{made.name} ({type(conv).__name__})" if made else "the input"
        return f"it follows {what}, not a Conv2D"
    if len(hearers[id(made.output)]) > 1:
        return f"the output of {made.name} is used elsewhere too"
    if conv.activation is not keras.activations.linear:
        return f"{made.name} has an activation of its own"
    if type(norm) not in (layers.BatchNormalization, BatchNormalization):
        return f"it is a {type(norm).__name__}"
    if not alike(norm, conv):
        return f"it computes in {norm.compute_dtype}, and {made.name} in {conv.compute_dtype}"
    if norm.axis % 4 != (3 if conv.data_format == "channels_last" else 1):
        return f"its axis is not that of {made.name}'s filters"
    return None


def alike(layer: keras.layers.Layer, other: keras.layers.Layer) -> bool:
    """Whether the two compute in one type."""
    return str(layer.compute_dtype) == str(other.compute_dtype)


# --- kernels as PyTorch reads them ----------------------------------------------------------------


def lay_out_kernels(model: keras.Model) -> None:
    """Lay kernels of convolutions, all weights of four axes, as PyTorch reads them, for a CPU.

    Keras keeps a kernel as (height, width, inputs, outputs) and gives PyTorch a transposed view,
    which PyTorch copies at every call: for one image, a third of ResNet50's time. Afterwards the
    same weights, of the same shapes and values, lie in the order of that view (outputs, height,
    width, inputs), and nothing is copied. Files do not keep the order: call it after loading.

    Args:
        model: changed in place. On TensorFlow, on JAX and on a GPU nothing is done.

    Raises:
        ValueError: `model` is none, or is not built.
    """
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError(f"model is a built keras.Model, not {model!r}.")
    if keras.backend.backend() == "torch":
        for weight in model.weights:
            if len(weight.shape) == 4:
                lay_out(weight.value)


def lay_out(kernel: Any) -> None:
    """The tensor, without a change of shape or values."""
    import torch

    if kernel.device.type == "cpu":
        view = kernel.data.permute(3, 2, 0, 1)
        kernel.data = view.contiguous(memory_format=torch.channels_last).permute(2, 3, 1, 0)


# --- compiled for this processor -----------------------------------------------------------------


def compile(
    model: keras.Model,
    engine: str = "fastest",
    precision: str = "f32",
    *,
    images: Any = None,
    calibration: Any = None,
    preprocess: Callable[[np.ndarray], Any] | None = None,
) -> "Compiled":
    """A trained model, on any backend, as a fast function on this CPU: images -> NumPy arrays.

    Auxiliary classifiers are dropped and normalization is folded. The outputs are compared with
    the model's; the precision is never another than the one named.

    Args:
        model: functional or sequential; not changed.
        engine: "openvino", "onnxruntime", "keras" (the backend itself), or "fastest": whichever of
            those installed takes least time for `images`.
        precision: "f32"; "bf16" (engines "openvino" and "keras"); "int8" (engines "openvino", by
            NNCF, and "onnxruntime").
        images: to compare and to time with: an array as the model takes it, of the batch that
            will be used. Without them, those that `calibration` holds out, or one image of noise.
        calibration, preprocess: for int8, as in `keras_ilsvrc.export.export`.

    Returns:
        What computes: called with images, it gives one array, or a list where the model has
        several outputs. Its attributes, and str, tell the engine, the difference from the model,
        the share of images with the same largest output, and milliseconds.

    Raises:
        ValueError: the arguments do not go together, or this processor lacks bfloat16.
        ImportError: an engine is not installed.
        RuntimeError: outputs differ from the model's by more than 1e-4 of the largest in f32, or
            0.2 in bf16.
    """
    from .compiled import compile as compiled  # which stands on the functions above

    return compiled(
        model, engine, precision, images=images, calibration=calibration, preprocess=preprocess
    )
