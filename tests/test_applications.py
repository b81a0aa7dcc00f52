"""keras.applications' own tests, as the installed Keras has them, of our builders."""

import ast
import importlib.util
import sys
from functools import partial, wraps
from pathlib import Path

import keras
import pytest

import keras_ilsvrc
from conftest import without_values

PLACE = Path(keras.__file__).parent / "src" / "applications" / "applications_test.py"
# Of each family the shallowest, and the channels of its last maps, by the papers' tables.
BUILDERS = {
    "AlexNet": 256, "VGG11": 512, "GoogLeNet": 1024, "InceptionV2": 1024, "InceptionV3": 2048,
    "ResNet18": 512, "ResNet50V2": 2048, "ResNeXt50": 2048, "DenseNet121": 1024,
    "SEResNet50": 2048,
}  # fmt: skip


def builder(name):
    """A builder whose models' variables have no values: what they are is not asked for."""
    build = getattr(keras_ilsvrc, name)
    return wraps(build)(partial(without_values, build))


def with_our_builders():
    """The file's module, with another list of models and none without channels_first."""
    changed = {
        "MODEL_LIST": [(builder(name), last, None) for name, last in BUILDERS.items()],
        "MODELS_UNSUPPORTED_CHANNELS_FIRST": [],
    }
    tree = ast.parse(PLACE.read_text())
    found = 0
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in changed:
            node.value = ast.parse(f"OURS[{node.targets[0].id!r}]", mode="eval").body
            found += 1
    assert found == len(changed), "keras.applications' tests have another form"
    spec = importlib.util.spec_from_loader("our_applications_test", None)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    vars(module)["OURS"] = changed
    exec(compile(ast.fix_missing_locations(tree), str(PLACE), "exec"), vars(module))
    return module


if not PLACE.is_file():
    pytest.skip("this Keras ships no tests of keras.applications", allow_module_level=True)


class TestApplications(with_our_builders().ApplicationsTest):
    """All but the one that asks keras.applications' host for weights and a picture."""


for _name in [n for n in dir(TestApplications) if n.startswith("test_application_base")]:
    setattr(TestApplications, _name, None)


def test_all_of_them_are_asked():
    kinds = ("notop_variable_input_channels", "notop_custom_input_shape", "pooling",
             "notop_custom_input_tensor", "classifier_activation")  # fmt: skip
    for kind in kinds:
        mine = [n for n in dir(TestApplications) if n.startswith(f"test_application_{kind}")]
        assert len(mine) == 2 * len(BUILDERS)
