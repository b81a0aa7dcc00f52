"""Order and augmentation: pure functions of (seed, epoch)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reproductions.data.transforms import augmented, cropped, flipped, order, shrunk, standardised
from reproductions.experiments.recipes import RECIPES
from reproductions.experiments.seeds import generator, word

seeds = st.integers(0, 2000)
epochs = st.integers(0, 200)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), "uint8")


@given(st.integers(1, 300), seeds, epochs)
def test_order_visits_every_image_once(n, seed, epoch):
    assert sorted(order(n, seed, epoch)) == list(range(n))


@given(seeds, epochs)
def test_order_is_a_pure_function_that_changes_with_seed_and_epoch(seed, epoch):
    here = order(200, seed, epoch).tolist()
    assert here == order(200, seed, epoch).tolist()
    assert here != order(200, seed + 1, epoch).tolist()
    assert here != order(200, seed, epoch + 1).tolist()


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_flipping_mirrors_the_chosen_images(chosen):
    expected = [
        image[:, ::-1] if flip else image for image, flip in zip(IMAGES, chosen, strict=True)
    ]
    assert (flipped(IMAGES, np.array(chosen)) == expected).all()


@given(st.integers(1, 4), st.data())
def test_cropping_cuts_each_image_from_its_frame(pad, data):
    corners = st.lists(st.integers(0, 2 * pad), min_size=12, max_size=12)
    top, left = data.draw(corners), data.draw(corners)
    framed = [np.pad(image, ((pad, pad), (pad, pad), (0, 0))) for image in IMAGES]
    expected = [f[t : t + 8, x : x + 8] for f, t, x in zip(framed, top, left, strict=True)]
    assert (cropped(IMAGES, pad, np.array(top), np.array(left)) == expected).all()


@given(seeds, epochs, st.sampled_from(sorted(RECIPES)))
def test_augmentation_is_a_pure_function_and_leaves_its_argument(seed, epoch, recipe):
    before = IMAGES.copy()
    first = augmented(IMAGES, RECIPES[recipe], seed, epoch)
    assert (first == augmented(IMAGES, RECIPES[recipe], seed, epoch)).all()
    assert np.array_equal(IMAGES, before)
    assert first.dtype == np.uint8


def test_augmentation_flips_half_and_crops_everywhere():
    marked = np.zeros((4000, 9, 9, 3), "uint8")
    marked[:, 4, 0] = 255
    short = augmented(marked, RECIPES["short"], 0, 0)
    assert abs((short[:, 4, 8, 0] == 255).mean() - 0.5) < 0.05
    night = augmented(marked, RECIPES["night"], 0, 0)
    rows = {int(i) for i in np.nonzero(night[..., 0])[1]}
    assert rows == set(range(9))


@given(st.sampled_from((1, 2, 4)))
def test_shrinking_takes_rounded_means_of_squares(k):
    squares = IMAGES.reshape(12, 8 // k, k, 8 // k, k, 3).astype(float).mean((2, 4))
    assert (shrunk(IMAGES, 8 // k) == np.floor(squares + 0.5)).all()


def test_standardised_images_have_imagenet_s_scale():
    white = standardised(np.full((1, 1, 1, 3), 255, "uint8"))[0, 0, 0]
    assert np.allclose(white, (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225])
    assert white.dtype == np.float32


@given(st.text(max_size=20))
def test_words_do_not_depend_on_the_process(text):
    import hashlib

    assert word(text) == int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def test_roles_and_keys_have_streams_of_their_own():
    draws = {
        generator(seed, role, *key).integers(2**63)
        for seed in (0, 1)
        for role in ("weights", "order", "flip", "crop")
        for key in ((0,), (1,), ("0",), (0, 0))
    }
    assert len(draws) == 2 * 4 * 4
