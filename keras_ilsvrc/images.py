"""Images of a folder, as batches that `fit`, `evaluate` and `predict` take, on every backend.

Files are read by Pillow (`pip install 'keras_ilsvrc[images]'`), several at once. What is drawn at
random is a function of the seed, the epoch and the image's number alone.

Augmentations are the papers': A. Krizhevsky et al. (2012), section 4.1 (lighting); K. Simonyan,
A. Zisserman, arXiv:1409.1556, section 3.1 (scale jitter); C. Szegedy et al., arXiv:1409.4842,
section 6 (area and aspect).
"""

import logging
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from .assembly import among
from .pretrained import preprocess
from .pretrained.dialect import Contract, Dialect
from .pretrained.forms import contract_of

log = logging.getLogger("keras_ilsvrc")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Beyond it a file is a fault or an attack: 2 ** 28 pixels are 805 MB.
MOST_PIXELS = 2**28
Augmentation = Literal[None, "scale", "area"]
Labels = Literal["int", "categorical", None]

# Krizhevsky et al., section 4.1: the principal components of ImageNet's RGB values in [0, 1], as
# the Torch implementation of residual networks published them.
LIGHT = np.array([0.2175, 0.0188, 0.0045])
COLOURS = np.array([
    [-0.5675, 0.7192, 0.4009],
    [-0.5808, -0.0045, -0.8140],
    [-0.5836, -0.6948, 0.4203],
])  # fmt: skip


# --- one file --------------------------------------------------------------------------------


def pillow() -> Any:
    """Pillow's module of images.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "reading images needs Pillow: pip install 'keras_ilsvrc[images]'."
        ) from None
    return Image


def read(path: str | PathLike[str]) -> np.ndarray:
    """The image of a file, as a viewer shows it.

    Args:
        path: of a JPEG, PNG, GIF, WebP, BMP or TIFF file: grey, palette, CMYK and 16 bits become
            8 bits of RGB; what is transparent becomes white; a picture that EXIF says is turned is
            turned; of an animation the first picture is taken.

    Returns:
        uint8, (height, width, 3).

    Raises:
        ValueError: the file is no such image, is damaged or cut short, or is of more than 2**28
            pixels; the message names it.
        OSError: it cannot be opened.
    """
    from PIL import ImageOps

    pil, place = pillow(), Path(path)
    with place.open("rb") as file:
        try:
            with pil.open(file) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels are too many")
                image.load()
                return in_colour(ImageOps.exif_transpose(image))
        except Exception as error:  # Pillow's plugins raise whatever their format's bytes cause
            reason = str(error) or type(error).__name__
            if isinstance(error, pil.UnidentifiedImageError):
                reason = "it is empty" if not place.stat().st_size else "it is no image"
            raise ValueError(f"the image {str(place)!r} cannot be read: {reason}.") from error


def in_colour(image: Any) -> np.ndarray:
    """8 bits of RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, "float64")
        if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"its values ({image.mode!r}) are of unknown range")
        return np.repeat((grey / 257 + 0.5).astype("uint8")[..., None], 3, 2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = pillow().new("RGBA", image.size, "white")
        image = pillow().alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """To another size, by Pillow's antialiased bilinear filter."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = pillow().fromarray(pixels)
    return np.array(image.resize((width, height), pillow().Resampling.BILINEAR))


def with_shorter_side(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resized so that the shorter side has `side` pixels, the longer one rounded down."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    return resized(pixels, max(side, height * side // short), max(side, width * side // short))


# --- crops and augmentations -----------------------------------------------------------------


def center_crop(pixels: np.ndarray, size: int, resize: int | None = None) -> np.ndarray:
    """The middle, after the shorter side has been resized.

    Args:
        pixels: uint8, (height, width, 3).
        size: of the crop; height and width.
        resize: the shorter side before; None: `size` * 256 / 224, rounded.

    Returns:
        uint8, (size, size, 3).
    """
    whole = with_shorter_side(pixels, max(size, resize or round(size * 256 / 224)))
    top, left = ((n - size) // 2 for n in whole.shape[:2])
    return whole[top : top + size, left : left + size]


def ten_crops(pixels: np.ndarray, size: int, resize: int | None = None) -> np.ndarray:
    """Four corners and the middle, and these mirrored (Krizhevsky et al., section 4.1).

    Args:
        pixels, size, resize: as for `center_crop`.

    Returns:
        uint8, (10, size, size, 3): the predictions of a network are averaged over the first axis.
    """
    whole = with_shorter_side(pixels, max(size, resize or round(size * 256 / 224)))
    down, right = (n - size for n in whole.shape[:2])
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    crops = np.stack([whole[top : top + size, left : left + size] for top, left in places])
    return np.concatenate([crops, crops[:, :, ::-1]])


def scale_jitter(
    pixels: np.ndarray, size: int, draw: np.random.Generator, sides: tuple[float, float]
) -> np.ndarray:
    """A random crop of the image, its shorter side random between `sides` (in units of `size`)."""
    low, high = (round(size * side) for side in sides)
    whole = with_shorter_side(pixels, int(draw.integers(low, high + 1)))
    top, left = (int(draw.integers(n - size + 1)) for n in whole.shape[:2])
    return mirrored(whole[top : top + size, left : left + size], draw)


def area_crop(pixels: np.ndarray, size: int, draw: np.random.Generator) -> np.ndarray:
    """8 to 100 % of the image, sides 3:4 to 4:3, resized; after ten misfits, the middle."""
    height, width = pixels.shape[:2]
    for _ in range(10):
        area = draw.uniform(0.08, 1) * height * width
        ratio = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            top, left = int(draw.integers(height - h + 1)), int(draw.integers(width - w + 1))
            part = pixels[top : top + h, left : left + w]
            return mirrored(resized(part, size, size), draw)
    return mirrored(center_crop(pixels, size, size), draw)


def mirrored(pixels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Left and right exchanged, of every other image."""
    return pixels[:, ::-1] if draw.random() < 0.5 else pixels


def lighting(pixels: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
    """Random multiples of the principal components of ImageNet's colours are added.

    Args:
        pixels: of [0, 255], (height, width, 3).
        strength: standard deviation of the multiples; Krizhevsky et al.: 0.1.
        draw: of the random numbers.

    Returns:
        float32, in [0, 255].
    """
    shift = 255 * COLOURS @ (draw.normal(0, strength, 3) * LIGHT)
    lit: np.ndarray = np.clip(pixels + shift, 0, 255).astype("float32")
    return lit


# --- a folder --------------------------------------------------------------------------------


class ImageFolder(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of a folder that has a folder of images for each class.

        train = ImageFolder("flowers/train", of=model, augment="area")
        model.fit(train, validation_data=ImageFolder("flowers/test", of=model), shuffle=False)

    Args:
        folder: with a folder for each class, whose images may lie in further folders; class
            numbers are in the order of names. With `labels` None, images may lie in it directly.
        of: whose images they shall be: a model as `pretrained.load` gave it, or a larger one around
            it, or `pretrained.entry(name, source)`; pixels are scaled for it. None: pixels stay in
            [0, 255], as float32, for a model that scales them itself.
        size: height and width; None: those of `of`, else 224.
        resize: the shorter side before the crop in the middle, without augmentation; None: that of
            `of`, else `size` * 256 / 224.
        batch_size: images a batch; the last one may have fewer.
        augment: None: the crop in the middle; "scale": a random crop of the image at random scale,
            mirrored or not (VGG, ResNet: shorter side `size` * 256 / 224 to 480 / 224); "area": a
            part of random area and sides, mirrored or not (GoogLeNet and later).
        lighting: with an augmentation, standard deviation of the shift of colours; the papers' 0.1.
        labels: "int", "categorical" (one of 0 and 1 a class), or None: batches of images alone.
        shuffle: whether the order is another one in each epoch; None: with an augmentation. Call
            `fit` with shuffle=False, else Keras shuffles the batches again, out of reach of `seed`.
        seed: of order and augmentation.
        threads: files that are read at once.
        skip_damaged: whether to read all files at first, and go on without those that cannot be
            read, each logged as a warning (logger "keras_ilsvrc"). Otherwise the first one raises
            ValueError in its turn.

    Attributes:
        paths: of the images.
        classes: their classes' numbers; all 0 without labels.
        class_names: of the classes.
        epoch: the number of the epoch, from 0; Keras counts it on after each, at times once more.

    Raises:
        ValueError: there is no such folder, class or image, or an argument is wrong.
        ImportError: Pillow is not installed.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        of: keras.Model | Dialect | Contract | None = None,
        *,
        size: int | None = None,
        resize: int | None = None,
        batch_size: int = 32,
        augment: Augmentation = None,
        lighting: float = 0.0,
        labels: Labels = "int",
        shuffle: bool | None = None,
        seed: int = 0,
        threads: int = 4,
        skip_damaged: bool = False,
    ) -> None:
        super().__init__()
        pillow()
        among("augment", augment, ("scale", "area", None))
        among("labels", labels, ("int", "categorical", None))
        for name, value in (("size", size), ("resize", resize), ("batch_size", batch_size),
                            ("threads", threads)):  # fmt: skip
            check_positive(name, value, optional=name in ("size", "resize"))
        if lighting and augment is None:
            raise ValueError("lighting is an augmentation: it needs augment='scale' or 'area'.")
        self.contract = None if of is None else contract_of(of)
        self.size = int(size or (self.contract.size if self.contract else 224))
        own = self.contract.resize if self.contract and self.size == self.contract.size else None
        self.resize = resize or own or round(self.size * 256 / 224)
        self.batch_size, self.threads, self.seed = int(batch_size), int(threads), int(seed)
        self.augment, self.lighting, self.labels = augment, float(lighting), labels
        self.shuffle = augment is not None if shuffle is None else bool(shuffle)
        self.epoch = 0
        self.paths, self.classes, self.class_names = found(Path(folder), labels is not None)
        if skip_damaged:
            self.drop_damaged()

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self.paths) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        """A batch: images, float32 of (batch, size, size, 3) or channels first, and labels."""
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} batches, and no number {index}.")
        chosen = self.order()[index * self.batch_size : (index + 1) * self.batch_size]
        with ThreadPoolExecutor(self.threads) as pool:
            images = np.stack([*pool.map(self.image, chosen)])
        if keras.config.image_data_format() == "channels_first":
            images = np.moveaxis(images, 3, 1)
        if self.contract is not None:
            images = preprocess(images, self.contract)
        if self.labels is None:
            return (images,)
        classes = self.classes[chosen]
        if self.labels == "int":
            return images, classes
        return images, np.eye(len(self.class_names), dtype="float32")[classes]

    def on_epoch_end(self) -> None:
        """Begin the next epoch."""
        self.epoch += 1

    def order(self) -> np.ndarray:
        """The numbers of the images, in this epoch's order."""
        if not self.shuffle:
            return np.arange(len(self.paths))
        return np.random.default_rng([self.seed, self.epoch]).permutation(len(self.paths))

    def image(self, number: int) -> np.ndarray:
        """An image as this epoch has it: float32 pixels, (size, size, 3)."""
        pixels = read(self.paths[number])
        draw = np.random.default_rng([self.seed, self.epoch, int(number)])
        if self.augment is None:
            return center_crop(pixels, self.size, self.resize).astype("float32")
        if self.augment == "scale":
            cropped = scale_jitter(pixels, self.size, draw, (256 / 224, 480 / 224))
        else:
            cropped = area_crop(pixels, self.size, draw)
        if not self.lighting:
            return cropped.astype("float32")
        return lighting(cropped, self.lighting, draw)

    def drop_damaged(self) -> None:
        """Read all, and keep those that can be read."""
        with ThreadPoolExecutor(self.threads) as pool:
            faults = [*pool.map(fault, self.paths)]
        for said in filter(None, faults):
            log.warning("%s", said)
        whole = np.array([said is None for said in faults])
        if not whole.any():
            raise ValueError(f"none of the {len(self.paths)} images can be read: {faults[0]}")
        self.paths = [path for path, keep in zip(self.paths, whole, strict=True) if keep]
        self.classes = self.classes[whole]


def check_positive(name: str, value: Any, optional: bool = False) -> None:
    right = isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
    if not right and not (optional and value is None):
        raise ValueError(f"{name} is a positive whole number, not {value!r}.")


def fault(path: Path) -> str | None:
    """Why a file cannot be read, or None."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        return str(error)
    return None


def found(folder: Path, labelled: bool) -> tuple[list[Path], np.ndarray, list[str]]:
    """The images of a folder, their classes' numbers, and the classes' names."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(folder)!r}.")
    if not labelled:
        paths = images_in(folder)
        if not paths:
            raise ValueError(f"the folder {str(folder)!r} has no images ({', '.join(SUFFIXES)}).")
        return paths, np.zeros(len(paths), "int32"), []
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    by_class = {name: images_in(folder / name) for name in names}
    empty = [name for name, paths in by_class.items() if not paths]
    if not names or empty:
        what = f"its {empty[0]!r} has none" if empty else "it has no folders"
        raise ValueError(
            f"the folder {str(folder)!r} has a folder of images ({', '.join(SUFFIXES)}) for each "
            f"class, and {what}."
        )
    numbers = np.repeat(np.arange(len(names)), [*map(len, by_class.values())]).astype("int32")
    return [path for paths in by_class.values() for path in paths], numbers, names


def images_in(folder: Path) -> list[Path]:
    """Its images and those of folders in it, in the order of their paths."""
    found: Sequence[Path] = sorted(folder.rglob("*"))
    return [p for p in found if p.suffix.lower() in SUFFIXES and p.is_file()]
