"""Training: the same experiment on every backend, and the arithmetic of its steps."""

import hashlib
import json
import math
import tempfile
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest

from reproductions.data.registry import embedded
from reproductions.data.stream import Stream
from reproductions.data.transforms import at_tier, standardised
from reproductions.execution.backends import threads_environment
from reproductions.execution.local import Worker, kind_of
from reproductions.experiments.recipes import RECIPES, Recipe
from reproductions.experiments.spec import NUMERICS, spec_of
from reproductions.experiments.tiers import TIERS
from reproductions.workloads.backends import DATA_FORMATS, fed
from reproductions.workloads.training.evaluation import (
    divergence,
    fitted,
    loss_and_error,
    measure_errors,
    measured_images,
    predicted,
    rounded,
)
from reproductions.workloads.training.initialization import digest, initialise, untrained
from reproductions.workloads.training.loop import steps_to_measure, train
from reproductions.workloads.training.networks import built
from reproductions.workloads.training.optimizer import SGD, Table, rates
from reproductions.workloads.training.segment import Progress

GOLDEN = Path(__file__).parent / "golden"
DATA = {"name": "embedded", "version": "1", "sha256": "-"}
ARMS = ("plain-20", "resnet-56")

# Never changed, only added to: a change of numbers asks for a new file and a new NUMERICS.
GOLDEN_FILES = {
    1: "804881287ed7467f4e0ae563898bf953718d0c0472183244eab0bb5e871b9034",
    2: "9b0f4f6c31f2484d16b4e01ec878b71e9af1455639ab5fc3894d9041d8e92015",
}


@pytest.fixture(scope="module", autouse=True)
def data_format():
    """That of the suite's training processes."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(DATA_FORMATS[keras.backend.backend()])
    yield
    keras.config.set_image_data_format(before)


@pytest.fixture(scope="module")
def arrays():
    return at_tier(embedded(), TIERS["smoke"])


def smoke_spec(arm, **tier):
    return spec_of(arm, replace(TIERS["smoke"], **tier), 0, keras.backend.backend(), DATA)


def first_batch(arrays, recipe, seed, epoch):
    stream = Stream(arrays, recipe, seed)
    return stream.between(epoch * stream.per_epoch, epoch * stream.per_epoch + 1)


def golden_facts(arrays):
    """What must be equal on every backend, and what nearly."""
    facts = {"exact": {}, "near": {}}
    batch, labels = first_batch(arrays, RECIPES["night"], 0, 1)
    facts["exact"]["first batch"] = hashlib.sha256(batch.tobytes() + labels.tobytes()).hexdigest()
    for arm in ARMS:
        model = built(smoke_spec(arm)["arm"], TIERS["laptop"], 10)
        initialise(model, 0)
        facts["exact"][f"{arm} weights"] = digest(model)
        images = standardised(arrays["train_images"][:4])
        facts["near"][f"{arm} logits"] = predicted(model, images).ravel().tolist()
        # Every step an epoch: the running loss is that of one batch.
        spec = smoke_spec(arm, steps=5, train_images=128)
        cut = {k: v[:128] if k.startswith("train") else v for k, v in arrays.items()}
        result, _ = train(spec, cut)
        facts["near"][f"{arm} losses"] = result["curves"]["running_loss"]
    return facts


def write_golden_file():
    """`python -m tests.test_train`: the file of the present NUMERICS, for review and commit."""
    facts = golden_facts(at_tier(embedded(), TIERS["smoke"]))
    (GOLDEN / f"numerics-{NUMERICS}.json").write_text(json.dumps(facts, indent=1) + "\n")


def relative(a, b):
    """max |a - b| / max |a|."""
    return np.abs(np.subtract(a, b)).max() / np.abs(a).max()


def test_the_experiment_is_the_same_on_every_backend(arrays):
    """Against a file that one backend wrote: weights and batches to the bit, the rest nearly."""
    golden = json.loads((GOLDEN / f"numerics-{NUMERICS}.json").read_text())
    facts = golden_facts(arrays)
    assert facts["exact"] == golden["exact"]
    for name, values in golden["near"].items():
        assert relative(values, facts["near"][name]) <= (1e-4 if "logits" in name else 1e-3), name


def test_golden_files_are_never_changed_and_are_one_a_numerics():
    files = {
        n: hashlib.sha256((GOLDEN / f"numerics-{n}.json").read_bytes()).hexdigest()
        for n in range(1, NUMERICS + 1)
    }
    assert files == GOLDEN_FILES


def test_another_seed_has_other_weights():
    first, second = (built(smoke_spec("plain-20")["arm"], TIERS["smoke"], 10) for _ in range(2))
    initialise(first, 0)
    initialise(second, 1)
    assert digest(first) != digest(second)


def test_initial_kernels_are_he_normal():
    model = built(smoke_spec("resnet-56")["arm"], TIERS["laptop"], 10)
    initialise(model, 0)
    kernels = [v for v in model.trainable_variables if len(v.shape) == 4]
    scaled = [
        keras.ops.convert_to_numpy(k.value).ravel() * math.sqrt(math.prod(k.shape[:-1]) / 2)
        for k in kernels
    ]
    draws = np.concatenate(scaled)
    assert abs(draws.mean()) < 0.01
    assert abs(draws.std() - 1) < 0.01
    constants = {v.name for v in model.variables if len(v.shape) == 1 and v.name != "bias"}
    assert constants == {"gamma", "beta", "moving_mean", "moving_variance"}


def linear_model():
    """Logits that are linear in the image: one convolution as large as the image."""
    image = keras.Input((4, 4, 3))
    y = keras.layers.Conv2D(10, 4, data_format="channels_last", name="conv")(image)
    return keras.Model(image, keras.layers.Flatten(name="flat")(y))


def test_three_steps_are_numpy_s_with_decay_in_the_gradient():
    recipe = Recipe("test", schedule=((0, 0.5), (1, 0.1)), pad=0, weight_decay=1e-2)
    model, rate = linear_model(), rates(recipe, 3)
    initialise(model, 0)
    optimizer = SGD(rate, recipe, model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    weights = [keras.ops.convert_to_numpy(v.value).astype("float64") for v in model.variables]
    w, b = weights[0].reshape(-1, 10), weights[1]
    velocity, draw = [np.zeros_like(w), np.zeros_like(b)], np.random.default_rng(0)
    for step in range(3):
        images = draw.normal(size=(8, 4, 4, 3)).astype("float32")
        labels = draw.integers(0, 10, 8)
        told = model.train_on_batch(images, labels)
        x = images.reshape(8, -1).astype("float64")
        logits = x @ w + b
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        # The reported loss is the cross-entropy alone.
        assert float(told) == pytest.approx(-np.log(p[range(8), labels]).mean(), rel=1e-5)
        slope = (p - np.eye(10)[labels]) / 8
        gradients = [x.T @ slope, slope.sum(0)]
        norms = keras.ops.convert_to_numpy(optimizer.norms.value)
        assert norms == pytest.approx([np.linalg.norm(gradients[0])] * 2, rel=1e-4)
        for i, (g, value) in enumerate(zip(gradients, (w, b), strict=True)):
            velocity[i] = 0.9 * velocity[i] - rate[step] * (g + 1e-2 * value)
        w, b = w + velocity[0], b + velocity[1]
    ours = [keras.ops.convert_to_numpy(v.value) for v in model.variables]
    assert relative(w, ours[0].reshape(-1, 10)) < 1e-5
    assert relative(b, ours[1]) < 1e-5


def test_keras_own_decay_would_be_another():
    """The control: the same step by SGD(weight_decay=) differs, so the test above can fail."""
    recipe = Recipe("test", schedule=((0, 0.5), (1, 0.5)), pad=0, weight_decay=1e-2)
    images, labels = np.ones((8, 4, 4, 3), "float32"), np.arange(8)
    kernels = []
    for make in (
        lambda model: SGD(rates(recipe, 2), recipe, model),
        lambda model: keras.optimizers.SGD(0.5, 0.9, weight_decay=1e-2),
    ):
        model = linear_model()
        initialise(model, 0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(make(model), loss)
        for _ in range(2):
            model.train_on_batch(images, labels)
        kernels.append(keras.ops.convert_to_numpy(model.variables[0].value))
    assert relative(*kernels) > 1e-3


def test_schedules_are_the_papers():
    paper = rates(RECIPES["paper"], 64_000)
    assert paper[[0, 31_999, 32_000, 47_999, 48_000, 63_999]] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rel=1e-6
    )
    short = rates(RECIPES["short"], 312)
    assert short.argmax() == pytest.approx(0.15 * 312, abs=1)
    assert short.max() == pytest.approx(0.1, rel=0.02)
    assert short[-1] < 1e-3
    table = Table(short)
    looked_up = [float(table(keras.ops.convert_to_tensor(i))) for i in (0, 46, 311, 400)]
    assert looked_up == pytest.approx(short[[0, 46, 311, 311]].tolist())


def test_training_again_gives_the_same_bits(arrays):
    first, second = (train(smoke_spec("resnet-20"), arrays)[0] for _ in range(2))
    assert first == second


def test_a_run_is_the_same_whatever_its_process_did_before(arrays):
    """Runs in one process, some of the model of the one before, and the last in one of its own."""
    specs = [smoke_spec(arm) for arm in ("plain-20", "plain-20", "resnet-56", "plain-20")]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "data.npz"), **arrays)
        workers = [
            Worker(kind_of(specs[0]), Path(folder), threads_environment(1)) for _ in range(2)
        ]
        try:
            results = [workers[0].work(spec, lambda event: None)["result"] for spec in specs]
            alone = workers[1].work(specs[-1], lambda event: None)["result"]
        finally:
            for worker in workers:
                worker.end()
    assert results[0] == results[1] == results[3] == alone
    assert results[0] != results[2]


def test_a_model_that_is_used_again_is_as_built(arrays):
    """After another seed, and after a run that diverged."""
    spec = smoke_spec("plain-20")
    first = train(spec, arrays)[0]
    wild = {**spec, "seed": 1}
    assert train(wild, arrays)[0]["initial_sha256"] != first["initial_sha256"]
    model = untrained(spec)
    for variable in model.variables:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    assert train(spec, arrays)[0] == first


def test_the_result_is_json_and_says_what_the_records_promise(arrays):
    events = []
    result, around = train(smoke_spec("plain-20"), arrays, events.append)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["outcome"] == "finished"
    curves = result["curves"]
    assert set(curves) == {
        "epoch", "step", "learning_rate", "running_loss", "running_error", "train_loss",
        "train_error", "test_loss", "test_error", "gradient_norm_first", "gradient_norm_last",
    }  # fmt: skip
    assert curves["epoch"] == [1, 2]
    assert curves["step"][-1] == events[-1]["step"] == TIERS["smoke"].steps
    assert min(curves["gradient_norm_first"]) > 0
    assert set(around["epochs"]) == {"seconds", "images_per_second"}
    assert len(around["epochs"]["seconds"]) == 2
    assert around["resumed"] == []
    assert result["parameters"] == 232 + 1_184 + 3_520 + 13_952 + 330


def test_a_diverged_run_is_a_result_with_its_reason(arrays):
    spec = smoke_spec("plain-20")
    spec["recipe"] = asdict(replace(RECIPES["short"], schedule=((0, 1e20), (1, 1e20))))
    result, _ = train(spec, arrays)
    assert result["outcome"] == "diverged"
    assert "not finite" in result["reason"]
    assert result["curves"]["epoch"] == [1]
    json.dumps(result, allow_nan=False)


def test_an_infinite_weight_under_a_finite_loss_is_divergence():
    model = linear_model()
    assert divergence(model, {"running_loss": 1.0, "epoch": 1}) is None
    kernel, bias = model.get_weights()
    model.set_weights([np.full_like(kernel, np.inf), bias])
    assert "weight" in divergence(model, {"running_loss": 1.0, "epoch": 1})


def test_errors_are_counted_and_the_loss_is_the_cross_entropy():
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(50, 10))
    right = logits.argmax(1)
    labels = np.where(np.arange(50) < 20, right, (right + 1) % 10)
    loss, error = loss_and_error(logits, labels)
    assert error == 0.6
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss == pytest.approx(float(theirs(labels, logits.astype("float32"))), rel=1e-5)
    for unknown in (np.nan, np.inf):
        loss, error = loss_and_error(np.full_like(logits, unknown), right)
        assert (rounded(loss), error) == (None, 1.0)


def test_one_pass_examines_the_parts_of_the_tier_and_all_test_images(arrays):
    tier = replace(TIERS["smoke"], measured_train=20, measured_test=30)
    model = built(smoke_spec("plain-20")["arm"], tier, 10)
    initialise(model, 0)
    images, labels = measured_images(tier, arrays, RECIPES[tier.recipe])
    row, final = measure_errors(model, tier, images, labels)
    expected = {
        name: loss_and_error(predicted(model, standardised(arrays[f"{split}_images"][:n])),
                     arrays[f"{split}_labels"][:n])
        for name, split, n in (
            ("train", "train", 20), ("test", "test", 30), ("final", "test", None),
        )
    }  # fmt: skip
    found = {name: (row[f"{name}_loss"], row[f"{name}_error"]) for name in ("train", "test")}
    found["final"] = final["test_loss"], final["test_error"]
    for name, (loss, error) in expected.items():
        assert found[name] == (pytest.approx(loss, rel=1e-6), error)
    part, _ = measure_errors(model, tier, images[:50], labels[:50])
    assert part == pytest.approx(row, rel=1e-6)


def test_the_steps_of_a_run_are_full_batches_however_they_are_asked_for(arrays):
    recipe = replace(RECIPES["night"], batch_size=48)
    stream = Stream(arrays, recipe, 0)
    assert (len(arrays["train_labels"]), stream.per_epoch) == (256, 5)
    x, y = stream.between(0, 12)
    assert (len(x), len(y), x.dtype) == (12 * 48, 12 * 48, "float32")
    for cuts in ((0, 5, 10, 12), (0, 1, 7, 8, 12), range(13)):
        parts = [Stream(arrays, recipe, 0).between(a, b) for a, b in pairwise(cuts)]
        assert np.array_equal(np.concatenate([images for images, _ in parts]), x)
        assert np.array_equal(np.concatenate([labels for _, labels in parts]), y)
    few = {name: array[:30] for name, array in arrays.items()}
    assert len(Stream(few, recipe, 0).between(0, 2)[1]) == 60


def test_errors_are_measured_at_ends_of_epochs_that_pay_for_it(arrays):
    def steps(tier, **changes):
        tier = replace(TIERS[tier], **changes)
        n = tier.train_images
        stream = Stream({"train_labels": np.zeros(n), "train_images": np.zeros(n)},
                        RECIPES[tier.recipe], 0)  # fmt: skip
        return sorted(
            steps_to_measure(
                fitted(tier, {"train_labels": np.zeros(n), "test_labels": np.zeros(10_000)}), stream
            )
        )

    assert steps("laptop") == [78, 156, 234, 312]
    assert steps("night") == [390, 780, 1170]
    assert len(steps("paper")) == 165
    assert steps("laptop", train_images=1_000)[:2] == [14, 28]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_what_is_fed_are_the_images_in_order(data_format, monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: data_format)
    images, labels = np.random.default_rng(0).normal(size=(10, 4, 4, 3)), np.arange(10)
    data = fed(images, labels, batch_size=4)
    if keras.backend.backend() == "tensorflow":
        batches = list(data["x"].as_numpy_iterator())
        assert [len(y) for _, y in batches] == [4, 4, 2]
        x, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    else:
        x, y = data["x"], data["y"]
        assert np.shares_memory(x, images)
    order = (0, 3, 1, 2) if data_format == "channels_first" else (0, 1, 2, 3)
    assert np.array_equal(x, images.transpose(order))
    assert np.array_equal(y, labels)


def test_progress_is_told_without_a_touch_of_the_state():
    """On JAX it is told by threads while a step has the state; `Callback.model` would take it."""
    net = untrained(spec_of("resnet-20", TIERS["smoke"], 0, keras.backend.backend(), DATA))
    net.jax_state_sync = lambda: pytest.fail("the state was taken")
    told = []
    progress = Progress(told.append, epoch=1, done=4)
    progress.set_model(net)
    progress.told = -1
    progress.on_train_batch_end(0, {"loss": 0.5})
    assert told == [{"step": 5, "epoch": 1, "loss": 0.5}]
    assert not net.stop_training


def test_both_data_formats_start_from_the_same_weights_and_logits(arrays):
    digests, logits = [], []
    images = standardised(arrays["test_images"][:8])
    before = keras.config.image_data_format()
    for data_format in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(data_format)
        try:
            model = built(smoke_spec("resnet-20")["arm"], TIERS["smoke"], 10)
            initialise(model, 0)
            logits.append(predicted(model, images))
        finally:
            keras.config.set_image_data_format(before)
        digests.append(digest(model))
    assert digests[0] == digests[1]
    assert relative(*logits) < 1e-5


if __name__ == "__main__":
    write_golden_file()
