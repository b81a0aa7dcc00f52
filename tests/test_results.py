"""The table of published results says what the package's data say, and is in the documents."""

import pytest

from conftest import ROOT
from keras_ilsvrc import catalog, pretrained
from keras_ilsvrc.pretrained.results import TOLD, lineage, page


def test_the_document_is_as_generated():
    """`python -m keras_ilsvrc.pretrained.results > docs/results.md`"""
    assert (ROOT / "docs" / "results.md").read_text() == page()


def test_every_network_of_every_source_has_its_row():
    rows = {tuple(line.split(" | ")[:2]) for line in page().splitlines() if line.startswith("| ")}
    wanted = {(f"| {name}", s) for s, names in catalog.WEIGHTS.items() for name in names}
    assert wanted <= rows
    assert len(rows) == len(wanted) + 1  # the head


@pytest.mark.parametrize("source", pretrained.SOURCES)
def test_errors_are_of_the_source_s_networks_and_plausible(source):
    errors = TOLD[source].errors
    assert set(errors) <= set(pretrained.SOURCES[source])
    for top1, top5 in errors.values():
        assert 0 < (top5 or 1) < top1 < 50


@pytest.mark.parametrize(("source", "name", "right"), [
    ("keras", "resnet50", "caffe"), ("keras", "resnet50v2", "-"), ("torchvision", "resnet50", "-"),
    ("timm", "se_resnet50", "cadene, of caffe's"), ("onnx", "resnet50", "Caffe2"),
    ("onnx", "alexnet", "caffe"), ("cadene", "inception_v2", "Caffe"),
])  # fmt: skip
def test_lineages_are_told(source, name, right):
    assert lineage(source, name) == right


@pytest.mark.parametrize(("source", "name"), [("caffe", "resnet50"), ("caffe", "se_resnet50")])
def test_what_the_catalog_prints_of_authors_is_printed_of_their_weights(source, name):
    """Two tables of one README."""
    published = [(e.top1, e.top5) for e in catalog.ENTRIES[name].errors if "README" in e.source]
    assert published == [TOLD[source].errors[name]]
