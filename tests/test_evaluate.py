"""The command that counts errors: by hand on made images, and on real ones with real weights."""

import os
import re
from pathlib import Path

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from conftest import missing
from keras_ilsvrc import catalog, cifar, list_models, preprocess, pretrained
from reproductions.cli import evaluate as command
from reproductions.data import images as room
from reproductions.data.images import Pictures, View
from reproductions.evidence.errors import InputError
from reproductions.workloads import pretrained as module
from reproductions.workloads.pretrained import Count

BACKEND = keras.backend.backend()
WHOLE = View(32, 32)
CIFAR = pretrained.entry("cifar_resnet20", "cifar").contract
CLASSES, EACH = 10, 3


def run(*words):
    """The command as click runs it; what it refuses is raised."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(
        command.evaluate, [*map(str, words)], standalone_mode=False, catch_exceptions=False
    )


def refused(*words):
    with pytest.raises(InputError) as caught:
        run(*words)
    told = str(caught.value)
    assert "\n" not in told
    assert told.endswith(".")
    return told


@pytest.fixture(scope="module")
def images():
    """Ten classes of noise, three images each: (class, rank, 32, 32, 3)."""
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (CLASSES, EACH, 32, 32, 3), "uint8")


def write(folder, images, names=None):
    """A folder for each class."""
    for name, inside in zip(names or map(str, range(len(images))), images, strict=True):
        (folder / name).mkdir(parents=True)
        for rank, pixels in enumerate(inside):
            Image.fromarray(pixels).save(folder / name / f"{rank}.png")
    return folder


@pytest.fixture
def folder(tmp_path, images):
    return write(tmp_path / "data", images)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return cifar.ResNet(8, width=4)


def errors_by_hand(network, images, labels):
    """Of one after the other, its classes sorted by falling score."""
    top1 = top5 = 0
    for pixels, label in zip(images, labels, strict=True):
        scores = np.asarray(network.predict_on_batch(preprocess(pixels[None], CIFAR)))[0]
        ranked = sorted(range(len(scores)), key=lambda c: -scores[c])
        top1 += ranked[0] != label
        top5 += label not in ranked[:5]
    return Count(len(labels), top1, top5)


# --- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [30, 7])
def test_errors_are_those_counted_by_hand(folder, images, network, batch_size):
    by_hand = errors_by_hand(
        network, images.reshape(-1, 32, 32, 3), np.repeat(range(CLASSES), EACH)
    )
    found = module.counted(network, CIFAR, room.in_folder(folder), WHOLE, batch_size)
    assert found == by_hand
    assert 0 < found.top5 <= found.top1 <= 30


def test_folders_in_the_order_of_their_names_are_the_classes(tmp_path, images, network):
    """Other names, other labels: those of the permutation."""
    order = np.random.default_rng(1).permutation(CLASSES)
    permuted = write(tmp_path / "data", images, [str(label) for label in order])
    found = module.counted(network, CIFAR, room.in_folder(permuted), WHOLE)
    labels = np.repeat(order, EACH)
    assert found == errors_by_hand(network, images.reshape(-1, 32, 32, 3), labels)


@pytest.mark.parametrize(("shift", "expected"), [(0, 0), (1, 40)])
def test_the_network_s_own_labels_make_no_error(tmp_path, network, shift, expected):
    """And the next class' nothing else."""
    images = np.random.default_rng(2).integers(0, 256, (40, 32, 32, 3), "uint8")
    (inside,) = write(tmp_path, [images], ["all"]).iterdir()
    said = np.argmax(network.predict_on_batch(preprocess(images, CIFAR)), axis=1)
    labels = (said + shift) % CLASSES
    made = [room.Picture(inside / f"{i}.png", label, "") for i, label in enumerate(labels)]
    pictures = Pictures("made", CLASSES, len(made), made.__getitem__)
    assert module.counted(network, CIFAR, pictures, WHOLE).top1 == expected


def test_the_data_format_changes_no_error(folder, network):
    pictures = room.in_folder(folder)
    expected = module.counted(network, CIFAR, pictures, WHOLE)
    keras.config.set_image_data_format("channels_first")
    try:
        other = cifar.ResNet(8, width=4)
        other.set_weights(network.get_weights())
        assert other.input_shape == (None, 3, 32, 32)
        assert module.counted(other, CIFAR, pictures, WHOLE) == expected
    finally:
        keras.config.set_image_data_format("channels_last")


@given(st.data())
def test_top5_is_at_least_as_good_as_top1(data):
    classes, count = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 8))
    draw = np.random.default_rng(data.draw(st.integers(0, 1000)))
    scores, labels = draw.integers(0, 4, (count, classes)) / 4, draw.integers(0, classes, count)
    top1, top5 = module.mistakes(scores, labels)
    assert 0 <= top5 <= top1 <= count
    assert top1 == (scores.argmax(axis=1) != labels).sum()
    assert classes > 5 or top5 == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_errors(bad):
    scores = np.eye(10)
    scores[3, 7] = bad
    assert module.mistakes(scores, np.arange(10)).tolist() == [1, 1]


def test_five_classes_have_no_top5(images, network):
    picture = room.Picture(Path("unread"), 0, "none")
    few = Pictures("few", 5, 0, lambda number: picture)
    assert module.counted(network, CIFAR, few, WHOLE) == Count(0, 0, None)


@given(st.integers(1, 60_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_estimate_and_is_wilson_s(counted):
    wrong, total = counted
    low, high = module.interval(wrong, total)
    assert 0 <= low <= wrong / total + 1e-12
    assert wrong / total - 1e-12 <= high <= 1
    z, p = stats.norm.ppf(0.975), wrong / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(p * (1 - p) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-9)


# --- crops ----------------------------------------------------------------------------------------


def test_ten_crops_are_the_corners_and_the_middle_and_their_mirror_images():
    rows, columns = np.mgrid[:8, :8]
    square = np.stack([rows, columns, np.zeros_like(rows)], -1)[None].astype("uint8")
    crops = list(room.cut(square, View(4, 8, 10)))
    corners = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    assert [tuple(crop[0, 0, 0, :2]) for crop in crops[::2]] == corners
    for crop, mirrored in zip(crops[::2], crops[1::2], strict=True):
        assert crop.shape == (1, 4, 4, 3)
        np.testing.assert_array_equal(mirrored[0], np.fliplr(crop[0]))


def test_one_crop_is_the_middle_of_the_ten():
    squares = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 3), "uint8")
    (one,) = room.cut(squares, View(4, 9))
    np.testing.assert_array_equal(one, list(room.cut(squares, View(4, 9, 10)))[8])


@pytest.mark.parametrize("shape", [(40, 100), (100, 40), (64, 64)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_the_square_is_the_middle_of_the_resized_image(shape, mode):
    """A ramp along the longer side: its middle stays the middle, whatever the kind of image."""
    height, width = shape
    ramp = np.linspace(0, 255, max(shape)).astype("uint8")
    pixels = np.broadcast_to(ramp if width >= height else ramp[:, None], shape)
    image = Image.fromarray(pixels.copy()).convert("RGB").convert(mode)
    found = room.square(image, View(16, 20))
    assert found.shape == (20, 20, 3)
    assert found.dtype == np.uint8
    across = found[..., 0] if width >= height else found[..., 0].T
    assert across[:, 9:11].mean() == pytest.approx(127.5, abs=4)
    shown = 255 * min(shape) / max(shape)
    assert int(across[10, -1]) - int(across[10, 0]) == pytest.approx(shown * 0.95, abs=8)


def test_an_image_of_the_right_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    np.testing.assert_array_equal(room.square(Image.fromarray(pixels), WHOLE), pixels)


def small_network():
    """Sees 24x24 and tells 10 classes apart."""
    keras.utils.set_random_seed(1)
    return cifar.ResNet(8, width=4, input_shape=(24, 24, 3))


def test_ten_crops_of_constant_images_count_as_one(tmp_path):
    levels = np.linspace(0, 255, CLASSES).astype("uint8")
    images = np.broadcast_to(levels[:, None, None, None, None], (CLASSES, 1, 40, 50, 3))
    pictures = room.in_folder(write(tmp_path / "data", images))
    network = small_network()
    one, ten = (module.counted(network, CIFAR, pictures, View(24, 27, crops)) for crops in (1, 10))
    assert one == ten


class Certain:
    """A stand-in for a network, of random weights, that is sure of each crop."""

    def predict_on_batch(self, pixels):
        weights = np.random.default_rng(0).normal(size=(pixels[0].size, CLASSES))
        scores = np.exp(pixels.reshape(len(pixels), -1) @ weights / 20)
        return scores / scores.sum(axis=1, keepdims=True)


def test_the_probabilities_of_ten_crops_are_averaged(folder):
    """The labels are those that the averages say; the first crop alone says others."""
    pictures, view, network = room.in_folder(folder), View(24, 28, 10), Certain()
    made = [pictures.picture(number) for number in range(pictures.count)]
    squares = np.stack([room.read(picture, view) for picture in made])
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    crops = [squares[:, top : top + 24, left : left + 24] for top, left in places]
    both = [side for crop in crops for side in (crop, np.flip(crop, axis=2))]
    scores = np.array([network.predict_on_batch(preprocess(crop, CIFAR)) for crop in both])
    labels = scores.sum(axis=0).argmax(axis=1)
    assert (scores.argmax(axis=2) != labels).any(axis=1).all()
    made = [picture._replace(label=int(label)) for picture, label in zip(made, labels, strict=True)]
    known = Pictures("made", CLASSES, len(made), made.__getitem__)
    assert module.counted(network, CIFAR, known, view, 8).top1 == 0


def test_every_source_s_view_is_a_crop_of_what_it_resizes_to():
    for name in list_models():
        for source in pretrained.sources(name):
            contract = pretrained.entry(name, source).contract
            view = room.view_of(name, source, contract, 1)
            assert view.size == contract.size <= view.resize
            assert view.resize in {contract.resize, 32, round(contract.size / 0.875)}


def test_the_usual_views():
    contracts = [("resnet50", s) for s in ("keras", "torchvision")] + [("inception_v3", "keras")]
    views = [room.view_of(*c, pretrained.entry(*c).contract, 10) for c in contracts]
    assert [(view.size, view.resize) for view in views] == [(224, 256)] * 2 + [(299, 342)]
    assert str(views[0]) == "10 crops of 224 from 256, bilinear"
    assert room.view_of("resnet50", "timm", pretrained.entry("resnet50", "timm").contract, 1) == (
        View(224, 236, 1, "bicubic")
    )


# --- what is published ------------------------------------------------------------------------


def words(name, source, crops, standard=True):
    """What each published figure is called, by protocol."""
    view = room.view_of(name, source, pretrained.entry(name, source).contract, crops)
    pictures = Pictures("made", 1000, 4, lambda number: None, standard)
    figures = catalog.entry(name).errors
    table = command.table("title", view, pictures, Count(4, 2, 1), figures)
    shown, protocols = list(table.columns[0].cells)[1:], [f.protocol for f in figures]
    return dict(zip(protocols, shown, strict=True))


VAL = "ILSVRC-2012 validation"


@pytest.mark.parametrize(
    ("name", "source", "crops", "same"),
    [
        ("resnet50", "torchvision", 1, {f"1 crop of 224, {VAL}"}),
        ("resnet50", "torchvision", 10, {f"10 crops of 224, {VAL}"}),
        ("resnet50", "timm", 1, set()),  # from 236
        ("googlenet", "torchvision", 10, {f"10 crops, {VAL}"}),
        ("resnet18", "torchvision", 10, set()),  # another shortcut
        ("senet154", "cadene", 1, {f"1 crop of 224, {VAL}"}),  # and not that of 320
        ("inception_v3", "torchvision", 1, set()),  # not on all images
        ("cifar_resnet20", "cifar", 1, {"CIFAR-10 test, trained with crops and flips"}),
    ],
)
def test_only_the_same_protocol_is_called_published(name, source, crops, same):
    named = words(name, source, crops)
    assert named
    assert {protocol for protocol, word in named.items() if word == "published"} == same
    assert {w for p, w in named.items() if p not in same} <= {"published, measured otherwise"}
    assert "published" not in words(name, source, crops, standard=False).values()


def test_part_of_the_images_is_not_what_is_published(folder, monkeypatch):
    """A folder may be the published images only if it has as many."""
    assert not room.in_folder(folder).standard
    monkeypatch.setattr(room, "PUBLISHED_COUNTS", (30,))
    pictures = room.in_folder(folder)
    part = room.limited(pictures, 11)
    assert (pictures.standard, part.standard, part.count) == (True, False, 11)
    assert {part.picture(number).label for number in range(10)} == set(range(10))
    assert room.limited(pictures, 30) is pictures


# --- the command ----------------------------------------------------------------------------------

ASKED = ("cifar_resnet20", "--source", "cifar", "--backend", BACKEND)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random ones."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    pretrained.save(pretrained.build("cifar_resnet20", "cifar"), path)
    return path


def test_it_prints_the_counts_with_their_intervals_over_the_published(folder, weights):
    network = pretrained.load("cifar_resnet20", "cifar", weights)
    count = module.counted(network, CIFAR, room.in_folder(folder), WHOLE)
    told = run(*ASKED, "--data", folder, "--weights", weights).output
    assert "cifar_resnet20, weights of cifar" in told
    for wrong in count[1:]:
        low, high = stats.binomtest(wrong, 30).proportion_ci(method="wilson")
        assert f"{100 * wrong / 30:.2f} ({100 * low:.2f} to {100 * high:.2f})" in told
    assert "8.75" in told
    assert re.search(r"published, measured otherwise +│ CIFAR-10 test, trained with crops", told)


def test_names_with_brackets_are_no_markup(tmp_path, images, weights):
    data = write(tmp_path / "[red]data", images)
    told = run(*ASKED, "--data", data, "--weights", weights).output
    assert "[red]data" in "".join(told.split())


def test_help_says_what_is_needed():
    told = " ".join(run("--help").output.split())
    for word in ("MODEL", "--source", "--data", "--crops", "TFDS_DATA_DIR", "imagenet/val"):
        assert word in told


def test_an_unknown_model_is_refused_with_the_closest(folder):
    told = refused("resnet51", "--source", "keras", "--data", folder, "--backend", BACKEND)
    assert "no network is named 'resnet51'" in told
    assert "resnet50" in told


@pytest.mark.parametrize(
    ("model", "source", "right"),
    [
        ("resnet50", "kears", "--source keras or torchvision or timm"),
        ("resnet50", "imagenet", "--source keras"),
        ("resnet50", "cifar", "--source keras"),
        ("plain18", "keras", "no source has any"),
    ],
)
def test_an_unknown_source_is_refused_with_the_right_ones(folder, model, source, right):
    told = refused(model, "--source", source, "--data", folder, "--backend", BACKEND)
    assert f"{source!r} has no weights of {model!r}" in told
    assert right in told


def test_ten_crops_of_whole_images_are_refused(folder):
    assert "sees images whole" in refused(*ASKED, "--data", folder, "--crops", 10)


def test_another_number_of_classes_is_refused(tmp_path, images):
    data = write(tmp_path / "data", images[:9])
    told = refused(*ASKED, "--data", data)
    assert f"{data} has 9 classes, and cifar_resnet20 tells 10 apart" in told


def test_a_folder_without_class_folders_is_refused(tmp_path):
    (tmp_path / "loose.png").touch()
    assert "has 0 classes" in refused(*ASKED, "--data", tmp_path)


def test_an_empty_class_folder_is_refused_by_name(folder):
    for path in (folder / "4").iterdir():
        path.rename(path.with_name(f".{path.name}"))  # what is hidden is no image
    assert f"class folder {str(folder / '4')!r} is empty" in refused(*ASKED, "--data", folder)


@pytest.mark.parametrize("damage", ["text", "truncated", "empty"])
def test_an_unreadable_image_is_refused_by_name(folder, weights, damage):
    path = folder / "7" / "1.png"
    whole = path.read_bytes()
    path.write_bytes({"text": b"no image", "truncated": whole[:900], "empty": b""}[damage])
    told = refused(*ASKED, "--data", folder, "--weights", weights)
    assert f"{str(path)!r} cannot be read as an image" in told


@pytest.mark.parametrize("name", ["nosuchdata", "mnist", "./no/folder"])
def test_data_that_are_nowhere_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    told = refused(*ASKED, "--data", name)
    assert f"no folder {name!r}" in told
    assert f"TFDS_DATA_DIR ({tmp_path})" in told


def test_weights_that_do_not_fit_are_refused(folder, tmp_path):
    path = tmp_path / "other.keras"
    cifar.ResNet(8, width=4).save(path)
    assert "does not fit" in refused(*ASKED, "--data", folder, "--weights", path)


def test_weights_that_are_not_there_are_refused(folder):
    with pytest.raises(click.UsageError, match=r"does not exist"):
        run(*ASKED, "--data", folder, "--weights", folder / "nowhere.th")


# --- real images ----------------------------------------------------------------------------------


def test_labels_hidden_in_the_test_split_leave_the_validation_split(monkeypatch):
    """As ImageNet has them in TensorFlow Datasets, of which this is a stand-in."""
    import tensorflow_datasets as tfds

    class Info:
        splits = ("train", "validation", "test")
        features = {"label": tfds.features.ClassLabel(num_classes=1000)}

    class Builder:
        info = Info()

        def as_data_source(self, split, decoders):
            return [{"image": b"", "label": -1 if split == "test" else 3}] * 5

    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Builder())
    pictures = room.pictures_of("imagenet2012")
    assert pictures.name == "imagenet2012/validation"
    assert (pictures.classes, pictures.count, pictures.standard) == (1000, 5, True)
    assert pictures.picture(2).label == 3


def test_cifar10_is_read_as_it_is(cifar10):
    pictures = room.pictures_of("cifar10")
    assert (pictures.name, pictures.classes, pictures.count) == ("cifar10/test", 10, 10_000)
    assert pictures.standard != ("JPEG" in pictures.note)
    for number in (0, 17, 9_999):
        picture = pictures.picture(number)
        np.testing.assert_array_equal(room.read(picture, WHOLE), cifar10.test_images[number])
        assert picture.label == cifar10.test_labels[number]


@pytest.mark.parametrize("file", ["resnet20-12fca82f.th", "resnet56-4bfd9763.th"])
def test_trained_weights_err_as_often_as_predictions_say(file, cifar10):
    """Their errors on all images are counted in test_checkpoints.py."""
    if "CIFAR_CHECKPOINTS" not in os.environ:
        missing("CIFAR_CHECKPOINTS is not set: no trained weights here")
    path, name = Path(os.environ["CIFAR_CHECKPOINTS"], file), f"cifar_{file.split('-')[0]}"
    images, labels = cifar10.test_images[:500], cifar10.test_labels[:500]
    network = pretrained.load(name, "cifar", path)
    said = network.predict(preprocess(images, network), verbose=0, batch_size=100)
    wrong = int((said.argmax(axis=1) != labels).sum())
    asked = (name, "--source", "cifar", "--weights", path, "--backend", BACKEND)
    told = run(*asked, "--data", "cifar10", "--limit", 500, "--batch-size", 100).output
    assert f"{wrong / 5:.2f} (" in told
    assert "500 images of the 10,000 of cifar10/test" in told
    assert "published, measured otherwise" in told
    assert 0 < wrong < 120  # of a copy of JPEG files; on all images 1,897 and 1,680
