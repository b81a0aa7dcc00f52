"""To PyTorch and back: plain networks under the zoos' names, on the backend that has PyTorch."""

import keras
import numpy as np
import pytest

import keras_ilsvrc
from keras_ilsvrc import pretrained

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch's own networks run where PyTorch is", allow_module_level=True)

import safetensors.torch
import torch
from torch_networks import (
    VGG,
    Basic,
    BNInception,
    DenseNet,
    ResNet,
    apart,
    scrambled,
    theirs,
)

SE = {"ratio": 16, "stride_on": "1x1", "grid": "ceil", "fc": "last_linear", "stem": "layer0"}
# name, source: the network there
NETWORKS = {
    ("resnet18", "torchvision"): lambda: ResNet(Basic, (2, 2, 2, 2)),
    ("resnet50", "torchvision"): lambda: ResNet(stride_on="3x3"),
    ("resnet50", "timm"): lambda: ResNet(stride_on="3x3"),
    ("se_resnet50", "cadene"): lambda: ResNet(gate="se_module", **SE),
    ("se_resnet50", "timm"): lambda: ResNet(gate="se_module", **SE),
    ("densenet121", "torchvision"): DenseNet,
    ("densenet121", "timm"): DenseNet,
    ("vgg11", "torchvision"): VGG,
    ("vgg11_bn", "torchvision"): lambda: VGG(normalized=True),
    ("vgg11", "timm"): lambda: VGG(windows=True),
    ("inception_v2", "cadene"): BNInception,
}
SIZE = {"vgg11": 224, "vgg11_bn": 224}


# Source forms whose pooling rounds up; sizes at which their maps have odd sides, and even ones. At
# odd sides before a module that halves it BN-Inception cannot be built in PyTorch.
ROUNDED_UP = {
    ("se_resnet50", "cadene"): (64, 65, 69, 77),
    ("se_resnet50", "timm"): (65, 70),
    ("inception_v2", "cadene"): (64, 66, 99),
}


@pytest.mark.parametrize(("name", "source"), ROUNDED_UP)
def test_pooling_that_rounds_up_is_the_source_s_at_every_size(name, source, tmp_path):
    """Logits of images of each size, and features of a model whose sizes vary."""
    network = scrambled(NETWORKS[name, source]())
    torch.save(network.state_dict(), tmp_path / "w.pth")
    any_size = pretrained.load(name, source, tmp_path / "w.pth", include_top=False)
    assert any_size.input_shape == (None, None, None, 3)
    for size in ROUNDED_UP[name, source]:
        x = images(name, size)
        _, logits = ours(tmp_path / "w.pth", name, source, x)
        assert apart(theirs(network, x), logits) <= 1e-5
        features = pretrained.build(name, source, include_top=False, input_shape=x.shape[1:])
        features.set_weights(any_size.get_weights())
        assert apart(features.predict(x, verbose=0), any_size.predict(x, verbose=0)) <= 1e-6


def test_the_file_of_one_size_is_read_at_every_size(tmp_path):
    """Keras' own file: what pads behind the image counts, not by which layer."""
    fixed = pretrained.build("se_resnet50", "cadene", input_shape=(64, 64, 3))
    fixed.save(tmp_path / "w.keras")
    options = {"stride_on": "1x1", "include_top": False, "weights": tmp_path / "w.keras"}
    with pytest.raises(pretrained.LoadError, match="pixels before the image"):
        keras_ilsvrc.SEResNet50(**options)  # the paper's grid
    model = pretrained.load("se_resnet50", "cadene", tmp_path / "w.keras", include_top=False)
    assert (model.get_weights()[0] == fixed.get_weights()[0]).all()


def images(name, size=None):
    size = size or SIZE.get(name, 64)
    return np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")


def ours(path, name, source, x):
    options = {"classifier_activation": None, "input_shape": x.shape[1:]}
    model = pretrained.load(name, source, path, kernel_initializer="zeros", **options)
    return model, model.predict(x, verbose=0)


@pytest.mark.parametrize(("name", "source"), NETWORKS)
def test_there_and_back_the_outputs_are_equal(name, source, tmp_path):
    network, x = scrambled(NETWORKS[name, source]()), images(name)
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    a = theirs(network, x)
    model, b = ours(tmp_path / "w.pth", name, source, x)
    assert apart(a, b) <= 1e-4
    pretrained.save(model, tmp_path / "back.safetensors")
    again = NETWORKS[name, source]().eval()
    again.load_state_dict(safetensors.torch.load_file(tmp_path / "back.safetensors"), strict=True)
    assert apart(a, theirs(again, x)) <= 1e-4


@pytest.mark.parametrize(("name", "source", "wrong"), [
    ("resnet50", "torchvision", lambda: ResNet(stride_on="1x1")),
    ("resnet50", "torchvision", lambda: ResNet(grid="ceil")),
    ("se_resnet50", "cadene", lambda: ResNet(gate="se_module", **SE | {"grid": "padded"})),
    ("inception_v2", "cadene", lambda: BNInception(counted=False)),
])  # fmt: skip
def test_another_form_differs(name, source, wrong, tmp_path):
    """The controls: the weights fit, and the test above would fail."""
    network, x = scrambled(wrong()), images(name)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    assert apart(theirs(network, x), ours(tmp_path / "w.pth", name, source, x)[1]) > 1e-3


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_torch_s_own_files_are_read_as_torch_reads_them(tmp_path, zipped, dtype):
    from keras_ilsvrc.pretrained.files import opened

    base = torch.arange(24.0).reshape(2, 3, 4).to(dtype) / 7
    state = {"a": base, "b": base[1:, ::2], "c": base.permute(2, 0, 1), "d": base[0, 0, 0],
             "e": torch.nn.Parameter(base)}  # fmt: skip
    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    with opened(path) as contents:
        assert [*contents.tensors] == [*state]
        for name, value in state.items():
            read = contents.tensors[name].read()
            assert read.shape == contents.tensors[name].shape == tuple(value.shape)
            assert (read == value.detach().to(torch.float64).numpy()).all()


def test_a_state_dict_of_data_parallel_has_a_prefix(tmp_path):
    network = scrambled(ResNet(Basic, (2, 2, 2, 2)))
    prefixed = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": prefixed}, tmp_path / "w.pth")
    x = images("resnet18")
    assert (
        apart(theirs(network, x), ours(tmp_path / "w.pth", "resnet18", "torchvision", x)[1]) < 1e-4
    )


def test_torch_reads_what_is_saved_as_its_own(tmp_path):
    model = pretrained.build("resnet18", "torchvision")
    pretrained.save(model, tmp_path / "w.pth")
    state = torch.load(tmp_path / "w.pth", weights_only=True)
    ResNet(Basic, (2, 2, 2, 2)).load_state_dict(state, strict=True)


OTHER_SIZES = [
    ("alexnet_owt", "torchvision", 6, (64, 96, 288)),
    ("vgg11", "torchvision", 7, (64, 160, 256)),
    ("vgg11", "timm", 7, (160, 256)),
]


@pytest.mark.parametrize(("name", "source", "side", "sizes"), OTHER_SIZES)
def test_a_classifier_of_fixed_maps_takes_other_sizes_as_its_source_does(name, source, side, sizes):
    """torchvision pools the maps to the size that its first dense layer wants; timm's layers are
    convolutions, whose maps are averaged, and only smaller maps are enlarged.
    """
    from torch.nn import functional as F

    for size in sizes:
        options = {"input_shape": (size, size, 3), "classes": 3, "classifier_activation": None}
        model = pretrained.build(name, source, **options)
        first, second = (
            layer for layer in model.layers if layer.name in ("fc1", "fc2", "fc6", "fc7")
        )
        at = next(x for x in reversed(model.layers) if isinstance(x, keras.layers.MaxPooling2D))
        taps = keras.Model(model.input, [at.output, model.output])
        maps, ours = (y.detach() for y in taps(images(name, size)))
        y = maps.permute(0, 3, 1, 2)
        smaller = min(y.shape[2:]) < side
        if source == "torchvision" or smaller:
            y = F.adaptive_avg_pool2d(y, [max(side, n) if source == "timm" else side
                                          for n in y.shape[2:]])  # fmt: skip
        kernels = [torch.as_tensor(keras.ops.convert_to_numpy(x.kernel)) for x in (first, second)]
        windows = kernels[0].reshape(side, side, y.shape[1], -1).permute(3, 2, 0, 1)
        y = F.relu(F.conv2d(y, windows))
        y = F.relu(
            F.conv2d(y, kernels[1].reshape(*kernels[1].shape[-2:], 1, 1).permute(1, 0, 2, 3))
        )
        kernel = keras.ops.convert_to_numpy(model.get_layer("predictions").kernel)
        last = torch.as_tensor(kernel)
        right = y.mean((2, 3)) @ last
        assert apart(right.numpy(), ours.numpy()) <= 1e-5, (name, source, size)
