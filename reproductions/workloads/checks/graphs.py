"""Networks as graphs of words: what follows what, without computing anything."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache
from typing import Any

import keras
from keras import layers

import keras_ilsvrc
from keras_ilsvrc.anatomy import graph_of, tensors

WEIGHT_LAYERS = (layers.Conv2D, layers.Dense)


def without_values(build: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `build` gives, its variables with shapes and no values: it costs no time.

    In a thread of its own: Keras remembers such variables by thread, and a later scope of the
    same thread would fill them all.
    """

    def draw() -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return build(*arguments, **options)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, draw).result()


@lru_cache
def network(name: str) -> keras.Model:
    """A network of keras_ilsvrc's catalog, its shapes alone."""
    return without_values(keras_ilsvrc.get_model, name)


def of_kind(model: keras.Model, kind: type) -> list[Any]:
    """The layers of a kind, in their order."""
    return [layer for layer in model.layers if isinstance(layer, kind)]


def weight_layers(model: keras.Model) -> int:
    """Convolutions and dense layers along the path that has most of them."""
    depth: dict[int, int] = {}
    for op in graph_of(model).operations:
        before = max(depth.get(id(x), 0) for x in tensors(op.input))
        for y in tensors(op.output):
            depth[id(y)] = before + isinstance(op, WEIGHT_LAYERS)
    return max(depth.values())


def size(layer: Any) -> str:
    """The sides of a layer's window: "3x3"."""
    sides = layer.kernel_size if isinstance(layer, layers.Conv2D) else layer.pool_size
    return "x".join(map(str, sides))


def word(op: keras.Operation) -> str | None:
    """What a paper would call it; None of padding, which it would not mention."""
    if isinstance(op, layers.Conv2D):
        return f"{size(op)} Conv"
    if isinstance(op, layers.Activation):
        return {"relu": "ReLU"}.get(op.activation.__name__, op.activation.__name__)
    if isinstance(op, layers.ZeroPadding2D):
        return None
    return {"BatchNormalization": "BN", "Add": "add"}.get(type(op).__name__, type(op).__name__)


class Walk:
    """Ways through a network's graph."""

    def __init__(self, model: keras.Model):
        self.operations = graph_of(model).operations
        self.makers = {id(y): op for op in self.operations for y in tensors(op.output)}
        self.hearers: dict[int, list[Any]] = {}
        for op in self.operations:
            for x in tensors(op.input):
                self.hearers.setdefault(id(x), []).append(op)

    def behind(self, tensor: Any) -> Iterator[Any]:
        """What made a tensor, what made its input, and so on to a layer of several inputs."""
        while (op := self.makers.get(id(tensor))) is not None:
            yield op
            if len(tensors(op.input)) > 1:
                return
            tensor = tensors(op.input)[0]

    def after(self, op: Any) -> list[str]:
        """The words that hear an operation, padding passed over."""
        found = []
        for hearer in self.hearers.get(id(tensors(op.output)[0]), ()):
            found += [w] if (w := word(hearer)) else self.after(hearer)
        return found

    def before(self, op: Any, count: int) -> list[str]:
        """The last `count` words ahead of an operation, the nearest last."""
        words = [w for o in self.behind(tensors(op.input)[0]) if (w := word(o))]
        return words[:count][::-1]

    def branch(self, junction: Any, start: Any) -> list[Any]:
        """The operations of the way to a junction's last input from the tensor `start`."""
        way = []
        for op in self.behind(tensors(junction.input)[-1]):
            way.append(op)
            if tensors(op.input)[0] is start:
                break
        return way[::-1]

    def start(self, junction: Any) -> Any:
        """The tensor that all ways to a junction come from."""
        ways = [[id(x), *(id(tensors(o.input)[0]) for o in self.behind(x))]
                for x in tensors(junction.input)]  # fmt: skip
        shared = next(key for key in ways[0] if all(key in way for way in ways))
        known = [x for op in self.operations for x in tensors(op.input)]
        return next(x for x in known if id(x) == shared)

    def parallel(self, junction: Any) -> bool:
        """Whether the ways to a junction part at one tensor and meet nowhere before it."""
        start, seen = self.start(junction), set()
        for x in tensors(junction.input):
            for op in self.behind(x):
                if op.name in seen:
                    return False
                seen.add(op.name)
                if tensors(op.input)[0] is start:
                    break
            else:
                return False
        return True


def sentences(model: keras.Model) -> list[str]:
    """The residual blocks of a network, each kind once: the branch, the addition, what follows."""
    walk, found = Walk(model), []
    for add in of_kind(model, layers.Add):
        words = [w for op in walk.branch(add, walk.start(add)) if (w := word(op))]
        found.append(" → ".join([*words, "add", *sorted(set(walk.after(add)))]))
    return list(dict.fromkeys(found))
