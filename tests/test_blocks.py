"""Laws of the vocabulary."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import without_values
from keras_ilsvrc.blocks import (
    Rule,
    avg_pool,
    branches,
    chain,
    channels,
    conv,
    dense,
    dropout,
    flatten,
    gate,
    global_pool,
    identity,
    lrn,
    max_pool,
    norm,
    pad_channels,
    relu,
    residual,
    rules,
    scope,
    sigmoid,
    under,
)
from keras_ilsvrc.blocks import scale as times
from keras_ilsvrc.layers import LocalResponseNormalization

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


def applied(block, x):
    """To a symbolic tensor: variables have shapes and no values."""
    return without_values(block, x)


def layer_names(block, x):
    return [layer.name for layer in keras.Model(x, applied(block, x)).layers[1:]]


def made(block):
    """The last layer of a block."""
    x = image(16, 16, 4)
    return keras.Model(x, applied(block, x)).layers[-1]


def computed(block, x):
    return keras.ops.convert_to_numpy(block(keras.ops.convert_to_tensor(x)))


def noise(*shape):
    """Of both signs."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@given(leaves(), leaves(), leaves())
def test_chain_is_associative(f, g, h):
    x = image(16, 16, 3)
    f, g, h = under("f", f), under("g", g), under("h", h)
    left, right = chain(chain(f, g), h), chain(f, chain(g, h))
    assert layer_names(left, x) == layer_names(right, x)
    assert applied(left, x).shape == applied(right, x).shape


@given(leaves())
def test_identity_is_neutral_in_a_chain(f):
    x = image(16, 16, 3)
    assert layer_names(chain(f, identity), x) == layer_names(chain(identity, f), x)
    assert layer_names(chain(f), x) == layer_names(f, x)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=5), sizes, depths)
def test_branches_add_their_channels(widths, size, depth):
    parts = [under(i, conv(width, 1)) for i, width in enumerate(widths)]
    y = applied(branches(*parts), image(size, size, depth))
    assert y.shape == (None, size, size, sum(widths))


@given(sizes, sizes, depths, odd_kernels, strides)
def test_strided_convolution_gives_the_ceiling(height, width, depth, kernel, stride):
    y = applied(conv(5, kernel, stride), image(height, width, depth))
    assert y.shape == (None, -(-height // stride), -(-width // stride), 5)


@given(sizes, strides, st.sampled_from((1, 3)))
def test_strided_pooling_gives_the_ceiling(size, stride, pool):
    y = applied(max_pool(pool, stride), image(size, size, 2))
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
    assert applied(residual(conv(depth, kernel)), x).shape == x.shape


@given(depths, depths, strides)
def test_residual_refuses_what_it_would_have_to_broadcast(depth, filters, stride):
    x, branch = image(8, 8, depth), conv(filters, 3, stride)
    if depth == filters and stride == 1:
        assert applied(residual(branch), x).shape == x.shape
    else:
        with pytest.raises(ValueError, match="adds tensors of one shape"):
            applied(residual(branch), x)


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


def test_leaves_are_their_formulas():
    x = noise(2, 3, 5, 4)
    assert (computed(relu(), x) == np.maximum(x, 0)).all()
    assert np.allclose(computed(sigmoid(), x), 1 / (1 + np.exp(-x)), atol=1e-6)
    assert np.allclose(computed(times(0.17), x), 0.17 * x, atol=1e-7)
    assert np.allclose(computed(global_pool(), x), x.mean((1, 2)), atol=1e-6)
    assert (computed(global_pool("max"), x) == x.max((1, 2))).all()
    assert computed(global_pool(keepdims=True), x).shape == (2, 1, 1, 4)
    assert (computed(flatten(), x) == x.reshape(2, -1)).all()
    assert (computed(dropout(0.5), x) == x).all(), "only in training"


def test_no_dropout_is_no_layer():
    x = image(8, 8, 3)
    assert dropout(0.0)(x) is x
    assert [layer.name for layer in keras.Model(x, dropout(0.5)(x)).layers[1:]] == ["dropout"]


# --- rules -------------------------------------------------------------------------------------


def test_the_outermost_rule_counts():
    with rules(Rule("norm", {"epsilon": 1e-1})), rules(Rule("norm", {"epsilon": 1e-2})):
        assert made(norm()).epsilon == 1e-1
    with rules(Rule("norm", {"epsilon": 1e-2})):
        assert made(norm()).epsilon == 1e-2
    assert made(norm()).epsilon == 1e-5


def test_of_rules_given_together_the_first_counts():
    with rules(Rule("norm", {"epsilon": 1e-1}), Rule("norm", {"epsilon": 1e-2, "momentum": 0.5})):
        layer = made(norm())
    assert (layer.epsilon, layer.momentum) == (1e-1, 0.5)


def test_rules_leave_open_what_they_do_not_say():
    with rules(Rule("norm", {"momentum": 0.99})):
        layer = made(norm())
    assert (layer.epsilon, layer.momentum) == (1e-5, 0.99)


def test_what_the_sentence_says_stands_above_all_rules():
    with rules(Rule("conv", {"use_bias": True, "padding": "valid"})):
        assert made(conv(2, 3, use_bias=False)).use_bias is False
        assert made(conv(2, 3)).use_bias is True
        assert conv(2, 3, padding="symmetric")(image(8, 8, 3)).shape == (None, 8, 8, 2)
        assert conv(2, 3)(image(8, 8, 3)).shape == (None, 6, 6, 2)


def test_a_rule_holds_for_its_kind_and_the_names_it_is_given_for():
    block = chain(under("a", conv(2, 1), norm()), under("b", conv(2, 1), norm()))
    x = image(8, 8, 3)
    with rules(Rule("conv", {"use_bias": True}, "a_*"), Rule("norm", {"scale": False}, "*b_bn")):
        model = keras.Model(x, block(x))
    assert model.get_layer("a_conv").use_bias
    assert not model.get_layer("b_conv").use_bias
    assert model.get_layer("a_bn").scale
    assert not model.get_layer("b_bn").scale


def test_rules_are_asked_when_a_block_is_applied_and_end_with_their_context():
    block = conv(2, 1)
    with rules(Rule("conv", {"use_bias": True})):
        assert made(block).use_bias
    assert not made(block).use_bias
    with pytest.raises(RuntimeError), rules(Rule("conv", {"use_bias": True})):
        raise RuntimeError
    assert not made(block).use_bias


def test_an_absent_normalization_is_no_layer():
    x = image(8, 8, 3)
    with rules(Rule("norm", {"absent": True}, "a_bn")):
        assert under("a", norm())(x) is x
        assert layer_names(under("b", norm()), x) == ["b_bn"]


# --- pooling -----------------------------------------------------------------------------------


def pooled(x, size, stride, fill, reduction):
    """NumPy's windows of `size`, centred on every stride-th pixel."""
    half = size // 2
    padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    return reduction(windows, (-2, -1))[:, ::stride, ::stride]


grids = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 2, 3)))


@given(grids)
def test_max_pool_adds_nothing_lower_or_zeros_that_count(grid):
    height, width, stride = grid
    x = noise(2, height, width, 3) - 2
    lowest = computed(max_pool(3, stride, padding="lowest"), x)
    zeros = computed(max_pool(3, stride, padding="zeros"), x)
    assert (lowest == pooled(x, 3, stride, -np.inf, np.max)).all()
    assert (zeros == pooled(x, 3, stride, 0, np.max)).all()
    assert (zeros[:, 0] != lowest[:, 0]).any(), "the border is negative"


@given(grids)
def test_max_pool_after_a_relu_is_the_same_with_both_paddings(grid):
    height, width, stride = grid
    x = np.maximum(noise(2, height, width, 3), 0)
    blocks = [max_pool(3, stride, padding=padding) for padding in ("lowest", "zeros")]
    lowest, zeros = (computed(block, x) for block in blocks)
    assert (lowest == zeros).all()


def pooled_with_ceil_mode(x, window, stride):
    """PyTorch's rule for ceil_mode=True without padding: the number of windows is rounded up, the
    last one starts inside the image, and what is beyond it does not count.
    """
    _, height, width, _ = x.shape
    starts = []
    for n in (height, width):
        windows = -((window - n) // stride) + 1
        starts.append(range(0, (windows - ((windows - 1) * stride >= n)) * stride, stride))
    rows = [
        [x[:, i : i + window, j : j + window].max((1, 2)) for j in starts[1]] for i in starts[0]
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1)


@given(st.integers(3, 12), st.integers(3, 12), st.sampled_from([(3, 2), (2, 2), (3, 3)]))
def test_ceil_pools_as_pytorch_s_ceil_mode_at_every_size(height, width, form):
    """Of sides that are known, and of ones that may vary."""
    x = np.maximum(noise(2, height, width, 3), 0)
    right = pooled_with_ceil_mode(x, *form)
    for shape in ((height, width, 3), (None, width, 3), (None, None, 3)):
        block = max_pool(*form, padding="ceil")
        y = np.asarray(keras.ops.convert_to_numpy(model_for(block, shape)(x)))
        assert y.shape == right.shape
        assert (y == right).all()


@given(st.integers(3, 12))
def test_behind_has_as_many_windows_as_a_convolution(side):
    x = np.maximum(noise(2, side, side, 3), 0)
    beyond = np.pad(x, ((0, 0), (0, 2), (0, 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(beyond, (3, 3), (1, 2))
    right = windows.max((-2, -1))[:, ::2, ::2]
    for shape in ((side, side, 3), (None, None, 3)):
        y = keras.ops.convert_to_numpy(model_for(max_pool(3, 2, padding="behind"), shape)(x))
        assert (y == right).all()
        assert y.shape[1] == -(-side // 2)
    if side % 2 == 0:
        assert (right == pooled_with_ceil_mode(x, 3, 2)).all()


@given(grids)
def test_ceil_of_stride_1_is_centred(grid):
    height, width, _ = grid
    x = noise(2, height, width, 3)
    assert (computed(max_pool(3, 1, padding="ceil"), x) == pooled(x, 3, 1, -np.inf, np.max)).all()


def model_for(block, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, block(inputs))


@given(grids)
def test_avg_pool_counts_the_zeros_it_is_told_to_count(grid):
    height, width, stride = grid
    x = noise(2, height, width, 3)
    zeros = computed(avg_pool(3, stride, padding="zeros"), x)
    assert np.allclose(zeros, pooled(x, 3, stride, 0, np.mean), atol=1e-6)
    same = computed(avg_pool(3, 1, padding="same"), x)
    shares = pooled(np.ones_like(x), 3, 1, 0, np.mean)
    assert np.allclose(same * shares, pooled(x, 3, 1, 0, np.mean), atol=1e-6)


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
def test_same_and_valid_pool_as_keras_does(pool):
    shapes = {"same": (None, 4, 4, 2), "valid": (None, 3, 3, 2)}
    for padding, shape in shapes.items():
        assert pool(3, 2, padding=padding)(image(8, 8, 2)).shape == shape
        with rules(Rule("max_pool", {"padding": padding}), Rule("avg_pool", {"padding": padding})):
            assert pool(3, 2)(image(8, 8, 2)).shape == shape


# --- local response normalization ----------------------------------------------------------------


def formula(a, n, k, alpha, beta):
    """Section 3.3 of AlexNet's paper, channel by channel."""
    b = np.empty_like(a)
    for i in range(a.shape[-1]):
        near = a[..., max(0, i - n // 2) : i + n // 2 + 1]
        b[..., i] = a[..., i] / (k + alpha * (near**2).sum(-1)) ** beta
    return b


constants = st.fixed_dictionaries(
    {
        "n": st.sampled_from((1, 3, 5, 7)),
        "k": st.floats(0.5, 2),
        "alpha": st.floats(0, 1),
        "beta": st.floats(0, 1),
    }
)


@given(constants, st.integers(1, 9))
def test_response_normalization_is_the_paper_s_formula_on_both_axes(values, depth):
    a = noise(2, 3, 4, depth)
    expected = formula(a.astype("float64"), **values)
    assert np.allclose(computed(LocalResponseNormalization(**values), a), expected, atol=1e-5)
    first = computed(LocalResponseNormalization(**values, axis=1), a.transpose(0, 3, 1, 2))
    assert np.allclose(first.transpose(0, 2, 3, 1), expected, atol=1e-5)


def test_the_constants_are_alexnet_s():
    a = 20 * noise(2, 3, 4, 8)
    expected = formula(a.astype("float64"), n=5, k=2, alpha=1e-4, beta=0.75)
    assert np.allclose(computed(lrn(), a), expected, atol=1e-4)
    with rules(Rule("lrn", {"k": 1.0})):
        assert np.abs(computed(lrn(), a) - expected).max() > 1


def test_response_normalization_of_half_precision_is_summed_in_float32():
    a = np.full((1, 2, 2, 5), 300, "float16")  # its square is beyond half precision
    b = keras.ops.convert_to_tensor(a)
    layer = LocalResponseNormalization(dtype="float16")
    assert keras.backend.standardize_dtype(layer(b).dtype) == "float16"
    assert np.allclose(
        computed(layer, a), formula(a.astype("float64"), 5, 2, 1e-4, 0.75), rtol=1e-3
    )
    mixed = LocalResponseNormalization(dtype="mixed_float16")
    assert mixed(keras.KerasTensor((None, 2, 2, 5), "float32")).dtype == "float16"


@pytest.mark.parametrize("n", [0, 2, -1, 4, 5.0, "5", None])
def test_response_normalization_wants_a_middle_channel(n):
    with pytest.raises(ValueError, match="is odd"):
        LocalResponseNormalization(n=n)


def test_response_normalization_comes_back_from_its_configuration():
    layer = LocalResponseNormalization(n=3, k=1.0, alpha=0.1, beta=0.5, axis=1, name="norm1")
    assert (
        LocalResponseNormalization.from_config(layer.get_config()).get_config()
        == layer.get_config()
    )
