"""The arms of trained claims: they build, and differ in what they are compared for alone."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from conftest import without_values
from keras_ilsvrc import anatomy, cifar
from reproductions.claims import after, degradation, googlenet_trained, normalization, vgg_trained
from reproductions.experiments.arms import ARMS, draws
from reproductions.experiments.tiers import TIERS
from reproductions.workloads.training.networks import (
    DRAWING,
    FORMS,
    GatedResNet,
    Jitter,
    Plain,
    Stacks,
    built,
)

BACKENDS = ("tensorflow", "torch", "jax")
FILES = (degradation, vgg_trained, googlenet_trained, normalization, after)
STATEMENTS = (
    *(statement for file in FILES for claim in file.CLAIMS for statement in claim.trained),
    degradation.DEEPER,
    *normalization.ORDER,
)

# Each arm at each tier that its statements name.
CASES = sorted({(a, tier) for s in STATEMENTS for a in s.contrast for tier in s.seeds})
SMOKE = [arm for arm, tier in CASES if tier == "smoke"]
# Three backends share what is larger.
SHARE = [case for case in CASES if case[1] != "smoke"][BACKENDS.index(keras.backend.backend()) :: 3]


def model_of(arm, tier):
    return without_values(built, ARMS[arm].spec(), TIERS[tier], 10)


def parameters(build, *arguments, **options):
    return without_values(build, *arguments, **options).count_params()


def images(number=4, side=8):
    draw = np.random.default_rng(0).standard_normal((number, side, side, 3))
    return draw.astype("float32")


@pytest.fixture(autouse=True)
def channels_last():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    yield
    keras.config.set_image_data_format(before)


# --- every arm --------------------------------------------------------------------------------


def test_every_arm_is_compared_and_every_compared_arm_is_there():
    assert {arm for arm, _ in CASES} == set(ARMS)


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_leaves_its_width_to_the_tier(name):
    assert not {"width", "growth"} & set(ARMS[name].options)
    assert ARMS[name].spec().keys() == {"name", "network", *ARMS[name].options}


@pytest.mark.parametrize(("arm", "tier"), [*((arm, "smoke") for arm in SMOKE), *SHARE])
def test_an_arm_builds_at_its_tiers(arm, tier):
    model = model_of(arm, tier)
    main, *heads = [tuple(output.shape) for output in model.outputs]
    assert main == (None, 10)
    assert len(heads) == (2 if "heads" in arm else 0)
    assert any(isinstance(layer, DRAWING) for layer in model.layers) == draws(ARMS[arm].spec())
    assert model.input_shape == (None, TIERS[tier].image_size, TIERS[tier].image_size, 3)


@pytest.mark.parametrize("arm", [arm for arm in SMOKE if not arm.startswith("googlenet")])
def test_smoke_is_short(arm):
    kinds = keras.layers.Conv2D | keras.layers.Dense
    assert sum(isinstance(layer, kinds) for layer in model_of(arm, "smoke").layers) <= 26


@pytest.mark.parametrize("arm", [arm for arm in ARMS if "no-bn" in arm])
def test_nets_without_normalization_are_shallow_and_have_biases(arm):
    kinds = model_of(arm, "paper").layers
    convolutions = [layer for layer in kinds if isinstance(layer, keras.layers.Conv2D)]
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in kinds)
    assert all(layer.use_bias for layer in convolutions)
    metrics = {s.metric for s in STATEMENTS if arm in s.contrast}
    # Deeper ones do not train: of these only the start is compared.
    assert len(convolutions) < 20 or all(metric.endswith("at the start") for metric in metrics)


def test_the_papers_networks_at_the_papers_width():
    counts = {"resnet-20": 269_722, "densenet-bc-40": 176_122, "plain-20": 269_722}
    for arm, count in counts.items():
        weights = model_of(arm, "paper").trainable_variables
        assert sum(int(np.prod(v.shape)) for v in weights) == count


# --- arms that differ in one thing ------------------------------------------------------------

EQUAL = (
    ("plain-20", "plain-20-jitter", "plain-20-dropout", "sigmoid-20", "plain-20-0-to-255"),
    ("plain-20-no-bn", "plain-20-no-bn-dropout", "sigmoid-20-no-bn", "plain-20-no-bn-0-to-1"),
    ("plain-56", "sigmoid-56"),
    ("se-resnet-56", "se-resnet-56-constant"),
    ("stack-3x3", "stack-3x3-linear"),
    ("vgg-11-bn", "vgg-11-bn-transferred", "vgg-11-bn-untrained"),
    ("googlenet", "googlenet-scaled"),
)


@pytest.mark.parametrize("arms", EQUAL, ids=lambda arms: arms[0])
def test_equal_weights(arms):
    models = [model_of(arm, "smoke") for arm in arms]
    first, *others = [[tuple(v.shape) for v in model.trainable_variables] for model in models]
    assert all(shapes == first for shapes in others)


@pytest.mark.parametrize("width", [1, 8, 16])
def test_weights_of_stacks(width):
    """27 C^2, 49 C^2 and 51 C^2 weights, and what normalization adds, in each of three groups."""
    counts = {form: parameters(Stacks, form=form, width=width) for form in FORMS}
    squares = width**2 + (2 * width) ** 2 + (4 * width) ** 2
    norms = 4 * (width + 2 * width + 4 * width)
    assert counts["3x3"] == counts["3x3 linear"]
    assert counts["7x7"] - counts["3x3"] == 22 * squares - 2 * norms
    assert counts["7x7 1x1 1x1"] - counts["3x3"] == 24 * squares


def seen(model):
    """What one pixel sees of the image after each max-pool."""
    rows = anatomy.profile(model).rows
    return [(row.receptive_field, row.stride) for row in rows if row.kind == "MaxPooling2D"]


def test_stacks_see_as_much():
    fields = [seen(without_values(Stacks, form=form, input_shape=(128, 128, 3))) for form in FORMS]
    assert len(fields[0]) == 3
    assert all(field == fields[0] for field in fields)
    assert fields[0][0] == ((8, 8), (2, 2))  # 7x7, and the pool's 2x2


@pytest.mark.parametrize(
    ("form", "relus"), [("3x3", 3), ("3x3 linear", 1), ("7x7", 1), ("7x7 1x1 1x1", 3)]
)
def test_relus_of_a_stack(form, relus):
    model = without_values(Stacks, form=form)
    names = [x.name for x in model.layers if isinstance(x, keras.layers.Activation)]
    assert len([name for name in names if name.startswith("group1_")]) == 1 + relus


@pytest.mark.parametrize("normalization", ["batch", None])
def test_plain_unaltered_is_the_papers(normalization):
    """The same layers and kernels, in the same order."""
    options = {"normalization": normalization, "width": 4}
    plain, paper = (without_values(build, 14, **options) for build in (Plain, cifar.PlainNet))
    assert [v.shape for v in plain.weights] == [v.shape for v in paper.weights]
    assert anatomy.profile(plain).macs == anatomy.profile(paper).macs


# --- random shifts ----------------------------------------------------------------------------


def test_jitter_is_the_identity_at_inference():
    x = images()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(Jitter(0.5, seed=1)(x)), x)


def test_jitter_moves_in_training_and_changes_from_step_to_step():
    layer, x = Jitter(0.5, seed=1), images()
    first, second = (keras.ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert not np.allclose(first, x)
    assert not np.allclose(first, second)


def test_jitter_scales_and_shifts_each_channel():
    x = images(2)
    y = keras.ops.convert_to_numpy(Jitter(0.5, seed=1)(x, training=True))
    fits = [np.polyfit(x[..., c].ravel(), y[..., c].ravel(), 1) for c in range(3)]
    for c, (scale, shift) in enumerate(fits):
        assert 0.5 <= scale <= 1.5
        assert -0.5 <= shift <= 0.5
        np.testing.assert_allclose(y[..., c], scale * x[..., c] + shift, atol=1e-5)
    assert len({round(float(scale), 4) for scale, _ in fits}) == 3


def test_jitter_is_saved_and_seeded():
    layer = Jitter(0.5, axis=-1, seed=7, name="jitter")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert twin.get_config() == layer.get_config()
    once, again = (keras.ops.convert_to_numpy(x(images(), training=True)) for x in (layer, twin))
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("option", ["jitter", "dropout"])
def test_every_layer_draws_for_itself_and_in_every_process_alike(option):
    arm = {"name": "x", "network": "Plain", "depth": 8, option: 0.5}
    nets = [built(arm, replace(TIERS["smoke"], width=2, image_size=8), 10) for _ in range(2)]
    first, second = ([x.seed for x in net.layers if option in x.name] for net in nets)
    assert first == second
    assert len(first) == len(set(first)) == 7


# --- gates ------------------------------------------------------------------------------------


def gates(fed):
    """What the first gate of a small net gives for four images."""
    keras.utils.set_random_seed(0)
    model = GatedResNet(8, fed=fed, width=4, input_shape=(8, 8, 3))
    place = next(layer for layer in model.layers if layer.name.endswith("se_sigmoid"))
    weights = keras.Model(model.input, place.output).predict(images(), verbose=0)
    return weights.reshape(4, -1)


def test_gates_fed_a_constant_do_not_see_the_image():
    constant, image = gates("constant"), gates("image")
    np.testing.assert_array_equal(constant, constant[:1].repeat(4, 0))
    assert not np.allclose(image, image[:1])


def test_gates_have_at_least_four_units():
    model = without_values(GatedResNet, 8, width=8)
    units = [x.filters for x in model.layers if x.name.endswith("se_reduce")]
    assert units == [4, 4, 4]
    assert [x.filters for x in without_values(GatedResNet, 8, width=128).layers
            if x.name.endswith("se_reduce")] == [8, 16, 32]  # fmt: skip
