"""Laws of the vocabulary, on symbolic tensors."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ilsvrc.blocks import (
    branches,
    chain,
    channels,
    conv,
    dense,
    gate,
    global_pool,
    identity,
    max_pool,
    norm,
    pad_channels,
    relu,
    residual,
    scope,
    under,
)

sizes = st.integers(1, 40)
depths = st.integers(1, 9)
strides = st.integers(1, 4)
odd_kernels = st.sampled_from((1, 3, 5, 7, 11))


def image(height, width, depth):
    return keras.Input((height, width, depth))


def leaves():
    """Blocks of one layer that keep or change the shape."""
    return st.sampled_from(
        (
            conv(4, 3),
            conv(2, 1, 2),
            norm(),
            relu(),
            max_pool(3, 2),
            identity,
            pad_channels(12),
            branches(identity, conv(1, 1)),
        )
    )


def layer_names(block, x):
    return [layer.name for layer in keras.Model(x, block(x)).layers[1:]]


@given(leaves(), leaves(), leaves())
def test_chain_is_associative(f, g, h):
    x = image(16, 16, 3)
    f, g, h = under("f", f), under("g", g), under("h", h)
    left, right = chain(chain(f, g), h), chain(f, chain(g, h))
    assert layer_names(left, x) == layer_names(right, x)
    assert left(x).shape == right(x).shape


@given(leaves())
def test_identity_is_neutral_in_a_chain(f):
    x = image(16, 16, 3)
    assert layer_names(chain(f, identity), x) == layer_names(chain(identity, f), x)
    assert layer_names(chain(f), x) == layer_names(f, x)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=5), sizes, depths)
def test_branches_add_their_channels(widths, size, depth):
    parts = [under(i, conv(width, 1)) for i, width in enumerate(widths)]
    y = branches(*parts)(image(size, size, depth))
    assert y.shape == (None, size, size, sum(widths))


@given(sizes, sizes, depths, odd_kernels, strides)
def test_strided_convolution_gives_the_ceiling(height, width, depth, kernel, stride):
    y = conv(5, kernel, stride)(image(height, width, depth))
    assert y.shape == (None, -(-height // stride), -(-width // stride), 5)


@given(sizes, strides, st.sampled_from((1, 3)))
def test_strided_pooling_gives_the_ceiling(size, stride, pool):
    y = max_pool(pool, stride)(image(size, size, 2))
    assert y.shape == (None, -(-size // stride), -(-size // stride), 2)


@given(sizes, depths, st.integers(0, 9))
def test_padded_channels_are_as_many_as_asked(size, depth, more):
    assert channels(pad_channels(depth + more)(image(size, size, depth))) == depth + more


def test_padded_channels_are_zero_half_on_each_side():
    x = keras.random.normal((2, 3, 4, 5))
    y = keras.ops.convert_to_numpy(pad_channels(8)(x))
    assert (y[..., 1:6] == keras.ops.convert_to_numpy(x)).all()
    assert (y[..., 0] == 0).all()
    assert (y[..., 6:] == 0).all()


@given(sizes, depths, odd_kernels)
def test_residual_keeps_the_shape(size, depth, kernel):
    x = image(size, size, depth)
    assert residual(conv(depth, kernel))(x).shape == x.shape


@given(depths, depths, strides)
def test_residual_refuses_what_it_would_have_to_broadcast(depth, filters, stride):
    x, branch = image(8, 8, depth), conv(filters, 3, stride)
    if depth == filters and stride == 1:
        assert residual(branch)(x).shape == x.shape
    else:
        with pytest.raises(ValueError, match="adds tensors of one shape"):
            residual(branch)(x)


def test_residual_adds_the_shortcut():
    x = keras.ops.convert_to_tensor([[1.0, -2.0]])
    doubled = residual(identity)(x)
    assert keras.ops.convert_to_numpy(doubled).tolist() == [[2.0, -4.0]]


def test_gate_multiplies():
    x = keras.ops.convert_to_tensor([[3.0, -2.0]])
    assert keras.ops.convert_to_numpy(gate(identity)(x)).tolist() == [[9.0, 4.0]]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_names_are_those_of_the_scopes(path):
    block = conv(2, 3)
    for name in reversed(path):
        block = under(name, block)
    assert layer_names(block, image(8, 8, 3)) == ["_".join([*path, "conv"])]


@given(st.lists(leaves(), min_size=1, max_size=6))
def test_names_are_unique_under_scopes(blocks):
    whole = chain(*(under(i, block) for i, block in enumerate(blocks)))
    names = layer_names(whole, image(32, 32, 3))
    assert len(names) == len(set(names))


def test_equal_names_are_refused():
    x = image(8, 8, 3)
    with pytest.raises(ValueError, match="unique"):
        keras.Model(x, chain(relu(), relu())(x))


def test_scope_ends_where_a_block_fails():
    def fails(x):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        under("lost", fails)(image(8, 8, 3))
    assert layer_names(relu(), image(8, 8, 3)) == ["relu"]


def test_scope_is_each_thread_s_own():
    from concurrent.futures import ThreadPoolExecutor

    with scope("outer"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(layer_names, relu(), image(8, 8, 3)).result() == ["relu"]


def test_a_keras_layer_is_a_block():
    block = chain(keras.layers.Rescaling(1 / 255), conv(2, 3), global_pool(), dense(3))
    assert block(image(8, 8, 3)).shape == (None, 3)
