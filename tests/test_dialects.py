"""The names and shapes of each source's published package, all matched by its dialect."""

import json
import re
from itertools import groupby
from pathlib import Path

import caffe_networks
import pytest

from conftest import ROOT, without_values
from keras_ilsvrc import AlexNet, catalog, list_models, pretrained
from keras_ilsvrc.pretrained.contents import Contents, Tensor
from keras_ilsvrc.pretrained.dialect import module
from keras_ilsvrc.pretrained.forms import OWN
from keras_ilsvrc.pretrained.matching import Wishes, matched, renamed
from keras_ilsvrc.pretrained.timm import TAGGED

PUBLISHED = {
    source: json.loads((ROOT / "tests" / "names" / f"{source}.json").read_text())
    for source in pretrained.SOURCES
    if source not in ("caffe", "msra")
}
# Described from the papers, in the authors' names.
PUBLISHED["caffe"] = {name: net().names() for name, net in caffe_networks.NETWORKS.items()}


def backbone(depth):
    """torchvision's names without the classifier; as Caffe's, ResNet-50 alone has a bias."""
    names = PUBLISHED["torchvision"][f"resnet{depth}"]
    kept = {n: s for n, s in names.items() if not n.startswith("fc.")}
    return kept | ({"conv1.bias": [64]} if depth == 50 else {})


PUBLISHED["msra"] = {
    "resnet50": backbone(50), "resnet101": backbone(101),
    "vgg16": PUBLISHED["torchvision"]["vgg16"],
}  # fmt: skip
CIFAR_READ = dict(PUBLISHED["cifar"])  # the two files that were read


def cifar_names(depth):
    """Section 4.2 of arXiv:1512.03385 in the words of the files: 2n layers on 16, 32, 64 maps."""

    def unit(place, number, maps, filters):
        return {
            f"{place}conv{number}.weight": [filters, maps, 3, 3],
            **{f"{place}bn{number}.{part}": [filters]
               for part in ("weight", "bias", "running_mean", "running_var")},
        }  # fmt: skip

    names, maps = unit("", 1, 3, 16) | {"linear.weight": [10, 64], "linear.bias": [10]}, 16
    for stage, filters in enumerate((16, 32, 64), 1):
        for block in range((depth - 2) // 6):
            place = f"layer{stage}.{block}."
            names |= unit(place, 1, maps, filters) | unit(place, 2, filters, filters)
            maps = filters
    return names


PUBLISHED["cifar"] = {
    f"cifar_resnet{depth}": cifar_names(depth) for depth in (20, 32, 44, 56, 110, 1202)
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


@pytest.mark.parametrize("name", CIFAR_READ)
def test_the_rule_for_all_depths_gives_the_names_of_the_files_that_were_read(name):
    assert CIFAR_READ[name] == cifar_names(int(name.removeprefix("cifar_resnet")))


@pytest.mark.parametrize(("source", "name"), PAIRS)
def test_all_names_and_shapes_are_matched(source, name):
    options = {} if has_classifier(source, name) else {"include_top": False}
    found = report(source, name, contents(source, name), **options)
    assert found.complete, str(found)
    assert len(found.matched) + len(found.left_out) == len(PUBLISHED[source][name])
    assert all("aux" in n.lower() for n in found.left_out)


def has_classifier(source, name):
    return source != "msra" or name == "vgg16"


@pytest.mark.parametrize("source", pretrained.SOURCES)
def test_a_name_less_and_a_name_more_are_told(source):
    name = next(n for n in PUBLISHED[source] if has_classifier(source, n))
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


@pytest.mark.parametrize(("name", "source", "network"), [
    ("alexnet", "torchvision", "alexnet_owt"), ("resnext50_32x4d", "torchvision", "resnext50"),
    ("legacy_senet154", "timm", "senet154"), ("resnetv2_50", "timm", "resnet50v2"),
    ("inception_v4.tf_in1k", "timm", "inception_v4"), ("ResNet50.a1_in1k", "timm", "resnet50"),
    ("bninception", "cadene", "inception_v2"), ("seresnet50", "qubvel", "se_resnet50"),
    ("resnet110", "cifar", "cifar_resnet110"), ("resnet_50_imagenet", "keras", "resnet50"),
    ("densenet_121_imagenet", "timm", "densenet121"), ("resnet_v2_50_imagenet", "timm",
    "resnet50v2"),
])  # fmt: skip
def test_a_source_s_own_name_is_understood(name, source, network):
    assert pretrained.entry(name, source) is pretrained.SOURCES[source][network]


@pytest.mark.parametrize(("name", "source", "near"), [
    ("resnet50.tv_in1k", "timm", "resnet50.a1_in1k"), ("vgg_16", "torchvision", "vgg16"),
    ("wide_resnet50_2", "torchvision", "resnet50"), ("inception_v4", "keras", "inception_v3"),
    ("legacy_senet15", "timm", "legacy_senet154"), ("resnet21", "cifar", "resnet20"),
])  # fmt: skip
def test_what_a_source_has_not_is_answered_with_the_nearest_that_it_has(name, source, near):
    with pytest.raises(ValueError, match=f"{source!r} has no .*{name}") as error:
        pretrained.entry(name, source)
    assert near in str(error.value).rpartition("nearest that it has: ")[2]


def test_a_builder_means_its_own_network_whatever_a_source_calls_another():
    with pytest.raises(ValueError, match="'torchvision' has no 'alexnet'"):
        AlexNet(weights="torchvision")


@pytest.mark.parametrize("source", pretrained.SOURCES)
def test_a_source_s_own_names_are_of_its_networks(source):
    own = OWN.get(source, {})
    assert set(own.values()) <= set(pretrained.SOURCES[source])
    assert all(name == name.lower() for name in own)


def test_timm_s_tags_are_those_of_its_files():
    for name, dialect in pretrained.SOURCES["timm"].items():
        folder, _, tag = TAGGED[name].partition(".")
        if dialect.file and "huggingface.co" in dialect.file.url:
            assert f"/{folder}.{tag}/" in dialect.file.url


def test_list_models_knows_which_have_trained_weights():
    assert "resnet50" in list_models(weights=True)
    assert not {"plain18", "plain34"} & {*list_models(weights=True)}
    assert list_models("*v2", weights="timm") == [
        "inception_resnet_v2", "resnet101v2", "resnet50v2"
    ]  # of ResNet-152v2 timm has the network, and no weights  # fmt: skip
    assert list_models(weights=False) == list_models()
    with pytest.raises(ValueError, match=r"or a source \('keras', .*\), not 'zoo'"):
        list_models(weights="zoo")


@pytest.mark.parametrize("name", ["zfnet", "alexnet", "plain18", "cifar_resnet20", "resnet200v2"])
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


# --- README --------------------------------------------------------------------------------------


def builders(cell):
    """`ResNet50V2`, `101V2` are ResNet50V2 and ResNet101V2."""
    found = []
    for word in re.findall(r"`([\w.]+)(?:`| \()", cell):
        short = word[0].isdigit()
        found.append(re.match(r"[A-Za-z]+", found[-1])[0] + word if short else word)
    return found


def with_weights(row):
    """The sources that have weights of a network of a row."""
    of = {}
    for name, entry in catalog.ENTRIES.items():
        builder = entry.builder
        prefix = "cifar." if builder.__module__.endswith("cifar") else ""
        of.setdefault(prefix + builder.__name__, set()).add(name)
    names = set().union(*(of.get(builder, set()) for builder in builders(row)))
    return [s for s, there in catalog.WEIGHTS.items() if names & there]


def test_readme_s_table_says_who_has_trained_weights():
    rows = re.findall(r"^\| (`.*?) \|.*\|(.*?)\|$", (ROOT / "README.md").read_text(), re.M)
    assert len(rows) > 10
    for first, last in rows:
        assert last.strip() == ", ".join(with_weights(first)), first
