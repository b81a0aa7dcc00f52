"""The catalog: names, what they build, and whether its tables agree with each other."""

import inspect
import math
import subprocess
import sys

import keras
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import keras_ilsvrc
from keras_ilsvrc import catalog
from keras_ilsvrc.catalog import entry, get_model, list_models

NAMES = list_models()
DEFAULTS = [row[0] for row in catalog.IMAGENET if not row[2]]
SMALL = [name for name in NAMES if entry(name).parameters < 1_100_000]
AUXILIARY = [
    name for name in NAMES if "auxiliary" in inspect.signature(entry(name).builder).parameters
]
# Building needs no random numbers where only shapes are looked at.
ZEROS = {"kernel_initializer": "zeros"}


def parameters(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def macs(model):
    """Each kernel is multiplied once at each place of its output."""
    kinds = keras.layers.Conv2D, keras.layers.Dense
    found = [x for x in model.layers if isinstance(x, kinds)]
    return sum(math.prod((*x.kernel.shape, *x.output.shape[1:-1])) for x in found)


# --- names -------------------------------------------------------------------------------------


def test_each_row_of_the_tables_has_a_name_of_its_own():
    assert len(NAMES) == len(catalog.IMAGENET) + len(catalog.CIFAR)
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_a_pattern_of_itself_and_has_an_entry(name):
    assert list_models(name) == list_models(name.upper()) == [name]
    assert entry(name).name == entry(name.upper()).name == name
    assert callable(entry(name).builder)
    inspect.signature(entry(name).builder).bind(**entry(name).options)


def test_patterns_are_those_of_file_names():
    assert list_models("vgg1[69]") == ["vgg16", "vgg19"]
    assert list_models("CIFAR_PLAIN?0") == ["cifar_plain20"]
    assert list_models("resnet*v2") == ["resnet101v2", "resnet152v2", "resnet200v2", "resnet50v2"]
    assert list_models("resnet") == []


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_builder_s_own_name_and_its_models_are_the_default_entry_s(name):
    builder = entry(name).builder
    assert entry(builder.__name__) == entry(name)
    assert inspect.signature(builder).parameters["name"].default == name


def test_inception_v1_is_googlenet():
    assert entry("inception_v1") == entry("InceptionV1") == entry("GoogLeNet") == entry("googlenet")
    assert "inception_v1" not in NAMES


@pytest.mark.parametrize("name", ["ResNet", "VGG", "resnet-50", "", "*", 50, None])
def test_what_is_no_name_is_answered_with_names(name):
    with pytest.raises(ValueError, match="no network is named") as error:
        entry(name)
    assert repr(name) in str(error.value)
    closest = str(error.value).split("closest: ")[1].split(" (")[0].split(", ")
    assert set(closest) <= set(NAMES)


@given(st.sampled_from(NAMES), st.data())
def test_a_letter_typed_twice_is_recognised(name, data):
    i = data.draw(st.integers(0, len(name) - 1))
    typed = name[:i] + name[i] + name[i:]
    assume(typed not in NAMES)
    with pytest.raises(ValueError, match=rf"closest: .*\b{name}\b"):
        get_model(typed)


# --- models ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_a_model_has_the_name_parameters_and_macs_of_its_entry(name):
    model = get_model(name, **ZEROS)
    assert model.name == name
    assert (parameters(model), macs(model)) == (entry(name).parameters, entry(name).macs)
    assert {*model.input_shape[1:]} == {entry(name).input_size, 3}


def test_an_entry_is_not_its_builder_s_other_networks():
    assert (
        parameters(get_model("cifar_resnet20", shortcut="B")) != entry("cifar_resnet20").parameters
    )


def test_options_reach_the_builder():
    model = get_model("cifar_resnet20", width=4, classes=3, name="mine", **ZEROS)
    assert model.name == "mine"
    assert model.output_shape == (None, 3)
    assert keras_ilsvrc.cifar.ResNet(20, width=4, classes=3).count_params() == model.count_params()


def test_what_a_name_says_may_be_repeated_but_not_contradicted():
    assert get_model("cifar_resnet20", depth=20, width=2, **ZEROS).name == "cifar_resnet20"
    with pytest.raises(ValueError, match="'cifar_resnet20' means depth=20, not 32"):
        get_model("cifar_resnet20", depth=32)
    with pytest.raises(ValueError, match="'vgg16_bn' means normalization='batch', not None"):
        get_model("vgg16_bn", normalization=None)


def test_wrong_options_are_the_builder_s_to_name():
    with pytest.raises(ValueError, match="positive whole number"):
        get_model("cifar_plain20", classes=0)
    with pytest.raises(TypeError, match=r"PlainNet.*shortcut"):
        get_model("cifar_plain20", shortcut="A")


@pytest.mark.parametrize("name", AUXILIARY)
def test_auxiliary_classifiers_have_a_weight_each(name):
    model = get_model(name, auxiliary=True, **ZEROS)
    assert len(entry(name).loss_weights) == len(model.outputs) > 1
    model.compile(loss="categorical_crossentropy", loss_weights=[*entry(name).loss_weights])


@pytest.mark.parametrize("name", sorted({*NAMES} - {*AUXILIARY}))
def test_other_networks_have_one_weight(name):
    assert entry(name).loss_weights == (1.0,)


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [catalog.PLACES, catalog.SIZES, catalog.LOSS_WEIGHTS])
def test_tables_speak_of_networks_of_the_catalog(table):
    assert set(table) <= set(NAMES)


def test_published_errors_are_of_networks_of_the_catalog():
    assert {name for errors in catalog.PUBLISHED.values() for name in errors} <= set(NAMES)
    assert sum(map(len, catalog.PUBLISHED.values())) == sum(len(entry(n).errors) for n in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_errors_are_percentages_and_five_guesses_beat_one(name):
    for top1, top5, protocol, source in entry(name).errors:
        assert 0 < (top5 or 1) < (top1 or 99) < 100
        assert (top1, top5) != (None, None)
        assert ("CIFAR-10" in protocol) == name.startswith("cifar_") == ("ILSVRC" not in protocol)
        assert source.startswith(("arXiv:", "README of ", "Krizhevsky et al."))


def test_errors_come_with_their_protocol():
    ten = [e[:2] for e in entry("resnet50").errors if e.protocol.startswith("10 crops of 224")]
    one = [e[:2] for e in entry("resnet50").errors if "KaimingHe" in e.source]
    assert (ten, one) == ([(22.85, 6.71)], [(24.7, 7.8)])
    assert entry("resnet50").errors[0].source == "arXiv:1512.03385, table 3"


@pytest.mark.parametrize("name", NAMES)
def test_an_arxiv_number_begins_with_its_year(name):
    found = entry(name)
    assert found.arxiv is None or 2000 + int(found.arxiv[:2]) == found.year
    assert ": " in found.paper


@pytest.mark.parametrize(
    "family",
    [
        "vgg11 vgg13 vgg16 vgg19",
        "resnet18 resnet34 resnet50 resnet101 resnet152",
        "resnet50v2 resnet101v2 resnet152v2 resnet200v2",
        "densenet121 densenet169 densenet201 densenet264 densenet161",
        "se_resnet50 se_resnet101 se_resnet152 senet154",
        "cifar_resnet20 cifar_resnet32 cifar_resnet44 cifar_resnet56 cifar_resnet110",
    ],
)
def test_larger_members_of_a_family_multiply_more(family):
    counts = [entry(name).macs for name in family.split()]
    assert counts == sorted(set(counts))


def test_reading_the_catalog_builds_no_layer():
    code = (
        "import keras; keras.layers.Layer.__init__ = None; "
        "from keras_ilsvrc import list_models; list_models()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
