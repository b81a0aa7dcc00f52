"""Fine-tuning: which layers learn, and how fast each of them.

Layer-wise rates: J. Howard, S. Ruder, arXiv:1801.06146, section 3.2, and so is gradual unfreezing;
rates that shrink by a constant factor: K. Clark et al., arXiv:2003.10555, appendix A. Biases that
learn twice as fast, without weight decay, are the custom of the networks released in Caffe.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from . import anatomy
from .assembly import among

Norm = Literal["frozen", "train", "recalibrate"]
NORMS = ("frozen", "train", "recalibrate")


# --- the plan --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How the layers of a model learn. `str` gives a table.

    Attributes:
        groups: the names of the layers with weights, by depth; the last group is the classifier.
        frozen: the names of those that do not learn.
        rates: the factor on the learning rate, by the path of a trainable variable.
        decays: the factor on the weight decay, likewise.
        depths: the number of its group among those that learn, likewise.
    """

    groups: tuple[tuple[str, ...], ...]
    frozen: frozenset[str]
    rates: Mapping[str, float]
    decays: Mapping[str, float]
    depths: Mapping[str, int]

    def optimizer(self, inner: keras.Optimizer) -> keras.Optimizer:
        """An optimizer for `compile` that works as `inner`, with the plan's factors.

        The factor of a variable multiplies the learning rate of its update, not its gradient:
        adaptive optimizers, too, move it by so much less.

        Args:
            inner: one of Keras' optimizers, not built. Its schedule, clipping, moving averages and
                accumulation are kept; `exclude_from_weight_decay` is not: the plan has factors.
                `keras.optimizers.LossScaleOptimizer` goes around the result.

        Raises:
            ValueError: `inner` is none, is built, wraps others, or is Muon with weight decay.
        """
        check_optimizer(inner)
        kind: Any = layerwise(public_kind(inner))  # type: ignore[arg-type]
        tables = {
            "rates": dict(self.rates),
            "decays": dict(self.decays),
            "depths": dict(self.depths),
        }
        return kind.from_config({**inner.get_config(), **tables})

    def __str__(self) -> str:
        lines = ["group  learning rate  layers"]
        for number, names in enumerate(self.groups):
            found = [r for path, r in self.rates.items() if path.split("/")[-2] in names]
            rate = f"x {min(found):.4g}" if found else "frozen"
            span = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
            lines.append(f"{number:>5}  {rate:>13}  {span}")
        return "\n".join(lines)


def plan(
    model: keras.Model,
    freeze_until: int | str | None = None,
    *,
    norm: Norm = "frozen",
    images: Iterable[Any] | None = None,
    layer_decay: float = 1.0,
    bias_multiplier: float = 1.0,
) -> Plan:
    """Set which layers of `model` learn, and give the factors on their learning rates.

    Call it before `compile`, and pass `compile` the `optimizer` of the result.

    Args:
        model: functional or Sequential, also with such models for layers, of one input of images.
            Its layers' `trainable` is set, all of them.
        freeze_until: what does not learn: all that the features at this stride are computed by
            (`anatomy.stages`; the largest stride leaves the classifier alone), or all up to the
            layer of this name, or to the last layer whose name begins with it ("conv3",
            "conv4_block2", "inception_4a"); None: nothing is frozen.
        norm: of batch normalizations of feature maps: "frozen": statistics, scales and shifts stay
            as they were trained; "train": they learn where the layers around them do;
            "recalibrate": statistics become those of `images` first, and then all is frozen.
        images: for "recalibrate": batches of images as the model takes them, some hundreds in all;
            of pairs (images, labels) the images are taken.
        layer_decay: the last group, the classifier, learns at the optimizer's rate, the one before
            at layer_decay times it, the next at layer_decay**2, ... A group is what lies between
            two places that all paths lead through: a convolution, a residual block, an Inception
            module. Above 0, at most 1.
        bias_multiplier: further factor on the rate of biases.

    Returns:
        A Plan. Its weight decay is on kernels alone: biases, scales and shifts have none.

    Raises:
        ValueError: an argument is wrong; the message says what would be right.
    """
    among("norm", norm, NORMS)
    positive("layer_decay", layer_decay, most=1)
    positive("bias_multiplier", bias_multiplier)
    graph = anatomy.graph_of(model)
    below = frozen_steps(model, graph, freeze_until)
    groups = grouped(graph)
    if norm == "recalibrate":
        if images is None:
            raise ValueError('norm="recalibrate" needs images: batches of them, as for predict.')
        recalibrate(model, images)
    elif images is not None:
        raise ValueError(f'images are for norm="recalibrate", and norm is {norm!r}.')
    frozen = {step.name for step in graph.steps if id(step) in below}
    if norm != "train":
        frozen |= {step.name for step in graph.steps if normalizes_maps(step)}
    model.trainable = True
    for step in graph.steps:
        if isinstance(step.layer, keras.Layer):
            step.layer.trainable = step.name not in frozen
    if not model.trainable_variables:
        raise ValueError(
            f"freeze_until={freeze_until!r} freezes all that '{model.name}' could learn: freeze "
            f"less, or put a classifier on it."
        )
    rates, decays, depths = factors(groups, layer_decay, bias_multiplier)
    names = tuple(tuple(step.name for step in group) for group in groups)
    return Plan(names, frozenset(frozen), rates, decays, depths)


def positive(name: str, value: Any, most: float = float("inf")) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name} is a number above 0, not {value!r}.")
    if not 0 < float(value) <= most:
        limit = f" and at most {most:g}" if isfinite(most) else ""
        raise ValueError(f"{name} is above 0{limit}, not {value!r}.")


def normalizes_maps(step: anatomy.Step) -> bool:
    """Whether it is a batch normalization of a network's maps; of vectors, it is a new head's."""
    return isinstance(step.layer, layers.BatchNormalization) and len(step.input.shape) == 4


def frozen_steps(model: keras.Model, graph: anatomy.Graph, until: int | str | None) -> set[int]:
    """The ids of the steps that what lies at `until` is computed by."""
    if until is None:
        return set()
    if isinstance(until, Integral) and not isinstance(until, bool):
        found = anatomy.stage_steps(graph)
        if until not in found:
            raise ValueError(
                f"freeze_until is a stride of '{model.name}' ({', '.join(map(str, found))}) or a "
                f"layer's name, not {until!r}."
            )
        last = found[int(until)]
    else:
        alike = [s for s in graph.steps if s.name == until or s.name.startswith(f"{until}_")]
        if not isinstance(until, str) or not until or not alike:
            raise ValueError(
                f"freeze_until is a stride or the name of a layer of '{model.name}', or what names "
                f"of its layers begin with; there is none like {until!r}."
            )
        last = alike[-1]
    return {id(step) for y in anatomy.tensors(last.output) for step in anatomy.towards(graph, y)}


def grouped(graph: anatomy.Graph) -> list[list[anatomy.Step]]:
    """The steps with weights, in groups by depth; further outputs' are with the last."""
    path = anatomy.towards(graph, graph.outputs[0])
    cuts = {id(step) for step in anatomy.trunk(graph)}
    kernels = {id(y) for s in path if has_kernel(s) for y in anatomy.tensors(s.output)}
    groups: list[list[anatomy.Step]] = [[]]
    closed = False  # whether a place that all paths lead through lies behind the group's kernels
    for step in path:
        if has_weights(step):
            follows = {id(x) for x in anatomy.tensors(step.input)} <= kernels
            if closed and (has_kernel(step) or not follows):
                groups.append([])
                closed = False
            groups[-1].append(step)
        closed |= id(step) in cuts and any(map(has_kernel, groups[-1]))
    on_path = {id(step) for step in path}
    groups[-1] += [s for s in graph.steps if id(s) not in on_path and has_weights(s)]
    return [group for group in groups if group]


def has_weights(step: anatomy.Step) -> bool:
    return bool(getattr(step.layer, "weights", None))


def has_kernel(step: anatomy.Step) -> bool:
    return any(len(w.shape) > 1 for w in getattr(step.layer, "weights", ()))


def factors(
    groups: list[list[anatomy.Step]], layer_decay: float, bias_multiplier: float
) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
    """Of each trainable variable: factors on its rate and its decay, and its group."""
    learning = [group for group in groups if any(s.layer.trainable_variables for s in group)]
    rates: dict[str, float] = {}
    decays: dict[str, float] = {}
    depths: dict[str, int] = {}
    for number, group in enumerate(groups):
        for variable in (v for step in group for v in step.layer.trainable_variables):
            kernel = len(variable.shape) > 1
            rate = layer_decay ** (len(groups) - 1 - number)
            rate *= bias_multiplier if variable.name == "bias" else 1.0
            if rates.setdefault(variable.path, rate) != rate:
                raise ValueError(
                    f"two variables are called {variable.path!r} and should have different rates: "
                    f"build the models with layers of different names."
                )
            decays[variable.path] = 1.0 if kernel else 0.0
            depths[variable.path] = learning.index(group)
    return rates, decays, depths


# --- the optimizer ---------------------------------------------------------------------------


def check_optimizer(inner: Any) -> None:
    if not isinstance(inner, keras.Optimizer):
        raise ValueError(f"inner is an optimizer, as keras.optimizers.Adam(), not {inner!r}.")
    wrappers = (keras.optimizers.LossScaleOptimizer, keras.optimizers.MultiOptimizer, Layerwise)
    if isinstance(inner, wrappers):
        raise ValueError(
            f"inner is a plain optimizer, not a {type(inner).__name__}: wrap the result."
        )
    if inner.built:
        raise ValueError(f"{inner.name!r} has been used: give a new one.")
    if isinstance(inner, keras.optimizers.Muon) and (inner.weight_decay or inner.adam_weight_decay):
        raise ValueError(
            "Muon has two weight decays of its own: set weight_decay=None, adam_weight_decay=None."
        )


def public_kind(inner: keras.Optimizer) -> type[Any]:
    """Its class; for PyTorch, whose classes update all variables at once, the one behind it."""
    kinds = [k for k in type(inner).__mro__ if getattr(keras.optimizers, k.__name__, None) is k]
    return kinds[0] if kinds else type(inner)


# What it is mixed into; its methods are called by `super()`.
Mixed: Any = object


class Layerwise(Mixed):  # type: ignore[misc]
    """What an optimizer of its own kind does, with factors on the rate and decay of a variable.

    Mixed into the class of the optimizer, whose arguments its own follow.

    Args:
        rates, decays, depths: as in `Plan`.
    """

    def __init__(
        self,
        *,
        rates: Mapping[str, float],
        decays: Mapping[str, float],
        depths: Mapping[str, int],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.tables: dict[str, dict[str, Any]] = {
            "rates": dict(rates),
            "decays": dict(decays),
            "depths": dict(depths),
        }
        # Keras' own decay has one rate for all: `update_step` decays instead.
        self.decay: float | None = self.weight_decay
        self.weight_decay: float | None = None

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the state of the inner kind, and the gates.

        Raises:
            ValueError: a variable is not in the plan.
        """
        if self.built:
            return
        paths = [variable.path for variable in variables]
        if strange := [path for path in paths if path not in self.tables["rates"]]:
            raise ValueError(
                f"the plan knows no {', '.join(strange)}: call finetune.plan again, after the "
                f"model and its layers' `trainable` have changed."
            )
        rows = zip(
            *([table[path] for path in paths] for table in self.tables.values()), strict=True
        )
        self.rows = list(rows)
        number = 1 + max(self.tables["depths"].values())
        self.gates = self.add_variable((number,), "ones", name="gates")
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Decay and update one variable, at its own rate."""
        rate, decay, depth = self.rows[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, "float32") * rate * self.gates[depth]
        if self.decay and decay:
            share = ops.cast(rate * (self.decay * decay), variable.dtype)
            self.assign_sub(variable, variable * share)
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "weight_decay": self.decay, **self.tables}


@cache
def layerwise(kind: type[Any]) -> type[Any]:
    """`kind` with factors, registered for files."""
    made = type(f"Layerwise{kind.__name__}", (Layerwise, kind), {"__doc__": Layerwise.__doc__})
    keras.saving.register_keras_serializable(package="keras_ilsvrc")(made)
    return made


def register() -> None:
    """For files of models that were compiled with one of Keras' optimizers."""
    own = (value for value in vars(keras.optimizers).values() if isinstance(value, type))
    wrappers = (keras.optimizers.LossScaleOptimizer, keras.optimizers.MultiOptimizer)
    for kind in own:
        if issubclass(kind, keras.Optimizer) and kind not in (keras.Optimizer, *wrappers):
            layerwise(kind)


register()


class GradualUnfreezing(keras.callbacks.Callback):  # type: ignore[misc]
    """The classifier learns first; group after group of layers below it joins.

    arXiv:1801.06146, section 3.3. While a group waits its weights stay; its gradients are computed,
    and adaptive optimizers gather their statistics.

    Args:
        every: epochs between a group and the next; positive.
        start: groups that learn from the first epoch on; positive.
    """

    def __init__(self, every: int = 1, start: int = 1) -> None:
        super().__init__()
        for name, value in (("every", every), ("start", start)):
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} is a positive whole number, not {value!r}.")
        self.every, self.start = every, start

    def on_train_begin(self, logs: Any = None) -> None:
        """Raise ValueError unless the model's optimizer is a plan's."""
        if not isinstance(self.optimizer, Layerwise):
            raise ValueError(
                "GradualUnfreezing needs the optimizer of a plan: "
                "compile(finetune.plan(model).optimizer(...), ...)."
            )

    @property
    def optimizer(self) -> Any:
        """The model's, which a loss scale may be around."""
        optimizer = self.model.optimizer
        return getattr(optimizer, "inner_optimizer", optimizer)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Open the gates of the groups whose turn has come."""
        if not self.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        number = self.optimizer.gates.shape[0]
        learning = min(number, self.start + epoch // self.every)
        self.optimizer.gates.assign([0.0] * (number - learning) + [1.0] * learning)

    def on_train_end(self, logs: Any = None) -> None:
        """Leave all gates open."""
        with suppress(AttributeError):  # of an optimizer that is no plan's
            self.optimizer.gates.assign([1.0] * self.optimizer.gates.shape[0])


# --- statistics of the new images ------------------------------------------------------------


def recalibrate(model: keras.Model, images: Iterable[Any]) -> None:
    """Set the statistics of batch normalizations of maps to those of these images.

    Each becomes the mean over the batches, computed with the batches' own statistics before it and
    without dropout and augmentation (Y. Wu, J. Johnson, arXiv:2105.07576, section 3, "precise").

    Args:
        model: as for `plan`.
        images: batches, of equal size best; of pairs (images, labels) the images are taken.

    Raises:
        ValueError: there is no batch.
    """
    whole = anatomy.functional(model)
    graph = anatomy.graph_of(model)
    found = {id(step.layer): step.layer for step in graph.steps if normalizes_maps(step)}
    before = {key: (layer.momentum, layer.trainable) for key, layer in found.items()}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if id(layer) in found or "training" in options:
            options["training"] = id(layer) in found
        return layer(*inputs, **options)

    outputs = anatomy.walked(whole, whole.inputs, lambda layer, *x, **o: call(layer, *x, **o))
    run = keras.Model(whole.inputs[0], outputs)
    number = 0
    try:
        for layer in found.values():
            layer.trainable = True
        for number, batch in enumerate(images, 1):
            for layer in found.values():
                layer.momentum = 1 - 1 / number
            run(np.asarray(batch[0] if isinstance(batch, tuple | list) else batch))
    finally:
        for key, (momentum, trainable) in before.items():
            found[key].momentum, found[key].trainable = momentum, trainable
    if not number:
        raise ValueError("images hold no batch: statistics need some.")


# --- auxiliary classifiers -------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="keras_ilsvrc")
class AuxiliaryModel(keras.Model):  # type: ignore[misc]
    """A network with auxiliary classifiers that takes one copy of the labels.

    model = AuxiliaryModel.of(keras_ilsvrc.GoogLeNet(auxiliary=True))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y)
    network = keras_ilsvrc.inference.drop_auxiliary(model)
    """

    @classmethod
    def of(cls, model: keras.Model) -> "AuxiliaryModel":
        """The same layers and weights.

        Args:
            model: images -> [predictions, auxiliary predictions, ...], all of one shape.

        Raises:
            ValueError: it has one output, or outputs of several shapes.
        """
        shapes = {y.shape for y in anatomy.functional(model).outputs}
        if len(model.outputs) < 2 or len(shapes) > 1:
            raise ValueError(
                f"'{model.name}' has outputs {', '.join(str(y.shape) for y in model.outputs)}: an "
                f"AuxiliaryModel is of two or more of one shape, as GoogLeNet(auxiliary=True)."
            )
        return cls(model.input, list(model.outputs), name=model.name)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        *,
        metrics: Any = None,
        auxiliary_weight: float = 0.3,
        **options: Any,
    ) -> None:
        """As keras.Model's, of one classifier.

        Args:
            optimizer, options: as Keras' own.
            loss: of each classifier.
            metrics: of the predictions.
            auxiliary_weight: of the auxiliary losses; arXiv:1409.4842, section 5: 0.3.
        """
        others = len(self.outputs) - 1
        if not isinstance(loss, list):  # as a file has it
            loss = [loss] * (1 + others)
            metrics = [metrics or [], *([[]] * others)]
            options["loss_weights"] = [1.0, *([auxiliary_weight] * others)]
        super().compile(optimizer, loss, metrics=metrics, **options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the model of a file was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """The weighted sum over the classifiers."""
        return super().compute_loss(x, self.each(y), y_pred, self.each(sample_weight), training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Those of the predictions."""
        return super().compute_metrics(x, self.each(y), y_pred, self.each(sample_weight))

    def each(self, labels: Any) -> Any:
        """The labels, once for each classifier."""
        one = labels is not None and not isinstance(labels, list | tuple)
        return [labels] * len(self.outputs) if one else labels
