"""What sets the residual networks apart: shortcuts, and depths that are stated by a rule."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_ilsvrc
from conftest import without_values
from keras_ilsvrc import cifar

POINTS = {"kernel_initializer": "zeros"}


def names(model):
    return [x.name for x in model.layers[1:]]


def test_a_plain_net_is_the_residual_net_without_its_additions():
    plain, residual = cifar.PlainNet(20, **POINTS), cifar.ResNet(20, **POINTS)
    shortcuts = {name for name in names(residual) if name.endswith("_add") or "_0_" in name}
    assert len(shortcuts) == 9 + 2 * 2, "nine blocks; two subsample and pad"
    assert {*names(plain)} == {*names(residual)} - shortcuts


def test_shortcut_none_is_the_plain_net():
    assert names(cifar.ResNet(8, shortcut=None)) == names(cifar.PlainNet(8))
    assert cifar.ResNet(8, shortcut=None).name == "cifar_plain8"
    assert names(cifar.ResNet(8)) != names(cifar.PlainNet(8))


@pytest.mark.parametrize(("shortcut", "projections"), [("A", 0), ("B", 2), ("C", 9), (None, 0)])
def test_projections_stand_where_the_option_has_them(shortcut, projections):
    found = names(cifar.ResNet(20, shortcut=shortcut, **POINTS))
    assert len([name for name in found if name.endswith("_0_conv")]) == projections


def test_zero_padded_shortcuts_have_no_weights():
    weights = [cifar.ResNet(20, shortcut=kind, **POINTS).count_params() for kind in ("A", None)]
    assert weights[0] == weights[1]


def test_the_stride_stands_where_the_option_has_it():
    for kind, strided in (("1x1", "conv3_block1_1_conv"), ("3x3", "conv3_block1_2_conv")):
        model = without_values(keras_ilsvrc.ResNet50, stride_on=kind)
        assert model.get_layer(strided).strides == (2, 2)
        assert {
            model.get_layer(f"conv3_block1_{i}_conv").strides
            for i in (1, 2, 3)
            if f"_{i}_" not in strided
        } == {(1, 1)}


def test_layer_names_are_those_of_keras_applications_and_of_one_depth():
    theirs = without_values(keras.applications.ResNet50, weights=None)
    ours, deeper = map(without_values, (keras_ilsvrc.ResNet50, keras_ilsvrc.ResNet101))
    assert names(ours) == names(theirs)
    assert names(deeper) != names(theirs)


@given(st.integers(1, 120))
def test_depths_that_are_not_6n_and_2_are_answered_with_the_nearest(depth):
    if depth >= 8 and depth % 6 == 2:
        return
    with pytest.raises(ValueError, match="depth is 6n") as error:
        cifar.ResNet(depth)
    right = range(8, 200, 6)
    nearest = str(error.value).split("nearest: ")[1].strip(".").split(" and ")
    assert {*map(int, nearest)} <= {*right}
    assert min(abs(depth - int(d)) for d in nearest) == min(abs(depth - d) for d in right)


@pytest.mark.parametrize(
    ("depth", "bottleneck"), [(20, None), (20, True), (38, False), (164, None)]
)
def test_bottlenecks_are_the_paper_s_from_164_layers_on(depth, bottleneck):
    found = names(without_values(cifar.ResNetV2, depth, bottleneck=bottleneck))
    has_third = "conv2_block1_3_conv" in found
    assert has_third == (depth >= 164 if bottleneck is None else bottleneck)


@pytest.mark.parametrize("order", ["original", "BN after addition"])
def test_full_pre_activation_leaves_the_shortcut_clean(order):
    after = [x.name for x in cifar.ResNetV2(14, activation_order=order, **POINTS).layers]
    clean = [x.name for x in cifar.ResNetV2(14, **POINTS).layers]
    assert "conv2_block2_post_relu" in after
    assert not [name for name in clean if name.startswith("conv2_block2_post")]
    assert "post_relu" in clean, "the last activation"
