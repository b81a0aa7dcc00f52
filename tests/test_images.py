"""Folders of images, as they come."""

import logging
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from keras_ilsvrc import images, pretrained

RED = (250, 10, 20)


def gradient(height=20, width=30):
    """Colours that tell where a pixel was."""
    i, j = np.mgrid[:height, :width]
    return np.stack([255 * i // height, 255 * j // width, 0 * i], -1).astype("uint8")


@pytest.fixture
def folder(tmp_path):
    """Two classes, three and two images, one of them in a folder of its own."""
    for name, count in (("cats", 3), ("dogs", 2)):
        for i in range(count):
            place = tmp_path / name / ("more" if i == 2 else "")
            place.mkdir(parents=True, exist_ok=True)
            colour = (200, 50 * i, 0) if name == "cats" else (0, 50 * i, 200)
            Image.new("RGB", (30 + i, 24), colour).save(place / f"{i}.png")
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    return tmp_path


# --- one file --------------------------------------------------------------------------------


def saved(tmp_path, name, image, **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


KINDS = {
    "grey.png": lambda: (Image.new("L", (3, 2), 77), (77, 77, 77)),
    "bits.png": lambda: (Image.new("1", (3, 2), 1), (255, 255, 255)),
    "palette.gif": lambda: (Image.new("RGB", (3, 2), RED).quantize(4), RED),
    "palette.png": lambda: (Image.new("RGB", (3, 2), RED).quantize(4), RED),
    "alpha.png": lambda: (Image.new("RGBA", (3, 2), (*RED, 0)), (255, 255, 255)),
    "half.png": lambda: (Image.new("RGBA", (3, 2), (0, 0, 0, 128)), (127, 127, 127)),
    "grey-alpha.png": lambda: (Image.new("LA", (3, 2), (9, 255)), (9, 9, 9)),
    "16.png": lambda: (Image.fromarray(np.full((2, 3), 257 * 80, "uint16")), (80, 80, 80)),
    "16.tif": lambda: (Image.fromarray(np.full((2, 3), 65535, "uint16")), (255, 255, 255)),
    "plain.bmp": lambda: (Image.new("RGB", (3, 2), RED), RED),
    "cmyk.tif": lambda: (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), (255, 0, 0)),
    "cmyk.jpg": lambda: (Image.new("CMYK", (32, 16), (0, 255, 255, 0)), (255, 0, 0)),
    "grey.jpeg": lambda: (Image.new("L", (32, 16), 77), (77, 77, 77)),
    "CAPITALS.PNG": lambda: (Image.new("RGB", (3, 2), RED), RED),
}


@pytest.mark.parametrize("name", KINDS)
def test_all_kinds_become_eight_bits_of_rgb(name, tmp_path):
    image, colour = KINDS[name]()
    pixels = images.read(saved(tmp_path, name, image))
    assert pixels.dtype == "uint8"
    assert pixels.shape == (*image.size[::-1], 3)
    assert np.abs(pixels.astype(int) - colour).max() <= 3


@pytest.mark.parametrize(("turn", "back"), [
    (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90),
    (2, lambda a: a[:, ::-1]), (1, lambda a: a),
])  # fmt: skip
def test_a_turned_camera_s_picture_stands_upright(turn, back, tmp_path):
    image = Image.fromarray(gradient())
    exif = image.getexif()
    exif[0x0112] = turn
    path = saved(tmp_path, "turned.png", image, exif=exif)
    assert np.array_equal(images.read(path), back(gradient()))


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    pictures = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 0))]
    path = saved(tmp_path, "a.gif", pictures[0], save_all=True, append_images=pictures[1:])
    assert np.abs(images.read(path)[0, 0].astype(int) - RED).max() <= 3


def broken(tmp_path):
    whole = saved(tmp_path, "whole.jpg", Image.fromarray(gradient(64, 64)))
    content = whole.read_bytes()
    whole.unlink()
    damaged = bytearray(saved(tmp_path, "x.png", Image.fromarray(gradient())).read_bytes())
    (tmp_path / "x.png").unlink()
    damaged[60:70] = b"\0" * 10
    return {
        "empty": (b"", "it is empty"),
        "cut": (content[: len(content) // 2], "(?i:truncated|broken)"),
        "text": (b"<html>404</html>", "it is no image"),
        "damaged": (bytes(damaged), "broken|bad|decod|error|checksum|corrupt"),
    }


@pytest.mark.parametrize("why", ["empty", "cut", "text", "damaged"])
def test_a_damaged_file_is_named_in_a_sentence(why, tmp_path):
    content, says = broken(tmp_path)[why]
    path = tmp_path / "broken image.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)'.*broken image\.jpg' cannot be read: .*({says})"):
        images.read(path)


def test_a_huge_image_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    path = saved(tmp_path, "huge.png", Image.new("1", (400, 300)))
    monkeypatch.setattr(images, "MOST_PIXELS", 400 * 300 - 1)
    with pytest.raises(ValueError, match=r"huge\.png' cannot be read: 400 x 300 pixels are too m"):
        images.read(path)


def test_without_pillow_the_error_names_the_extra():
    code = "import sys; sys.modules['PIL'] = None; from keras_ilsvrc import images\n"
    code += "try: images.ImageFolder('.')\nexcept ImportError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("pip install 'keras_ilsvrc[images]'."), done.stderr


# --- crops -----------------------------------------------------------------------------------


def test_the_middle_is_cropped_after_the_shorter_side_is_resized():
    found = images.center_crop(gradient(40, 60), 20, 20)
    assert found.shape == (20, 20, 3)
    assert abs(found[10, 10, 1] / 255 - 0.5) < 0.03
    assert abs(found[:, 0, 1].mean() / 255 - 1 / 6) < 0.03
    assert np.array_equal(images.center_crop(gradient(40, 60), 40, 40), gradient(40, 60)[:, 10:50])
    assert images.center_crop(gradient(1, 300), 8).shape == (8, 8, 3)


def test_ten_crops_are_corners_middle_and_mirrored():
    whole = gradient(40, 60)
    found = images.ten_crops(whole, 30, 40)
    assert found.shape == (10, 30, 30, 3)
    assert np.array_equal(found[0], whole[:30, :30])
    assert np.array_equal(found[3], whole[10:, 30:])
    assert np.array_equal(found[4], whole[5:35, 15:45])
    assert np.array_equal(found[5:], found[:5, :, ::-1])


@pytest.mark.parametrize("crop", ["scale", "area"])
def test_random_crops_vary_in_place_and_are_mirrored_half_the_time(crop):
    whole = gradient(60, 80)
    if crop == "scale":
        one = lambda draw: images.scale_jitter(whole, 28, draw, (256 / 224, 480 / 224))
    else:
        one = lambda draw: images.area_crop(whole, 28, draw)
    found = np.stack([one(np.random.default_rng(i)) for i in range(60)]).astype(int)
    assert found.shape == (60, 28, 28, 3)
    turned = (found[:, :, -1, 1] < found[:, :, 0, 1]).all(1)
    assert 15 < turned.sum() < 45
    heights = found[:, -1, 0, 0] - found[:, 0, 0, 0]
    assert heights.std() > 5
    assert found[:, 0, 0, 0].std() > 5


def test_lighting_shifts_colours_along_imagenet_s_components():
    pixels = np.full((2, 2, 3), 128, "uint8")
    shifts = np.stack([images.lighting(pixels, 0.1, np.random.default_rng(i))[0, 0] - 128
                       for i in range(400)])  # fmt: skip
    wanted = 255**2 * images.COLOURS @ np.diag((0.1 * images.LIGHT) ** 2) @ images.COLOURS.T
    assert np.allclose(np.cov(shifts.T), wanted, atol=0.25 * np.abs(wanted).max())
    assert np.allclose(images.COLOURS.T @ images.COLOURS, np.eye(3), atol=1e-3)


# --- folders ---------------------------------------------------------------------------------


def test_batches_have_the_classes_of_their_folders(folder):
    data = images.ImageFolder(folder, size=16, batch_size=2)
    assert data.class_names == ["cats", "dogs"]
    assert len(data) == 3
    batches = [data[i] for i in range(3)]
    assert [y.tolist() for _, y in batches] == [[0, 0], [0, 1], [1]]
    x = np.concatenate([x for x, _ in batches])
    assert x.dtype == "float32"
    assert x.shape == (5, 16, 16, 3)
    assert x[:, 8, 8].tolist() == [[200, 0, 0], [200, 50, 0], [200, 100, 0], [0, 0, 200],
                                   [0, 50, 200]]  # fmt: skip
    assert images.ImageFolder(folder, labels="categorical")[0][1].tolist()[3] == [0, 1]
    assert len(images.ImageFolder(folder, labels=None, size=8)[0]) == 1


def test_pixels_are_scaled_as_the_model_wants_them(folder):
    entry = pretrained.entry("resnet50", "keras")
    raw, _ = images.ImageFolder(folder)[0]
    scaled, _ = images.ImageFolder(folder, entry)[0]
    assert raw.shape == (5, 224, 224, 3)
    assert np.array_equal(scaled, pretrained.preprocess(raw, entry))
    base = pretrained.build("cifar_resnet20", "cifar", include_top=False, pooling="avg")
    model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.Dense(2)])
    data = images.ImageFolder(folder, model)
    assert data[0][0].shape == (5, 32, 32, 3)
    assert np.abs(data[0][0]).max() < 3


def test_channels_may_come_first(folder):
    last, _ = images.ImageFolder(folder, pretrained.entry("vgg16", "keras"), size=16)[0]
    keras.config.set_image_data_format("channels_first")
    try:
        first, _ = images.ImageFolder(folder, pretrained.entry("vgg16", "keras"), size=16)[0]
    finally:
        keras.config.set_image_data_format("channels_last")
    assert np.array_equal(np.moveaxis(first, 1, 3), last)


def epochs(folder, number=2, **options):
    options = {"size": 16, "batch_size": 2, "augment": "area", "lighting": 0.1, **options}
    data, found = images.ImageFolder(folder, **options), []
    for _ in range(number):
        found.append([data[i] for i in range(len(data))])
        data.on_epoch_end()
    return found


def test_what_is_drawn_depends_on_seed_epoch_and_image_alone(folder):
    first = epochs(folder)
    other = epochs(folder, threads=1, batch_size=5)
    for a, b in zip(first, other, strict=True):
        for i in (0, 1):
            assert np.array_equal(np.concatenate([x[i] for x in a]),
                                  np.concatenate([x[i] for x in b]))  # fmt: skip
    orders = [np.concatenate([y for _, y in epoch]).tolist() for epoch in epochs(folder, 8)]
    assert len({tuple(order) for order in orders}) > 2
    assert not np.array_equal(first[0][0][0], first[1][0][0])
    assert not np.array_equal(first[0][0][0], epochs(folder, seed=1)[0][0][0])
    assert images.ImageFolder(folder, augment="scale", size=8)[0][0].shape == (5, 8, 8, 3)


def test_a_model_trains_on_a_folder_and_epochs_are_counted(folder):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, "softmax"),
    ])  # fmt: skip
    model.compile(
        keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    data = images.ImageFolder(folder, pretrained.entry("cifar_resnet20", "cifar"), size=16,
                              batch_size=5, augment="scale")  # fmt: skip
    model.fit(data, epochs=20, shuffle=False, verbose=0)
    assert data.epoch >= 20  # Keras may count one more
    assert model.evaluate(data, verbose=0)[1] == 1.0


def test_damaged_images_are_named_or_skipped(folder, caplog):
    (folder / "cats" / "0.png").write_bytes(b"junk")
    data = images.ImageFolder(folder, size=8)
    with pytest.raises(ValueError, match=r"0\.png' cannot be read: it is no image"):
        data[0]
    with caplog.at_level(logging.WARNING, "keras_ilsvrc"):
        data = images.ImageFolder(folder, size=8, skip_damaged=True)
    assert "0.png' cannot be read" in caplog.text
    assert data[0][1].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"folder": "none"}, "there is no folder"),
        ({"folder": "cats"}, "its 'more' has|has a folder of images"),
        ({"batch_size": 0}, "batch_size is a positive whole number"),
        ({"size": 2.5}, "size is a positive whole number"),
        ({"augment": "mixup"}, "augment is 'scale', 'area' or None"),
        ({"labels": "binary"}, "labels is 'int', 'categorical' or None"),
        ({"lighting": 0.1}, "it needs augment"),
    ],
)
def test_wrong_arguments_are_told(options, says, folder):
    if options.get("folder") == "cats":
        (folder / "cats" / "more" / "2.png").unlink()
    place = folder / options.pop("folder", "") if "folder" in options else folder
    with pytest.raises(ValueError, match=says):
        images.ImageFolder(place, **options)
