"""Which layers learn, how fast, and that it helps."""

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import keras_ilsvrc
from keras_ilsvrc import anatomy, cifar, finetune, inference

SHAPE = (16, 16, 3)
CLASSES = 3


def backbone(**options):
    options = {"width": 4, "include_top": False, "pooling": "avg", "input_shape": SHAPE, **options}
    return cifar.ResNet(8, **options)


def transferred(base=None):
    image = keras.Input(SHAPE)
    x = (base or backbone())(layers.Rescaling(2.0, -1.0)(image))
    return keras.Model(image, layers.Dense(CLASSES, "softmax", name="head")(x))


def pictures(number, seed=0, turned=False):
    """Stripes of three directions, in noise; turned, each direction means another class."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, CLASSES, number)
    i, j = np.mgrid[:16, :16] * 0.9
    waves = np.stack([np.sin(i), np.sin(j), np.sin(i + j)])
    shown = (labels + 1) % CLASSES if turned else labels
    phase = draw.uniform(0.5, 1, (number, 1, 1, 3))
    x = 0.5 + 0.3 * waves[shown][..., None] * phase + draw.normal(0, 0.2, (number, *SHAPE))
    return x.astype("float32"), labels


# --- which layers learn ----------------------------------------------------------------------


def learning(model):
    return [step.name for step in anatomy.graph_of(model).steps
            if getattr(step.layer, "trainable_variables", ())]  # fmt: skip


@pytest.mark.parametrize(
    ("until", "first"),
    [
        (None, "conv1_conv"),
        (1, "conv3_block1_1_conv"),
        (2, "conv4_block1_1_conv"),
        (4, "head"),
        ("conv1", "conv2_block1_1_conv"),
        ("conv3_block1", "conv4_block1_1_conv"),
        ("conv3_block1_out", "conv4_block1_1_conv"),
        ("conv3_block1_1_conv", "conv3_block1_2_conv"),
    ],
)
def test_layers_up_to_a_stride_or_a_name_are_frozen(until, first):
    model = transferred()
    finetune.plan(model, until)
    found = learning(model)
    assert found[0] == first
    whole = [step.name for step in anatomy.graph_of(model).steps]
    assert {name for name in whole[whole.index(first) :] if name.endswith(("conv", "head"))} <= {
        *found
    }


def test_a_plan_undoes_what_was_frozen_before():
    model = transferred()
    model.layers[2].trainable = False
    finetune.plan(model, norm="train")
    assert len(model.trainable_variables) == len(transferred().trainable_variables)


@pytest.mark.parametrize(("norm", "moves"), [("frozen", False), ("train", True)])
def test_normalizations_of_maps_are_frozen_or_learn(norm, moves):
    model = transferred()
    found = finetune.plan(model, 1, norm=norm)
    x, y = pictures(16)
    bn = model.layers[2].get_layer("conv4_block1_1_bn")
    below = model.layers[2].get_layer("conv1_bn")
    before = [[w.copy() for w in b.get_weights()] for b in (bn, below)]
    model.compile(found.optimizer(optimizers.SGD(0.1)), "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    assert all(map(np.array_equal, bn.get_weights(), before[0])) != moves
    assert all(map(np.array_equal, below.get_weights(), before[1]))


def test_a_new_head_s_normalization_learns():
    image = keras.Input(SHAPE)
    x = layers.BatchNormalization(name="new")(layers.Dense(4)(backbone()(image)))
    model = keras.Model(image, layers.Dense(CLASSES)(x))
    finetune.plan(model, 4)
    assert "new" in learning(model)


def test_recalibrated_statistics_are_those_of_the_new_images():
    """Against the mean and the variance of what NumPy is given, with the kernel by hand."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, name="conv")(layers.RandomFlip()(image))
    x = layers.BatchNormalization(name="first")(x)
    x = layers.BatchNormalization(name="second")(layers.Dropout(0.5)(x))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    images = np.random.default_rng(0).normal(2, 3, (4, 8, 8, 8, 3)).astype("float32")
    finetune.plan(model, norm="recalibrate", images=[(batch, None) for batch in images])
    kernel, bias = model.get_layer("conv").get_weights()
    maps = images @ kernel[0, 0] + bias
    _, _, mean, variance = model.get_layer("first").get_weights()
    assert np.allclose(mean, maps.mean((0, 1, 2, 3)), atol=1e-3)
    assert np.allclose(variance, maps.var((1, 2, 3)).mean(0), rtol=1e-3)
    _, _, mean, variance = model.get_layer("second").get_weights()
    assert np.allclose(mean, 0, atol=1e-3)
    assert np.allclose(variance, 1, atol=1e-2)
    assert model.get_layer("first").momentum == 0.99
    assert learning(model)[0] == "conv"
    assert not {"first", "second"} & {*learning(model)}


STAGES = ["conv1", "conv2", "conv3", "conv4"]
GROUPS = {
    "resnet": (lambda: cifar.ResNet(8, width=2), [*STAGES, "predictions"]),
    "v2": (lambda: cifar.ResNetV2(8, width=2), [*STAGES, "predictions"]),
    "nested": (transferred, [*STAGES, "head"]),
    "plain": (lambda: cifar.PlainNet(8, width=2), 8 * [""]),
    "googlenet": (lambda: cifar.GoogLeNet(width=4), 11 * [""]),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_the_blocks_of_the_network(name):
    build, wanted = GROUPS[name]
    model = build()
    groups = finetune.plan(model, norm="train").groups
    assert len(groups) == len(wanted)
    for group, start in zip(groups, wanted, strict=True):
        last = [name for name in group if name.startswith(start)]
        assert len(last) >= len(group) - 1, group  # v2: the last normalization is of no block
    assert sum(map(len, groups)) == sum(
        bool(s.layer.weights) for s in anatomy.graph_of(model).steps
    )


def test_rates_shrink_from_group_to_group_and_biases_learn_faster():
    model = cifar.VGG(11, width=4, input_shape=SHAPE)
    found = finetune.plan(model, layer_decay=0.5, bias_multiplier=2.0)
    kernels = [rate for path, rate in found.rates.items() if path.endswith("kernel")]
    biases = [rate for path, rate in found.rates.items() if path.endswith("bias")]
    assert kernels == [0.5**i for i in range(len(kernels) - 1, -1, -1)]
    assert biases == [2 * rate for rate in kernels]
    assert {d for p, d in found.decays.items() if p.endswith("bias")} == {0}
    assert "x 0.5 " in str(found)
    assert "predictions" in str(found).splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"freeze_until": 3}, r"a stride of .* \(1, 2, 4\)"),
        ({"freeze_until": "conv9"}, "there is none like 'conv9'"),
        ({"freeze_until": True}, "there is none like True"),
        ({"freeze_until": "head"}, "freezes all"),
        ({"norm": "batch"}, "norm is 'frozen', 'train' or 'recalibrate'"),
        ({"norm": "recalibrate"}, "needs images"),
        ({"norm": "recalibrate", "images": []}, "no batch"),
        ({"images": [0]}, "images are for"),
        ({"layer_decay": 0}, "above 0 and at most 1"),
        ({"layer_decay": 1.5}, "above 0 and at most 1"),
        ({"bias_multiplier": float("nan")}, "a number above 0"),
    ],
)
def test_wrong_arguments_are_told(options, says):
    with pytest.raises(ValueError, match=says):
        finetune.plan(transferred(), **options)


# --- the optimizer ---------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": {"learning_rate": 0.1},
    "SGD nesterov": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    "Adam": {"learning_rate": 0.1},
    "Adam amsgrad": {"learning_rate": 0.1, "amsgrad": True},
    "AdamW": {"learning_rate": 0.1, "weight_decay": 0.1},
    "RMSprop": {"learning_rate": 0.1, "momentum": 0.5},
    "Adagrad": {"learning_rate": 0.1},
    "Adadelta": {"learning_rate": 1.0},
    "Adamax": {"learning_rate": 0.1},
    "Nadam": {"learning_rate": 0.1},
    "Lion": {"learning_rate": 0.1},
    "Lamb": {"learning_rate": 0.1},
    "Ftrl": {"learning_rate": 0.1},
    "Adafactor": {"learning_rate": 0.1},
    "ScheduleFreeAdamW": {"learning_rate": 0.1},
    "Muon": {"learning_rate": 0.1, "adam_weight_decay": None, "weight_decay": None},
}
OPTIONS = {
    "alone": {},
    "decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.2},
    "ema": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2, "weight_decay": 0.1},
    "scale": {"loss_scale_factor": 4.0},
    "schedule": {"learning_rate": "schedule"},
}
CASES = [(name, "alone") for name in OPTIMIZERS]
CASES += [(name, "decay") for name in ("SGD nesterov", "Adam", "Lion", "ScheduleFreeAdamW")]
CASES += [(name, which) for name in ("SGD nesterov", "AdamW") for which in list(OPTIONS)[2:]]


def made(name, options, rate=1.0, decays=True):
    """Its optimizer, at `rate` times the rate, and without decay where there is none."""
    found = {**OPTIMIZERS[name], **OPTIONS[options]}
    if found["learning_rate"] == "schedule":
        found["learning_rate"] = optimizers.schedules.ExponentialDecay(0.2 * rate, 2, 0.5)
    else:
        found["learning_rate"] *= rate
    if not decays and "weight_decay" in found:
        found["weight_decay"] = 0.0
    return getattr(optimizers, name.split()[0])(**found)


def variables():
    draw = np.random.default_rng(0)
    return [
        keras.Variable(draw.normal(size=shape).astype("float32"), name=name)
        for name, shape in (("a_kernel", (3, 4)), ("a_bias", (4,)), ("b_kernel", (4, 2)))
    ]


RATES = {"a_kernel": 0.25, "a_bias": 0.5, "b_kernel": 1.0}
DECAYS = {"a_kernel": 1.0, "a_bias": 0.0, "b_kernel": 1.0}
DEPTHS = {"a_kernel": 0, "a_bias": 0, "b_kernel": 1}


def layerwise(inner):
    return finetune.Plan((), frozenset(), RATES, DECAYS, DEPTHS).optimizer(inner)


def stepped(optimizers_of, steps=5):
    """The values after steps on random gradients, each optimizer on its variables."""
    found, draw = variables(), np.random.default_rng(1)
    for _ in range(steps):
        gradients = [draw.normal(size=v.shape).astype("float32") for v in found]
        for optimizer, which in optimizers_of:
            optimizer.apply(
                [keras.ops.convert_to_tensor(gradients[i]) for i in which],
                [found[i] for i in which],
            )
    return [keras.ops.convert_to_numpy(v) for v in found]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_an_optimizer_for_each_variable_at_its_own_rate_gives_the_same(name, options):
    """Of the same kind, without factors: three of them against one with factors."""
    one = stepped([(layerwise(made(name, options)), (0, 1, 2))])
    each = [
        (made(name, options, RATES[v.name], DECAYS[v.name] > 0), (i,))
        for i, v in enumerate(variables())
    ]
    for a, b, start in zip(one, stepped(each), variables(), strict=True):
        assert np.allclose(a, b, atol=1e-6), np.abs(a - b).max()
        assert np.abs(a - keras.ops.convert_to_numpy(start)).max() > 1e-3


def test_the_norm_of_all_gradients_is_clipped_before_the_factors():
    """SGD by hand: every gradient is scaled by one number, then by its rate."""
    found = stepped([(layerwise(optimizers.SGD(0.1, global_clipnorm=1.0)), (0, 1, 2))], steps=1)
    draw = np.random.default_rng(1)
    gradients = [draw.normal(size=v.shape).astype("float32") for v in variables()]
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    for value, start, g in zip(found, variables(), gradients, strict=True):
        wanted = keras.ops.convert_to_numpy(start) - 0.1 * RATES[start.name] * g / norm
        assert np.allclose(value, wanted, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's optimizers are the judge")
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_training_is_that_of_pytorch_s_parameter_groups(name):
    import torch

    keras.utils.set_random_seed(0)
    model, x, y = cifar.VGG(11, width=2, dropout=0, input_shape=SHAPE), *pictures(32)
    other = cifar.VGG(11, width=2, dropout=0, input_shape=SHAPE)
    other.set_weights(model.get_weights())
    found = finetune.plan(model, layer_decay=0.7, bias_multiplier=2.0)
    inner = {
        "SGD": lambda: optimizers.SGD(0.1, momentum=0.9),
        "AdamW": lambda: optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-12),
    }[name]()
    model.compile(found.optimizer(inner), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    groups = [
        {"params": [v.value], "lr": float(inner.learning_rate) * found.rates[v.path],
         **({"weight_decay": 0.1 * found.decays[v.path]} if name == "AdamW" else {})}
        for v in other.trainable_variables
    ]  # fmt: skip
    judge = {"SGD": lambda: torch.optim.SGD(groups, momentum=0.9),
             "AdamW": lambda: torch.optim.AdamW(groups, eps=1e-12)}[name]()  # fmt: skip
    loss = torch.nn.NLLLoss()
    for i in [*range(0, 32, 8)] * 2:
        judge.zero_grad()
        output = torch.log(other(torch.tensor(x[i : i + 8]), training=True))
        loss(output, torch.tensor(y[i : i + 8])).backward()
        judge.step()
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.allclose(a, b, atol=2e-4), np.abs(a - b).max()


def test_scaled_gradients_would_not_do():
    """The control: Adam's updates do not shrink with its gradients."""
    found, adam = variables(), optimizers.Adam(0.1)
    adam.apply([0.25 * keras.ops.ones(v.shape) for v in found], found)
    moved = np.abs(
        keras.ops.convert_to_numpy(found[0]) - keras.ops.convert_to_numpy(variables()[0])
    )
    assert np.allclose(moved, 0.1, atol=1e-3)


@pytest.mark.parametrize("steps", [None, 2])
def test_a_saved_model_goes_on_as_it_would_have(steps, tmp_path):
    keras.utils.set_random_seed(0)
    model, x, y = transferred(), *pictures(16)
    found = finetune.plan(model, 1, layer_decay=0.5)
    schedule = optimizers.schedules.CosineDecay(0.05, 20)
    average = keras.backend.backend() != "jax"  # where a second `fit` with it fails in Keras 3.15
    inner = optimizers.AdamW(schedule, use_ema=average, gradient_accumulation_steps=steps)
    model.compile(found.optimizer(inner), "sparse_categorical_crossentropy")
    run = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(x, y, **run)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, again):
        one.fit(x, y, **run)
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))


def test_a_dynamic_loss_scale_goes_around_it():
    model, x, y = transferred(), *pictures(8)
    optimizer = finetune.plan(model, layer_decay=0.5).optimizer(optimizers.SGD(0.1))
    model.compile(optimizers.LossScaleOptimizer(optimizer), "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, verbose=0, callbacks=[finetune.GradualUnfreezing()])
    assert not np.array_equal(model.get_weights()[-1], before[-1])
    assert np.array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        (lambda: "adam", "inner is an optimizer"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD()), "wrap the result"),
        (lambda: layerwise(optimizers.SGD()), "wrap the result"),
        (lambda: optimizers.Muon(0.1), "Muon has two weight decays"),
    ],
)
def test_what_has_no_layerwise_form_is_refused(inner, says):
    with pytest.raises(ValueError, match=says):
        layerwise(inner())


def test_a_plan_of_another_model_is_refused():
    model, x, y = transferred(), *pictures(8)
    optimizer = finetune.plan(model, 4).optimizer(optimizers.SGD())
    model.layers[2].get_layer("conv4_block1_1_conv").trainable = True
    model.compile(optimizer, "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"call finetune\.plan again"):
        model.fit(x, y, verbose=0)


# --- what it is for --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    """Weights of a network that tells the directions of stripes apart."""
    keras.utils.set_random_seed(1)
    model = transferred()
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(*pictures(256, 1), batch_size=32, epochs=4, verbose=0)
    return model.get_weights()


def tuned(weights, epochs=4, callbacks=(), rate=0.01, **options):
    keras.utils.set_random_seed(2)
    model = transferred()
    model.set_weights(weights)
    model.get_layer("head").set_weights([np.zeros((16, 3)), np.zeros(3)])
    found = finetune.plan(model, **options)
    model.compile(found.optimizer(optimizers.Adam(rate)), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])  # fmt: skip
    x, y = harder(192, 3)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model, model.evaluate(*harder(192, 4), verbose=0)[1]


def harder(number, seed):
    """Coarse stripes, which the network has never seen, under a fine pattern that it has."""
    _, y = pictures(number, seed)
    i, j = np.mgrid[:16, :16] * 0.3
    waves = np.stack([np.sin(i), np.sin(j), np.sin(i + j)])[y][..., None]
    fine, _ = pictures(number, seed + 100)
    return (0.5 * fine + 0.25 + 0.25 * waves).astype("float32"), y


def test_fine_tuning_beats_the_frozen_network(trained):
    _, frozen = tuned(trained, freeze_until=4)
    _, whole = tuned(trained, layer_decay=0.75)
    assert whole > frozen + 0.1


def moved(model, weights):
    """How far the kernels of the three stages went, in units of their size."""
    start = transferred()
    start.set_weights(weights)
    names = [f"conv{i}_block1_1_conv" for i in (2, 3, 4)]
    pairs = [
        [m.layers[2].get_layer(name).get_weights()[0] for m in (start, model)] for name in names
    ]
    return np.array([np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in pairs])


def test_layer_decay_keeps_lower_layers_nearer_to_where_they_were(trained):
    even = moved(tuned(trained, 1)[0], trained)
    decayed = moved(tuned(trained, 1, layer_decay=0.5)[0], trained)
    shares = decayed / even
    assert shares[0] < shares[1] < shares[2] < 0.8
    assert shares[0] < 0.4


def test_layers_are_unfrozen_one_after_another(trained):
    class Watch(keras.callbacks.Callback):
        seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(moved(self.model, trained) > 0)

    watch = Watch()
    tuned(trained, 4, [finetune.GradualUnfreezing(), watch])
    assert np.array(watch.seen).tolist() == [
        [False, False, False], [False, False, True], [False, True, True], [True, True, True],
    ]  # fmt: skip


def test_unfreezing_needs_a_plan():
    model, x, y = transferred(), *pictures(8)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="needs the optimizer of a plan"):
        model.fit(x, y, verbose=0, callbacks=[finetune.GradualUnfreezing()])
    with pytest.raises(ValueError, match="every is a positive whole number"):
        finetune.GradualUnfreezing(0)


# --- auxiliary classifiers -------------------------------------------------------------------


def with_heads():
    return cifar.GoogLeNet(auxiliary=True, width=4, classes=CLASSES, input_shape=SHAPE, dropout=0)


def test_auxiliary_classifiers_take_one_copy_of_the_labels(tmp_path):
    """The same as Keras' three copies; with weights of samples, and after a file."""
    keras.utils.set_random_seed(0)
    x, y = pictures(16)
    weight = np.linspace(0.5, 1.5, 16).astype("float32")
    model = finetune.AuxiliaryModel.of(with_heads())
    other = keras.Model(model.inputs[0], model.outputs)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    other.compile("sgd", 3 * ["sparse_categorical_crossentropy"], loss_weights=[1, 0.3, 0.3])
    one = model.evaluate(x, y, sample_weight=weight, verbose=0)
    three = other.evaluate(x, 3 * [y], sample_weight=3 * [weight], verbose=0)
    assert one[0] == pytest.approx(three[0], rel=1e-5)
    predictions = model.predict(x, verbose=0)[0].argmax(1)
    assert one[-1] == pytest.approx((predictions == y).mean(), abs=1e-6)
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(moved[-6:])  # the three classifiers' kernels and biases
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.fit(x, y, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 1.0})
    plain = inference.drop_auxiliary(again)
    assert plain.predict(x, verbose=0).shape == (16, CLASSES)


def test_a_model_of_one_output_has_no_auxiliary_classifiers():
    with pytest.raises(ValueError, match="two or more of one shape"):
        finetune.AuxiliaryModel.of(cifar.ResNet(8, width=2))


def test_the_package_offers_it():
    assert keras_ilsvrc.finetune is finetune
