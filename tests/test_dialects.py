"""The names and shapes of each source's published package, all matched by its dialect."""

import json
from itertools import groupby
from pathlib import Path

import pytest

from conftest import ROOT, without_values
from keras_ilsvrc import pretrained
from keras_ilsvrc.pretrained.contents import Contents, Tensor
from keras_ilsvrc.pretrained.dialect import module
from keras_ilsvrc.pretrained.matching import Wishes, matched, renamed

PUBLISHED = {
    source: json.loads((ROOT / "tests" / "names" / f"{source}.json").read_text())
    for source in pretrained.SOURCES
}
PAIRS = [(source, name) for source, networks in PUBLISHED.items() for name in networks]


def contents(source, name, **changed):
    kind = "legacy" if source in ("keras", "qubvel") else "state"
    names = {n: s for n, s in (PUBLISHED[source][name] | changed).items() if s is not None}
    layers = [[*group] for _, group in groupby(names, lambda n: n.rpartition("/")[0])]
    tensors = {n: Tensor(tuple(s), None) for n, s in names.items()}
    return Contents(kind, tensors, layers=tuple(map(tuple, layers)))


def report(source, name, found, **options):
    model = without_values(pretrained.build, name, source, kernel_initializer="zeros", **options)
    dialect = pretrained.entry(name, source)
    wishes = Wishes("classes" in options, no_top=not options.get("include_top", True))
    return matched(model, Path("file"), renamed(found, dialect), dialect, wishes)[0]


def test_every_network_of_a_source_has_its_names_and_no_other_is_offered():
    assert {s: set(d) for s, d in pretrained.SOURCES.items()} == {
        s: set(names) for s, names in PUBLISHED.items()
    }


@pytest.mark.parametrize(("source", "name"), PAIRS)
def test_all_names_and_shapes_are_matched(source, name):
    found = report(source, name, contents(source, name))
    assert found.complete, str(found)
    assert len(found.matched) + len(found.left_out) == len(PUBLISHED[source][name])
    assert all("aux" in n.lower() for n in found.left_out)


@pytest.mark.parametrize("source", pretrained.SOURCES)
def test_a_name_less_and_a_name_more_are_told(source):
    name = next(iter(PUBLISHED[source]))
    first = next(n for n, shape in PUBLISHED[source][name].items() if len(shape) == 4)
    assert not report(source, name, contents(source, name, **{first: None})).complete
    more = report(source, name, contents(source, name, **{"more.weight": [3, 5]}))
    assert more.unexpected == ("more.weight",)


@pytest.mark.parametrize(("source", "name"), [
    ("torchvision", "vgg16"), ("timm", "vgg16_bn"), ("cadene", "senet154"),
    ("cifar", "cifar_resnet20"),
    ("keras", "vgg16"), ("qubvel", "se_resnet50"),
])  # fmt: skip
def test_without_top_the_classifier_alone_is_left_out(source, name):
    found = report(source, name, contents(source, name), include_top=False)
    assert found.complete, str(found)
    layers = {n.rpartition("." if "." in n else "/")[0] for n in found.left_out}
    assert len(layers) == (3 if "vgg" in name else 1)


def test_the_older_names_of_densenet_are_known():
    names = PUBLISHED["torchvision"]["densenet121"]
    older = {
        n.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2.") if "denselayer" in n else n: s
        for n, s in names.items()
    }  # fmt: skip
    assert older.keys() != names.keys()
    found = Contents("state", {n: Tensor(tuple(s), None) for n, s in older.items()})
    assert report("torchvision", "densenet121", found).complete


def test_counters_are_no_weights():
    found = contents("torchvision", "resnet18", **{"bn1.num_batches_tracked": []})
    assert report("torchvision", "resnet18", found).complete


@pytest.mark.parametrize(("layer", "there"), [
    ("conv2_block10_3_bn", "layer1.9.bn3"),
    ("conv2_block1_0_conv", "layer1.0.downsample.0"),
    ("conv2_blockx_0_conv", None),
    ("other", None),
])  # fmt: skip
def test_a_name_is_filled_in_or_there_is_none(layer, there):
    assert module(pretrained.entry("resnet50", "torchvision").names, layer) == there


@pytest.mark.parametrize(("name", "source"), [
    ("resnet50", "keras"), ("resnet18", "torchvision"), ("inception_v2", "cadene"),
    ("inception_v4", "cadene"), ("senet154", "cadene"), ("inception_resnet_v2", "keras"),
])  # fmt: skip
def test_imagenet_is_the_first_source_with_a_file(name, source):
    assert pretrained.entry(name, "imagenet") is pretrained.entry(name, source)


@pytest.mark.parametrize("name", ["zfnet", "plain18", "cifar_resnet20", "resnet200v2"])
def test_where_there_is_none_imagenet_says_so(name):
    with pytest.raises(ValueError, match="no known source has weights"):
        pretrained.entry(name, "imagenet")


@pytest.mark.parametrize(("name", "source", "options", "right"), [
    ("resnet50", "torchvision", {"stride_on": "1x1"}, "has stride_on='3x3', not '1x1'"),
    ("resnet50", "keras", {"shortcut": "A"}, "has shortcut='B', not 'A'"),
    ("googlenet", "torchvision", {"normalization": None}, "has normalization='batch'"),
    ("vgg16_bn", "timm", {"normalization": None}, "has normalization='batch'"),
    ("resnet50", "keras", {"weights": "keras"}, "`load` has them from its source"),
])  # fmt: skip
def test_an_option_that_contradicts_the_form_is_refused(name, source, options, right):
    with pytest.raises(ValueError, match=right):
        pretrained.build(name, source, **options)
