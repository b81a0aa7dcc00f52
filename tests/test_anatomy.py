"""What a graph says of itself, against what its computation shows."""

import contextlib
import math
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import keras_ilsvrc
from keras_ilsvrc import cifar
from keras_ilsvrc.anatomy import features, profile, stages
from keras_ilsvrc.blocks import (
    Rule,
    branches,
    chain,
    conv,
    dense,
    gate,
    global_pool,
    max_pool,
    norm,
    pad_channels,
    relu,
    residual,
    rules,
    under,
)
from keras_ilsvrc.inference import drop_auxiliary

SIDES = (48, 50)
# Where the values of weights do not matter: quickly made.
BARE = {"kernel_initializer": "zeros"}
POOLS = {"max": layers.MaxPooling2D, "avg": layers.AveragePooling2D}


# --- random networks -------------------------------------------------------------------------


def late(make, *arguments):
    """A block of layers that are made where it is applied: each is called once."""
    return lambda x: make(*arguments)(x)


def strided(kernel, stride, **options):
    """No stride where the kernel is 1x1.

    Of such, with few channels, TensorFlow 2.21 writes the input gradient beyond its memory.
    """
    return conv(2, kernel, 1 if kernel in (1, (1, 1)) else stride, **options)


def nets(*pools):
    """Up to three of: convolutions, pools of these kinds, padding, residuals, branches."""
    sides, paddings = st.tuples(st.integers(1, 3), st.integers(1, 3)), ("same", "valid")
    strides, padding = st.sampled_from((1, 2)), st.sampled_from(paddings)
    same = st.builds(lambda k, d: conv(2, k, dilation_rate=d, padding="same"), sides, sides)
    part = st.one_of(
        st.builds(lambda k, s, p: strided(k, s, padding=p), sides, strides, padding),
        st.builds(lambda k, d, p: conv(2, k, dilation_rate=d, padding=p), sides, sides, padding),
        st.builds(strided, st.sampled_from((1, 3, 5)), strides),
        st.builds(
            late, st.just(layers.DepthwiseConv2D), st.integers(1, 3), strides, padding
        ),
        st.builds(
            late, st.sampled_from([POOLS[pool] for pool in pools]), sides, strides, padding
        ),
        st.builds(late, st.just(layers.ZeroPadding2D), st.tuples(sides, sides)),
        same.map(residual),
        st.builds(
            lambda f, g: chain(branches(under("f", f), under("g", g)), under("h", conv(2, 1))),
            same, same,
        ),
    )  # fmt: skip
    return st.lists(part, min_size=1, max_size=3).map(
        lambda parts: chain(*(under(i, part, relu()) for i, part in enumerate(parts)))
    )


def model_of(net, sides=SIDES, depth=2):
    image = keras.Input((*sides, depth))
    with rules(Rule("conv", BARE), Rule("dense", BARE)):
        return keras.Model(image, net(image))


def set_weights(model, draw):
    for weight in model.trainable_variables:
        weight.assign(draw(size=weight.shape).astype("float32"))


def input_gradient(model, image, row, column):
    """Of the sum over the channels of one output pixel."""
    backend = keras.backend.backend()
    pixel = lambda x: keras.ops.sum(model(x, training=False)[0, row, column])
    if backend == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(pixel))(image))
    x = keras.ops.convert_to_tensor(image)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pixel(x)
        return tape.gradient(y, x).numpy()
    x.requires_grad_()
    pixel(x).backward()
    return x.grad.cpu().numpy()


def seen(model, row, column):
    """(first, last) pixel of the height, and of the width, that the gradient is not 0 at."""
    image = np.random.default_rng(0).uniform(0.5, 1.5, (1, *SIDES, 2)).astype("float32")
    gradient = np.abs(input_gradient(model, image, row, column)[0]).sum(-1)
    found = [np.flatnonzero(gradient.any(axis)) for axis in (1, 0)]
    return [(pixels.min(), pixels.max()) if pixels.size else None for pixels in found]


def predicted(model, *pixel):
    """(first, last) pixel, in and beyond the image, by the profile's last row."""
    row = profile(model).rows[-1]
    starts = [a + s * i for a, s, i in zip(row.start, row.stride, pixel, strict=True)]
    return [(a, a + n - 1) for a, n in zip(starts, row.receptive_field, strict=True)]


# --- receptive fields ------------------------------------------------------------------------


@settings(max_examples=10)
@given(nets("max", "avg"), st.integers(0, 2**32), st.floats(0, 0.99), st.floats(0, 0.99))
def test_field_holds_all_that_an_output_depends_on(net, seed, down, right):
    model = model_of(net)
    set_weights(model, np.random.default_rng(seed).normal)
    pixel = [int(at * n) for at, n in zip((down, right), model.output_shape[1:], strict=False)]
    for found, field in zip(seen(model, *pixel), predicted(model, *pixel), strict=True):
        assert found is None or (field[0] <= found[0] and found[1] <= field[1])


@settings(max_examples=25)
@given(nets("avg"), st.integers(0, 2**32))
def test_field_is_no_larger_than_what_an_output_depends_on(net, seed):
    model = model_of(net)
    set_weights(model, np.random.default_rng(seed).uniform)
    middle = [n // 2 for n in model.output_shape[1:3]]
    fields = predicted(model, *middle)
    if all(a >= 0 and b < n for (a, b), n in zip(fields, SIDES, strict=True)):
        assert seen(model, *middle) == fields


@pytest.mark.parametrize("padding", ["same", "valid", "symmetric"])
def test_three_small_windows_see_what_a_large_one_sees(padding):
    small = chain(*(under(i, conv(1, 3, padding=padding)) for i in range(3)))
    rows = [profile(model_of(net)).rows[-1] for net in (small, conv(1, 7, padding=padding))]
    assert rows[0].receptive_field == rows[1].receptive_field == (7, 7)
    assert rows[0].start == rows[1].start
    two = profile(model_of(chain(under(0, conv(1, 3)), under(1, conv(1, 3))))).rows[-1]
    assert two.receptive_field == (5, 5)


def test_a_stride_spreads_the_windows_behind_it():
    net = chain(under(0, conv(1, (3, 1), 2, padding="valid")), under(1, conv(1, (3, 5))))
    row = profile(model_of(net)).rows[-1]
    assert (row.receptive_field, row.stride, row.start) == ((7, 9), (2, 2), (-2, -4))


def test_a_branch_sees_less_than_the_whole_block():
    net = branches(under("narrow", conv(1, 1)), under("wide", conv(1, 5)))
    *_, narrow, wide, both = profile(model_of(net)).rows
    assert [r.receptive_field for r in (narrow, wide, both)] == [(1, 1), (5, 5), (5, 5)]
    assert both.start == (-2, -2)


def test_padded_channels_move_no_pixel():
    for data_format, shape in (("channels_last", (6, 8, 2)), ("channels_first", (2, 6, 8))):
        with data_format_of(data_format):
            image = keras.Input(shape)
            model = keras.Model(image, chain(conv(2, 1), pad_channels(6))(image))
        row = profile(model).rows[-1]
        assert (row.receptive_field, row.start) == ((1, 1), (0, 0))


def test_behind_global_pooling_the_whole_image_is_seen():
    net = chain(conv(2, 3), global_pool(keepdims=True), under("after", conv(2, 1)), relu())
    rows = profile(model_of(net)).rows
    assert rows[1].receptive_field == (3, 3)
    assert {(r.receptive_field, r.start, r.stride) for r in rows[2:]} == {(None, None, None)}


def squeeze_and_excitation(x):
    weights = chain(global_pool(keepdims=True), under("excite", conv(2, 1)))
    return chain(conv(2, 3, 2), gate(weights), under("after", conv(2, 3)))(x)


def test_a_gate_sees_the_whole_image_and_leaves_it_a_map():
    row = profile(model_of(squeeze_and_excitation)).rows[-1]
    assert (row.receptive_field, row.start, row.stride) == (None, None, (2, 2))


@pytest.mark.parametrize(
    "layer", [layers.Flatten(), layers.UpSampling2D(2), layers.GroupNormalization(2),
              layers.Conv2DTranspose(2, 3, padding="same"), layers.Reshape((50, 48, 2))]
)  # fmt: skip
def test_what_is_not_over_one_pixel_is_taken_to_see_the_whole_image(layer):
    assert profile(model_of(layer)).rows[-1].receptive_field is None


def test_a_dense_layer_sees_a_pixel_of_channels_last_and_a_row_of_channels_first():
    for data_format, field in (("channels_last", (3, 3)), ("channels_first", None)):
        with data_format_of(data_format):
            model = model_of(chain(conv(8, 3), layers.Dense(8)), (8, 8), 8)
        assert profile(model).rows[-1].receptive_field == field


def test_maps_of_two_strides_are_not_added_as_one():
    half = chain(under("a", conv(2, 1, 2)), relu())
    crop = conv(2, (25, 26), padding="valid")
    row = profile(model_of(lambda x: layers.Add()([half(x), crop(x)]))).rows[-1]
    assert (row.receptive_field, row.stride) == (None, None)


@contextlib.contextmanager
def data_format_of(name):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(name)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_both_data_formats_have_one_profile(shortcut):
    def facts(row):
        layout = (row.name, row.output_shape)
        return [value for value in vars(row).values() if value not in layout]

    last = profile(cifar.ResNet(14, shortcut=shortcut, width=2, input_shape=(20, 28, 3), **BARE))
    with data_format_of("channels_first"):
        model = cifar.ResNet(14, shortcut=shortcut, width=2, input_shape=(3, 20, 28), **BARE)
        first = profile(model)
    assert first.rows[-3].output_shape == (8, 5, 7)
    assert [facts(r) for r in first.rows] == [facts(r) for r in last.rows]
    # The model's format counts, not the one that Keras is set to when it is read.
    assert profile(model) == first


# --- parameters, multiply-accumulates, memory ------------------------------------------------


KERNELS = layers.Conv2D, layers.DepthwiseConv2D, layers.Dense


def fan_in(layer, depth):
    """The number of inputs that one output of a layer is a sum over."""
    if isinstance(layer, layers.Dense):
        return depth
    once = isinstance(layer, layers.DepthwiseConv2D)
    return math.prod(layer.kernel_size) * (1 if once else depth // layer.groups)


def macs_of_a_run(model):
    """Outputs times fan-in, of the arrays that pass through convolutions and dense layers."""
    counts = []

    def counting(layer, call):
        def counted(x):
            y = call(x)
            counts.append(math.prod(y.shape) * fan_in(layer, x.shape[-1]))
            return y

        return counted

    for layer in model.layers:
        if isinstance(layer, KERNELS):
            layer.call = counting(layer, layer.call)
    model(np.zeros((1, *model.input_shape[1:]), "float32"))
    return sum(counts)


def agree(model):
    found = profile(model)
    return (
        found.parameters == model.count_params()
        and found.trainable == sum(math.prod(v.shape) for v in model.trainable_variables)
        and found.macs == macs_of_a_run(model)
    )


@settings(max_examples=6)
@given(nets("max", "avg"))
def test_counts_are_those_of_a_run(net):
    assert agree(model_of(chain(net, under("top", norm(), global_pool(), dense(3)))))


def test_counts_are_those_of_a_run_with_groups_and_dense_layers_on_maps():
    grouped = chain(
        conv(6, (3, 1), 2, groups=2), layers.Dense(4), layers.Flatten(), dense(3, name="top")
    )
    assert agree(model_of(grouped, (6, 8)))


@settings(max_examples=3)
@given(st.integers(4, 33), st.integers(4, 33), st.sampled_from(("A", "B", None)))
def test_counts_of_a_residual_network_are_those_of_a_run(height, width, shortcut):
    assert agree(
        cifar.ResNet(8, shortcut=shortcut, width=2, input_shape=(height, width, 3), **BARE)
    )


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_counts_of_a_dilated_network_are_those_of_a_run(output_stride):
    shape = (64, 64, 3)
    assert agree(keras_ilsvrc.ResNet18(output_stride=output_stride, input_shape=shape, **BARE))


def test_frozen_weights_are_not_trainable():
    model = cifar.ResNet(8, width=2, input_shape=(8, 8, 3), **BARE)
    model.get_layer("predictions").trainable = False
    assert agree(model)
    assert profile(model).rows[-1].trainable == 0
    assert profile(model).rows[-1].parameters == 90


# Table 1 of arXiv:1512.03385 has 1.8 and 3.8 times 10^9 of ResNet-18 and 50.
@pytest.mark.parametrize(
    ("build", "macs"),
    [
        (partial(keras_ilsvrc.ResNet18, shortcut="B"), 1_814_073_344),
        (partial(keras_ilsvrc.ResNet50, stride_on="1x1"), 3_857_973_248),
        (partial(keras_ilsvrc.ResNet50, stride_on="3x3"), 4_089_184_256),
        (partial(cifar.ResNet, 20), 40_551_040),
    ],
)
def test_macs_of_networks(build, macs):
    assert profile(build(**BARE)).macs == macs


@pytest.mark.parametrize(
    ("make", "macs"),
    [
        (lambda: layers.Conv2D(5, 3), 46 * 48 * (3 * 3 * 2 * 5)),
        (lambda: layers.SeparableConv2D(5, 3, 2), 23 * 24 * (3 * 3 * 2 + 2 * 5)),
        (lambda: layers.Conv2DTranspose(5, 3, 2), 48 * 50 * (3 * 3 * 2 * 5)),
        (lambda: layers.Dense(5), 48 * 50 * (2 * 5)),
        (lambda: layers.PReLU(), 0),
        (lambda: layers.LayerNormalization((1, 2, 3)), 0),
        (lambda: layers.BatchNormalization(), 0),
        (lambda: layers.Dropout(0.5), 0),
    ],
)
def test_macs_of_layers(make, macs):
    found = profile(model_of(make()))
    assert found.macs == found.rows[-1].macs == macs


class Mixing(layers.Layer):
    """A layer of no kind that Keras has."""

    def build(self, shape):
        self.mix = self.add_weight((shape[-1], 2))

    def call(self, x):
        return keras.ops.matmul(x, self.mix)


def test_kernels_of_unknown_kind_are_not_counted_but_named():
    found = profile(model_of(chain(conv(2, 3), Mixing(name="mixing"), relu())))
    assert found.uncounted == ("mixing",)
    assert found.rows[2].macs is None
    assert found.macs == 48 * 50 * 3 * 3 * 2 * 2
    lines = str(found).splitlines()
    assert " ? " in lines[3]
    assert "(not counted: mixing)" in lines[-1]


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2)])
def test_bytes_are_those_of_the_outputs(dtype, size):
    half = layers.Activation("relu", dtype=dtype)
    input_row, conv_row, half_row = profile(model_of(chain(conv(3, 3), half))).rows
    assert input_row.activation_bytes == 48 * 50 * 2 * 4
    assert conv_row.activation_bytes == 48 * 50 * 3 * 4
    assert half_row.activation_bytes == 48 * 50 * 3 * size


def test_table_has_every_layer_and_the_totals():
    model = cifar.ResNet(8, width=2, **BARE)
    found = profile(model)
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [layer.name for layer in model.layers]
    totals = (found.parameters, found.trainable, found.macs, found.activation_bytes)
    assert all(f"{total:,} " in lines[-1] for total in totals)
    assert len({len(line) for line in lines[:-1]}) == 1
    assert found.activation_bytes == sum(row.activation_bytes for row in found.rows)


def test_rows_are_in_an_order_of_computation():
    model = keras_ilsvrc.ResNet18(**BARE)
    done = set()
    for layer in model.layers:
        assert {id(x) for x in keras.tree.flatten(layer.input)} <= done
        done.add(id(layer.output))
    assert [row.name for row in profile(model).rows] == [layer.name for layer in model.layers]


# --- stages ----------------------------------------------------------------------------------


def names(model, tensors):
    by_tensor = {id(layer.output): layer.name for layer in model.layers}
    return [by_tensor[id(x)] for x in tensors]


def reached(model, without):
    """Whether the first output can be computed where a layer's output is missing."""
    known = {id(x) for x in model.inputs}
    for layer in model.layers[1:]:
        if layer is not without and any(id(x) in known for x in keras.tree.flatten(layer.input)):
            known.add(id(layer.output))
    return id(model.outputs[0]) in known


def stages_by_removal(model):
    """The last map of each side behind a convolution that cannot be removed."""
    found, convolved = {}, False
    for layer in model.layers[1:]:
        convolved |= isinstance(layer, layers.Conv2D)
        if convolved and not reached(model, layer) and len(layer.output.shape) == 4:
            found[64 // layer.output.shape[1]] = layer.name
    return found


def halving_nets():
    """Nets of 64 to 1 pixels, with maps on no path, one path and all paths."""
    half, quarter = conv(4, 3, 2, padding="same"), conv(4, 1, 4, padding="same")
    part = st.sampled_from(
        [
            conv(4, 3),
            half,
            residual(conv(4, 1)),
            chain(branches(under("f", conv(2, 3)), under("g", conv(2, 3))), relu()),
            residual(chain(under("f", conv(4, 3)), relu()), under("g", conv(4, 1))),
            gate(chain(global_pool(keepdims=True), under("f", conv(4, 1)))),
            late(layers.MaxPooling2D, 2, 2),
            residual(chain(under("f", half), under("g", half)), under("h", quarter)),
        ]
    )
    return st.lists(part, min_size=1, max_size=3).map(
        lambda parts: chain(
            layers.Rescaling(2.0), *(under(i, part) for i, part in enumerate(parts))
        )
    )


@given(halving_nets(), st.booleans())
def test_stages_are_the_last_maps_that_cannot_be_removed(net, top):
    head = under("top", global_pool(), dense(3)) if top else relu()
    model = model_of(chain(net, head), (64, 64), 4)
    found = stages(model)
    assert dict(zip(found, names(model, found.values()), strict=True)) == stages_by_removal(model)


RESNET_50 = {
    2: "conv1_relu",
    4: "conv2_block3_out",
    8: "conv3_block4_out",
    16: "conv4_block6_out",
    32: "conv5_block3_out",
}


@pytest.mark.parametrize(
    ("options", "present"),
    [
        ({}, RESNET_50),
        ({"include_top": False}, RESNET_50),
        ({"output_stride": 8}, {2: "conv1_relu", 4: "conv2_block3_out", 8: "conv5_block3_out"}),
    ],
)
def test_stages_of_resnet_50(options, present):
    model = keras_ilsvrc.ResNet50(**options, **BARE)
    found = stages(model)
    assert dict(zip(found, names(model, found.values()), strict=True)) == present


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize(
    ("build", "right"),
    [
        (keras_ilsvrc.DenseNet121, {2: 64, 4: 256, 8: 512, 16: 1024, 32: 1024}),
        (keras_ilsvrc.DenseNet161, {2: 96, 4: 384, 8: 768, 16: 2112, 32: 2208}),
        (partial(cifar.DenseNet, 40), {1: 96, 2: 120, 4: 132}),
    ],
)
def test_stages_of_densenets_are_the_outputs_of_dense_blocks(build, right, dropout):
    """Table 1 of arXiv:1608.06993: k0 + layers x k maps, of which a transition keeps half."""
    model = build(include_top=False, dropout=dropout, **BARE)
    assert {stride: x.shape[-1] for stride, x in stages(model).items()} == right


def test_an_average_without_a_convolution_is_no_transition():
    """Of another network: the concatenation and the activation after it is its stage."""
    net = chain(
        branches(conv(4, 3, name="a"), conv(4, 1, name="b")), relu(), layers.AveragePooling2D(2)
    )
    model = model_of(net, (16, 16))
    assert names(model, stages(model).values())[0] == "relu"


def test_windows_of_a_strided_pooling_are_no_stage():
    net = chain(conv(2, 3, 2), max_pool(3, 2, padding="lowest"), under(1, conv(2, 1)), relu())
    model = model_of(net)
    assert names(model, stages(model).values()) == ["conv", "relu"]


def test_image_that_is_used_again_leaves_no_stage_before():
    halves = chain(under(1, conv(2, 3, 2)), under(2, conv(2, 3, 2)))
    again = branches(halves, layers.MaxPooling2D(4))
    assert list(stages(model_of(again, (16, 16)))) == [4]
    assert list(stages(model_of(halves, (16, 16)))) == [2, 4]


def with_heads(*heads):
    """A model of two stages, with predictions on the second and these heads on the first."""
    image = keras.Input((16, 16, 3), name="image")
    first = chain(under(1, conv(4, 3, 2)), relu())(image)
    last = chain(under(2, conv(4, 3, 2)), relu("last"))(first)
    tops = [chain(global_pool(), dense(3, name="predictions"))(last)]
    tops += [chain(global_pool(name=f"{name}_pool"), dense(3, name=name))(first) for name in heads]
    return keras.Model(image, tops, name="net")


@pytest.mark.parametrize("heads", [(), ("aux1",), ("aux1", "aux2")])
def test_further_outputs_change_no_stage(heads):
    model = with_heads(*heads)
    assert names(model, stages(model).values()) == ["relu", "last"]


# --- features --------------------------------------------------------------------------------


def test_features_are_what_tapping_by_name_gives():
    model = cifar.ResNet(8, width=2, input_shape=(16, 16, 3))
    backbone = features(model, [4, 1])
    taps = [model.get_layer(name).output for name in ("conv4_block1_out", "conv2_block1_out")]
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype("float32")
    pairs = zip(
        backbone.predict(image, verbose=0),
        keras.Model(model.inputs, taps).predict(image, verbose=0),
        strict=True,
    )
    assert all((a == b).all() for a, b in pairs)
    assert backbone.name == "cifar_resnet8_features"
    assert backbone.layers[1] is model.layers[1]


def test_features_have_all_strides_by_default():
    model = keras_ilsvrc.ResNet50(include_top=False, **BARE)
    assert names(model, features(model).outputs) == list(RESNET_50.values())
    assert features(model, (8, 32)).output_shape == [
        (None, None, None, 512),
        (None, None, None, 2048),
    ]


@pytest.mark.parametrize("strides", [[64], [4, 1], []])
def test_missing_strides_name_those_there_are(strides):
    model = keras_ilsvrc.ResNet18(output_stride=16, **BARE)
    with pytest.raises(ValueError, match="strides 2, 4, 8, 16;"):
        features(model, strides)


def test_features_have_a_profile_of_their_own_layers():
    model = cifar.ResNet(8, width=2, **BARE)
    part = profile(features(model, [2]))
    names = [row.name for row in part.rows]
    assert names[-1] == "conv3_block1_out"
    assert part.rows == profile(model).rows[: len(names)]


def test_a_model_that_starts_inside_a_graph_counts_from_there():
    image = keras.Input((16, 16, 3))
    middle = under("before", conv(4, 5, 2))(image)
    model = keras.Model(middle, chain(under("f", conv(4, 3)), under("g", conv(2, 3, 2)))(middle))
    found = profile(model)
    assert [row.kind for row in found.rows] == ["InputLayer", "Conv2D", "ZeroPadding2D", "Conv2D"]
    assert found.rows[-1].receptive_field == (5, 5)
    assert found.parameters == model.count_params()
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32")
    backbone = features(model, [2])
    assert (backbone.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


# --- wrong models ----------------------------------------------------------------------------


def shared():
    image, same = keras.Input((8, 8, 2)), layers.Conv2D(2, 3, padding="same")
    return keras.Model(image, layers.ReLU()(same(same(image))))


def shared_at_the_end():
    image, same = keras.Input((8, 8, 2)), layers.Conv2D(2, 3, padding="same")
    return keras.Model(image, same(same(image)))


def of_two_images():
    images = [keras.Input((8, 8, 2)), keras.Input((8, 8, 2))]
    return keras.Model(images, layers.Add()(images))


def of_vectors():
    vectors = keras.Input((8,))
    return keras.Model(vectors, layers.Dense(2)(vectors))


class Subclassed(keras.Model):
    def call(self, x):
        return x


def subclassed_inside():
    return model_of(chain(conv(2, 3), Subclassed(name="mine")))


def unbuilt():
    return keras.Sequential([layers.Conv2D(2, 3)])


WRONG = [
    (shared, "each called once"),
    (shared_at_the_end, "each called once"),
    (subclassed_inside, "'mine' is a Subclassed, not a functional model"),
    (unbuilt, "has no graph yet"),
    (of_two_images, "one input of images"),
    (of_vectors, "one input of images"),
    (Subclassed, "not a functional model"),
    (lambda: "resnet50", "not a functional model"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
@pytest.mark.parametrize("reads", [profile, stages, features])
def test_wrong_models_are_told_what_would_be_right(reads, make, message):
    model = make()
    with pytest.raises(ValueError, match=message):
        reads(model)


def test_two_data_formats_in_one_model_are_refused():
    net = chain(conv(2, 3), layers.MaxPooling2D(2, data_format="channels_first"))
    with pytest.raises(ValueError, match="mixes data formats"):
        profile(model_of(net))


def test_a_profile_is_of_one_size():
    model = keras_ilsvrc.ResNet18(include_top=False, **BARE)
    with pytest.raises(ValueError, match="build it with input_shape"):
        profile(model)
    sized = keras_ilsvrc.ResNet18(include_top=False, input_shape=(32, 32, 3), **BARE)
    assert profile(sized).rows[-1].receptive_field == (435, 435)


# --- auxiliary classifiers -------------------------------------------------------------------


@pytest.mark.parametrize("heads", [("aux1",), ("aux1", "aux2")])
def test_without_auxiliary_heads_the_predictions_are_the_same(heads):
    model = with_heads(*heads)
    plain = drop_auxiliary(model)
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    assert (plain.predict(x, verbose=0) == model.predict(x, verbose=0)[0]).all()
    assert plain.name == model.name
    assert plain.layers == [x for x in model.layers if not x.name.startswith("aux")]


def test_a_model_without_auxiliary_heads_comes_back_itself():
    model = with_heads()
    assert drop_auxiliary(model) is model
    model = Subclassed()
    assert drop_auxiliary(model) is model


@pytest.mark.parametrize("heads", [("boxes",), ("aux1", "boxes")])
def test_other_heads_are_not_dropped(heads):
    with pytest.raises(ValueError, match="outputs boxes beside predictions"):
        drop_auxiliary(with_heads(*heads))
