"""What is measured while a net trains, and that measuring changes nothing."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import keras
import numpy as np
import pytest
from test_train import DATA, linear_model, relative

from reproductions.claims import CLAIMS
from reproductions.data.registry import embedded
from reproductions.data.transforms import (
    at_tier,
    drawn,
    occurrence,
    of_classes,
    portion,
    scaled,
    standardised,
)
from reproductions.evidence.errors import InputError
from reproductions.experiments.metrics import METRICS
from reproductions.experiments.recipes import RECIPES
from reproductions.experiments.spec import spec_of
from reproductions.experiments.tiers import TIERS
from reproductions.workloads.backends import DATA_FORMATS
from reproductions.workloads.training.initialization import compiled, initialise, untrained
from reproductions.workloads.training.loop import train
from reproductions.workloads.training.losses import HEAD_WEIGHT, weights
from reproductions.workloads.training.probes import (
    BLOCKS,
    FIRST_MODULE,
    PROBES,
    InstrumentedModel,
    Losses,
    Probe,
    ProbeContext,
    Shift,
    blurred,
    displaced,
    instrumented,
    norm,
    norms,
    values,
)

BACKEND = keras.backend.backend()
SMOKE = TIERS["smoke"]


@pytest.fixture(scope="module", autouse=True)
def data_format():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(DATA_FORMATS[BACKEND])
    yield
    keras.config.set_image_data_format(before)


@pytest.fixture(scope="module")
def arrays():
    return at_tier(embedded(), SMOKE)


def ran(arrays, arm, watched=None, held=None, rate=None, **tier):
    spec = spec_of(arm, replace(SMOKE, **tier), 0, BACKEND, DATA, held, rate, watched)
    return train(json.loads(json.dumps(spec)), arrays)[0]


def few(arrays, count=8):
    return standardised(arrays["train_images"][:count]), arrays["train_labels"][:count]


# --- nothing is changed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watched", "arm"),
    [("losses", "resnet-20"), ("gradients", "resnet-20"), ("responses", "resnet-20"),
     ("shift 2", "plain-20-jitter")],
)  # fmt: skip
def test_watching_changes_no_bit_of_a_run(arrays, watched, arm):
    plain, seen = ran(arrays, arm), ran(arrays, arm, watched)
    assert seen.pop("watched")["step"][-1] == SMOKE.steps
    assert seen == plain


def test_a_run_that_draws_is_the_same_every_time_and_other_seeds_draw_otherwise(arrays):
    spec = spec_of("plain-20-dropout", SMOKE, 0, BACKEND, DATA)
    once, again = (train(spec, arrays)[0] for _ in range(2))
    assert once == again
    model = untrained(spec)
    states = []
    for seed in (0, 1):
        initialise(model, seed)
        states.append({p: v for p, v in values(model).items() if p.endswith("/seed")})
    assert len(states[0]) == 7
    assert len({tuple(v) for v in states[0].values()}) == 7
    assert all((states[0][path] != states[1][path]).any() for path in states[0])


@pytest.mark.parametrize(
    ("arm", "watched"),
    [("plain-20-dropout", None), ("plain-20-jitter", "shift 2")],
)
def test_what_a_process_built_before_changes_no_run_that_draws(arrays, arm, watched):
    """Keras numbers the seeds of layers by what it built before."""
    once = ran(arrays, arm, watched)
    keras.layers.Dropout(0.5, seed=0)
    for cached in (compiled, instrumented):
        cached.cache_clear()
    assert ran(arrays, arm, watched) == once


# --- gradients ----------------------------------------------------------------------------------


def test_gradients_are_those_of_arithmetic():
    """Of a linear net: of its only layer's output, and of its kernel."""
    model = linear_model()
    initialise(model, 0)
    draw = np.random.default_rng(0)
    images, labels = draw.normal(size=(8, 4, 4, 3)).astype("float32"), draw.integers(0, 10, 8)
    kernel, bias = values(model).values()
    x = images.reshape(8, -1).astype("float64")
    logits = x @ kernel.reshape(-1, 10) + bias
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    slope = (p - np.eye(10)[labels]) / 8
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        for probed, expected in (("conv", slope), ("", x.T @ slope)):
            copy = InstrumentedModel(model, None, probed, 8)
            copy.assign(values(model))
            (gradient,) = copy.gradients((images, labels))
            assert relative(expected, gradient.reshape(expected.shape)) < 1e-5
    finally:
        keras.config.set_image_data_format(before)


def test_a_copy_is_trained_as_its_net_is(arrays):
    """Batch normalization uses the batch: its moving averages do not matter, its input does."""
    model = untrained(spec_of("plain-20", SMOKE, 0, BACKEND, DATA))
    initialise(model, 0)
    copy = InstrumentedModel(model, None, BLOCKS, 8)
    copy.assign(values(model))
    assert [layer.name for layer in copy.layers] == [
        f"conv{stage}_block1_out_probe" for stage in (2, 3, 4)
    ]
    first = copy.gradients(few(arrays))
    moved = {p: v + 1 for p, v in values(model).items() if "moving" in p}
    copy.assign(values(model) | moved)
    assert all(
        np.array_equal(*pair) for pair in zip(first, copy.gradients(few(arrays)), strict=True)
    )
    images, labels = few(arrays)
    assert norm(copy.gradients((images[::-1] * 2, labels))[0]) != pytest.approx(norm(first[0]))


@pytest.mark.skipif(BACKEND == "jax", reason="compiles GoogLeNet four times, for minutes")
def test_the_gradients_of_the_losses_add_up(arrays):
    model = untrained(spec_of("googlenet-heads", SMOKE, 0, BACKEND, DATA))
    initialise(model, 0)
    share = weights(model)
    assert share == (1.0, HEAD_WEIGHT, HEAD_WEIGHT)
    parts = []
    for only in (share, (1.0, 0.0, 0.0), (0.0, *share[1:])):
        copy = InstrumentedModel(model, only, FIRST_MODULE, 8)
        copy.assign(values(model))
        parts += copy.gradients(few(arrays))
    whole, main, heads = parts
    assert relative(whole, main + heads) < 1e-4
    assert norm(heads) > 0


def test_the_loss_is_scaled():
    model = untrained(spec_of("plain-20", SMOKE, 0, BACKEND, DATA))
    assert weights(model) is None
    assert weights(model, 1.6) == (1.6,)


# --- shift --------------------------------------------------------------------------------------


def test_a_net_that_stands_still_does_not_drift(arrays):
    still = ran(arrays, "plain-20", "shift 2", {"schedule": ((0, 0.0), (1, 0.0))})["watched"]
    assert still["drift"] == [None, 0, 0, 0, 0]
    assert still["cosine"][:-1] == pytest.approx([1, 1, 1, 1])
    moved = ran(arrays, "plain-20", "shift 2", rate=0.1)["watched"]
    assert min(moved["drift"][1:]) > 1e-3
    assert max(moved["cosine"][:-1]) < 0.9999


# --- when and what ------------------------------------------------------------------------------


def test_looks_are_even_or_even_in_proportion():
    subject = None
    assert sorted(Probe(subject).places(48)) == list(range(0, 49, 2))
    places = sorted(Losses(subject).places(312))
    assert (places[0], places[1], places[-1]) == (0, 8, 312)
    assert all(b / a < 1.26 for a, b in pairwise(places[1:]))


def test_every_metric_that_asks_for_a_watch_has_one():
    assert {metric.watched for metric in METRICS.values()} - {None} == set(PROBES)


def test_metrics_are_those_of_what_was_watched(arrays):
    for watched, arm in (("gradients", "plain-20"), ("responses", "plain-20"),
                         ("distances 2", "vgg-11-bn"), ("losses", "plain-20")):  # fmt: skip
        result = json.loads(json.dumps(ran(arrays, arm, watched), sort_keys=True))
        for metric in METRICS.values():
            if metric.watched == watched:
                value = metric.of(result, 100.0)
                assert value is not None, metric.name
                assert metric.least <= value <= metric.most


def test_images_are_displaced_with_their_edges_repeated():
    image = np.arange(9.0).reshape(1, 3, 3, 1)
    assert displaced(image, 1, 0)[0, :, :, 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert displaced(image, 0, -1)[0, :, :, 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert norms(image).ravel() == pytest.approx(math.sqrt(204))


def test_a_blur_is_as_far_as_it_is_asked_to_be_and_smooth():
    images = standardised(at_tier(embedded(), SMOKE)["test_images"]).astype("float64")
    size = norms(displaced(images, 1, 0) - images)
    blur = blurred(images, size)
    assert (norms(blur - images) >= size).mean() > 0.9
    steps = [norms(np.diff(x, axis=1)) for x in (images, blur)]
    assert (steps[1] < steps[0]).all()


def test_below_a_layer_are_all_layers_before_it(arrays):
    model = untrained(spec_of("plain-20", SMOKE, 0, BACKEND, DATA))
    shift = Shift(ProbeContext(model, RECIPES["short"], few(arrays), dict, arrays["test_images"]))
    shift.measure(None)
    convolutions = shift.copy.layers
    below = set(shift.below(convolutions[1]))
    assert any("gamma" in path for path in below)
    assert {v.path for v in convolutions[0].weights} <= below
    assert not {v.path for v in convolutions[1].weights} & below


# --- settings -----------------------------------------------------------------------------------


def test_inputs_are_scaled_as_the_recipe_says():
    image = np.array([0, 51, 255], "uint8").reshape(1, 1, 1, 3)
    assert scaled(image, "0 to 255").ravel().tolist() == [0, 51, 255]
    assert scaled(image, "0 to 1").ravel() == pytest.approx([0, 0.2, 1])
    assert np.array_equal(scaled(image, None), standardised(image))


def test_a_portion_has_few_labels_of_its_classes():
    labels = np.array([5, 0, 5, 9, 4, 5, 9])
    assert occurrence(labels).tolist() == [0, 0, 1, 0, 0, 2, 1]
    assert of_classes(labels, "5 to 9", 10).tolist() == [True, False, True, True, False, True, True]
    arrays = {"train_images": np.arange(7), "train_labels": labels,
              "test_images": np.arange(7), "test_labels": labels}  # fmt: skip
    recipe = replace(RECIPES["short"], classes="5 to 9", labels_drawn=1)
    parts = [portion(arrays, recipe, seed, 10) for seed in range(20)]
    assert all(sorted(part["train_labels"]) == [5, 9] for part in parts)
    assert {i for part in parts for i in part["train_images"]} == {0, 2, 3, 5, 6}
    assert all(part["test_images"].tolist() == [0, 2, 3, 5, 6] for part in parts)
    assert (
        portion(arrays, recipe, 3, 10)["train_images"].tolist() == parts[3]["train_images"].tolist()
    )
    assert portion(arrays, RECIPES["short"], 0, 10)["train_images"].tolist() == list(range(7))


def test_classes_that_are_not_there_are_an_error():
    """No label is left out because a set was thought to have fewer classes."""
    labels = np.array([0, 9, 10, 99])
    assert of_classes(labels, None, 100).all()
    with pytest.raises(InputError, match=r"labels run from 0 to 99, .* classes 0 to 9"):
        of_classes(labels, None, 10)
    with pytest.raises(InputError, match="labels run from -1 to 3"):
        of_classes(np.array([-1, 3]), "0 to 4", 10)
    with pytest.raises(InputError, match="classes 5 to 9, and the data set has 0 to 7"):
        of_classes(np.array([0, 7]), "5 to 9", 8)


def test_images_are_drawn_anew_for_each_seed():
    labels = np.zeros(100, int)
    recipe = replace(RECIPES["short"], images_drawn=30)
    masks = np.array([drawn(labels, recipe, seed) for seed in range(40)])
    assert (masks.sum(1) == 30).all()
    assert len({mask.tobytes() for mask in masks}) == 40
    assert drawn(labels, replace(recipe, images_drawn=1_000), 0).all()


def test_settings_as_usual_are_absent_and_rates_are_peaks():
    recipe = RECIPES["short"]
    assert set(recipe.spec()) == {
        "name", "schedule", "pad", "flip", "batch_size", "momentum", "weight_decay", "initializer",
    }  # fmt: skip
    assert recipe.at(0.1).schedule == recipe.schedule
    assert recipe.at(0.03).schedule == ((0, 0), (0.15, 0.03), (1, 0))
    assert RECIPES["paper"].at(0.01).schedule[-1] == (1, pytest.approx(1e-4))


def test_a_transferred_net_starts_from_the_body_it_was_trained_to(arrays):
    held = {"classes": "5 to 9", "labels_drawn": 10, "batch_size": 25}
    scratch, moved = (ran(arrays, arm, held=held) for arm in ("vgg-11-bn", "vgg-11-bn-transferred"))
    assert scratch["initial_sha256"] != moved["initial_sha256"]
    assert scratch["weights_sha256"] != moved["weights_sha256"]
    assert ran(arrays, "vgg-11-bn-transferred", held=held) == moved


# --- from looks to numbers ----------------------------------------------------------------------

GAP = METRICS["generalisation gap at equal training loss"]
TO_LOSS = METRICS["steps to the training loss"]


def looked(losses, **columns):
    steps = [10 * i for i in range(len(losses))]
    return {"outcome": "finished", "watched": {"step": steps, "train_loss": losses, **columns}}


def test_a_level_is_crossed_between_looks():
    result = looked([3.0, 2.5, 1.5, 1.0], train_error=[0.9, 0.8, 0.6, 0.5],
                    test_error=[0.9, 0.9, 0.8, 0.8])  # fmt: skip
    assert TO_LOSS.of(result, 2.0) == pytest.approx(15)
    assert GAP.of(result, 2.0) == pytest.approx(0.85 - 0.7)
    assert TO_LOSS.of(result, 2.5) == pytest.approx(10)


def test_what_is_never_reached_is_infinite_or_unknown():
    never = looked([3.0, 2.5, None], train_error=[1, 1, 1], test_error=[1, 1, 1])
    assert TO_LOSS.of(never, 2.0) == math.inf
    assert GAP.of(never, 2.0) is None
    assert TO_LOSS.of({**never, "outcome": "diverged"}, 2.0) == math.inf
    assert TO_LOSS.of(looked([1.0, 0.5]), 2.0) == 1


def test_ratios_are_of_the_first_block_over_the_last_and_unknown_where_one_is_zero():
    watched = {"010 z": [1.0, 0.0, 1.0], "000 b": [100.0, 1.0, 10.0], "step": [0, 1, 2]}
    result = {"outcome": "finished", "watched": watched}
    assert METRICS["log10 gradient ratio at the start"].of(result) == 2
    assert METRICS["log10 gradient ratio in training"].of(result) is None
    assert METRICS["log10 gradient ratio at the start"].of({**result, "outcome": "diverged"}) == 2
    watched["010 z"][1] = 100.0
    assert METRICS["log10 gradient ratio in training"].of(result) == pytest.approx(-0.5)
    distance = METRICS["distance of the log10 gradient ratio from 0 in training"]
    assert distance.of(result) == pytest.approx(1.5)


def test_levels_stand_where_a_metric_is_about_one():
    for claim in CLAIMS.values():
        for s in claim.trained:
            assert bool(s.level) == (METRICS[s.metric].watched == "losses")
