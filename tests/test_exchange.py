"""A model saved on one backend opens on another.

`python -m tests.test_exchange` writes the current backend's files anew.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_ilsvrc import cifar

GOLDEN = Path(__file__).parent / "golden"
BACKENDS = ("tensorflow", "torch", "jax")
# Between them every kind of layer the package uses.
NETWORKS = {
    "alexnet": lambda **options: cifar.AlexNet(width=2, **options),
    "densenet": lambda **options: cifar.DenseNet(10, growth=4, **options),
    "se_resnet": lambda **options: cifar.SEResNet(8, width=4, **options),
}


def file(name, backend):
    return GOLDEN / f"{name}-{backend}.keras"


def outputs(model):
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    return keras.ops.convert_to_numpy(model(x, training=False))


def scramble(model):
    draw = np.random.default_rng(1)
    model.set_weights([draw.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_saved_elsewhere_it_opens_here_and_computes_the_same(name, backend):
    saved = keras.models.load_model(file(name, backend))
    built = NETWORKS[name](input_shape=(16, 16, 3))
    scramble(built)
    # These files are of the first version, whose response normalization was one layer.
    names = [x.name for x in saved.layers[1:]]
    assert [x.name for x in built.layers[1:] if x.name in names] == names
    assert [w.path for w in saved.weights] == [w.path for w in built.weights]
    a, b = outputs(saved), outputs(built)
    assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max()


if __name__ == "__main__":
    for name, build in NETWORKS.items():
        model = build(input_shape=(16, 16, 3))
        scramble(model)
        model.save(file(name, keras.backend.backend()))
