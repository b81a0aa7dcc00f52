"""Checks on this backend: their verdicts, those committed, and the walks that they take."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_ilsvrc
import reproductions
from keras_ilsvrc.blocks import branches, chain, conv, norm, relu, residual, under
from reproductions.analysis.computed import verdict
from reproductions.claims import CLAIMS
from reproductions.evidence.store import Store
from reproductions.experiments.spec import check_spec, group_of
from reproductions.workloads.backends import DATA_FORMATS
from reproductions.workloads.checks import CHECKS, MEASURED, cases
from reproductions.workloads.checks import receptive_field as sight
from reproductions.workloads.checks.graphs import Walk, sentences, weight_layers, without_values
from reproductions.workloads.checks.seconds import measured

BACKEND = keras.backend.backend()
COMMITTED = Store(Path(reproductions.__file__).parent / "records").read()
COMPUTED = [(claim, s) for claim in CLAIMS.values() for s in claim.computed]
# In the words of the claims' list, whichever way they were expected to fall.
CONTRADICTED = {
    ("googlenet-params", "with the classifier"), ("googlenet-params", "without the classifier"),
    ("googlenet-params", "the paper's ratio"),
    ("inception-cost", "computation beside AlexNet"),
    ("residual-difference", "as it stands"),
}  # fmt: skip


# Half a minute: JAX compiles GoogLeNet operation by operation. Its record is committed.
SLOW = {"jax": {"aux-heads"}}.get(BACKEND, set())


@pytest.fixture(scope="module")
def values():
    """What checks give here, in the data format that runs have, as a record would hold it."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(DATA_FORMATS[BACKEND])
    yield {
        name: json.loads(json.dumps(check())) for name, check in CHECKS.items() if name not in SLOW
    }
    keras.config.set_image_data_format(before)


def of_committed(check, backend):
    return next(
        record
        for record in COMMITTED.values()
        if "tier" not in record["spec"] and record["spec"] == check_spec(check, backend)
    )


def test_every_computed_statement_has_its_check_and_every_check_its_statement():
    assert {s.check for _, s in COMPUTED} == {*CHECKS, *MEASURED}


def test_verdicts_are_those_of_the_committed_records(values):
    """On this backend, computed again."""
    for _, statement in COMPUTED:
        if statement.check in values:
            committed = of_committed(statement.check, BACKEND)["result"]["values"]
            again = verdict(statement.rule, values[statement.check])[0]
            assert again == verdict(statement.rule, committed)[0], statement


def test_exact_and_published_values_are_those_of_the_committed_records(values):
    for _, statement in COMPUTED:
        check = CHECKS.get(statement.check)
        if statement.check in values and check.__module__.endswith(("counts", "published")):
            committed = of_committed(statement.check, BACKEND)["result"]["values"]
            assert values[statement.check] == committed


def test_the_contradicted_statements_are_those_and_no_others(values):
    found = {
        (claim.name, s.name)
        for claim, s in COMPUTED
        if s.check in values and verdict(s.rule, values[s.check])[0] == "CONTRADICTED"
    }
    assert found == CONTRADICTED


def test_all_checks_are_committed_on_three_backends():
    for check in (*CHECKS, *MEASURED):
        for backend in DATA_FORMATS:
            record = of_committed(check, backend)
            assert group_of(record["spec"]).backend == backend
            assert record["circumstances"]["dirty"] is None


def test_seconds_are_measured_in_turn():
    """With two small networks: a positive number a round, and as many rounds as were asked for."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(DATA_FORMATS[BACKEND])
    models = {name: keras_ilsvrc.cifar.ResNet(8, width=4) for name in "ab"}
    found = measured(models, np.zeros((2, 32, 32, 3), "float32"), 3)
    keras.config.set_image_data_format(before)
    assert set(found) == {"a", "b"}
    assert all(len(seconds) == 3 and min(seconds) >= 0 for seconds in found.values())


# --- the walks, on graphs whose answer is known -----------------------------------------------


def built(block):
    def build():
        images = keras.Input((8, 8, 4) if cases.last() else (4, 8, 8))
        return keras.Model(images, block(images))

    return without_values(build)


PRE = chain(under("a", norm(), relu(), conv(4, 3)))
POST = chain(under("a", conv(4, 3), norm(), relu()))


def test_weight_layers_are_counted_along_the_deepest_path():
    short, deep = under("s", conv(4, 1)), under("d", *(under(i, conv(4, 3)) for i in range(3)))
    assert weight_layers(built(branches(short, deep))) == 3
    assert weight_layers(built(chain(branches(short, deep), under("end", conv(4, 1))))) == 4


def test_sentences_tell_pre_and_post_activation_apart():
    assert sentences(built(residual(PRE))) == ["BN → ReLU → 3x3 Conv → add"]
    after = chain(residual(POST), relu("out"))
    assert sentences(built(after)) == ["3x3 Conv → BN → ReLU → add → ReLU"]


def serial(x):
    """Three convolutions in a row, all joined: no branches side by side."""
    first = conv(4, 3, name="1")(x)
    second = conv(4, 3, name="2")(first)
    return keras.layers.Concatenate(1 if not cases.last() else -1)(
        [first, second, conv(4, 3, name="3")(second)]
    )


def test_branches_in_a_row_are_not_parallel():
    side_by_side = branches(under("a", conv(4, 1)), under("b", conv(4, 3), conv(4, 3, name="2")))
    for block, expected in ((side_by_side, True), (serial, False)):
        model = built(block)
        (joint,) = (layer for layer in model.layers if "concat" in layer.name)
        assert Walk(model).parallel(joint) is expected


def test_a_walk_goes_back_to_where_ways_part():
    stem = under("stem", conv(4, 3))
    model = built(chain(stem, residual(chain(PRE, under("b", conv(4, 1))))))
    walk, add = Walk(model), model.get_layer("add")
    assert walk.start(add) is model.get_layer("stem_conv").output
    assert [type(op).__name__ for op in walk.branch(add, walk.start(add))] == [
        "BatchNormalization", "Activation", "Conv2D", "Conv2D",
    ]  # fmt: skip


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_support_of_a_gradient_is_the_kernel_s(kernel):
    layer = keras.layers.Conv2D(2, kernel, padding="same")
    x = np.ones((1, 9, 9, 3) if cases.last() else (1, 3, 9, 9), "float32")
    layer.build(x.shape)
    layer.set_weights([np.ones(w.shape, "float32") for w in layer.weights])
    seen = sight.seen(sight.gradient(lambda t: sight.pixel(layer(t), 4, 4), x))
    assert seen.sum() == kernel**2
    assert seen[4, 4]
