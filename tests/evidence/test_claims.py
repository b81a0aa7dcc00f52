"""Claims as data: every row, in the document's own words."""

import pytest

from conftest import missing
from reproductions.claims import CLAIMS, FLAGSHIP, Computed, Trained
from reproductions.experiments.arms import ARMS
from reproductions.experiments.metrics import METRICS
from reproductions.experiments.planning import checks
from reproductions.experiments.tiers import TIERS

EVERY = list(CLAIMS.values())
STATEMENTS = [(claim, statement) for claim in EVERY for statement in claim.statements]


def folded(text):
    return " ".join(text.split())


def test_names_are_unique():
    assert len({claim.name for claim in EVERY}) == len(EVERY) == 53
    for claim in EVERY:
        assert len({s.name for s in claim.statements}) == len(claim.statements)
    assert set(FLAGSHIP) < set(CLAIMS)


def test_every_quotation_is_in_the_document(document):
    """Verbatim, white space folded."""
    text = folded(document)
    absent = [words for claim in EVERY for words in claim.quotes if folded(words) not in text]
    assert not absent


def test_a_wrong_quotation_would_be_found(document):
    assert folded("Train error가 더 낮았음") not in folded(document)


@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.name)
def test_a_claim_says_what_it_reads_and_where_it_is_published(claim):
    assert claim.reading.endswith(".")
    assert all(translation for translation in claim.quotes.values())
    assert claim.source == "document" or claim.paper
    assert all(s.says and s.name for s in claim.statements)


@pytest.mark.parametrize("claim", [c for c in EVERY if c.trained], ids=lambda claim: claim.name)
def test_a_trained_claim_confesses_what_is_untuned_and_shrunk(claim):
    assert claim.untuned
    for statement in claim.trained:
        assert set(statement.decided_at) <= set(claim.shrunk)


def test_kinds_are_those_of_their_form():
    computed = {s.kind for _, s in STATEMENTS if isinstance(s, Computed)}
    assert computed == {"exact", "numeric", "published", "measured"}
    assert {s.kind for _, s in STATEMENTS} == computed | {"trained", "imagenet"}


def test_every_arm_metric_setting_and_tier_is_known():
    for statement in (s for _, s in STATEMENTS if isinstance(s, Trained)):
        assert set(statement.contrast) <= set(ARMS)
        assert statement.metric in METRICS
        assert set(statement.seeds) <= set(TIERS)


def test_checks_are_shared_by_their_statements():
    names = {s.check for _, s in STATEMENTS if isinstance(s, Computed)}
    specs = checks(EVERY, "jax").values()
    assert {spec["arm"]["name"] for spec in specs} == names
    assert len(specs) == len(names)


def test_the_document_s_words_for_the_flagship():
    claim = CLAIMS["degradation-plain"]
    assert claim.quotes == {"Train error가 더 높았음": "the training error was higher"}


def test_what_is_missing_is_said(monkeypatch):
    """A test without its data skips, or where nothing may be missing fails."""
    monkeypatch.delenv("NOTHING_MISSING", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        missing("no such thing")
    monkeypatch.setenv("NOTHING_MISSING", "1")
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        missing("no such thing")
