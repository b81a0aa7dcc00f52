"""What trained claims declare."""

from math import log

import pytest
from test_arms import FILES, STATEMENTS

from reproductions.claims import degradation, normalization
from reproductions.experiments.metrics import METRICS
from reproductions.experiments.tiers import TIERS

CLAIMS = [claim for file in FILES for claim in file.CLAIMS]
ORDER = dict(zip(("after", "before"), normalization.ORDER, strict=True))

# Published effects in the metric's own scale, the smallest where there are several.
PUBLISHED = {
    "degradation-plain": 0.1295 - 0.0978,
    "degradation-difference": (0.1295 - 0.0978) - (0.0740 - 0.0851),
    "degradation-residual": 0.0875 - 0.0697,
    "vgg-expressive": 0.07,
    "vgg-deeper": 0.296 - 0.287,
    "bn-faster": log(31.0 / 13.3),
    "densenet-lean": 0.0643 - 0.0451,
    "senet-gain": 0.0637 - 0.0521,
}
MARGINS = [
    *((s, PUBLISHED[claim.name]) for claim in CLAIMS if claim.name in PUBLISHED
      for s in claim.trained),
    (degradation.DEEPER, 0.0717 - 0.0697),
    (ORDER["after"], 0.0817 - 0.0661),
    (ORDER["before"], 0.0661 - 0.0637),
]  # fmt: skip

each_statement = pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)


@pytest.mark.parametrize(("statement", "effect"), MARGINS, ids=lambda x: getattr(x, "name", ""))
def test_margins_are_at_most_half_of_what_is_published(statement, effect):
    assert 0 < statement.margin <= effect / 2 + 1e-12


@each_statement
def test_contrasts_compare(statement):
    weights = list(statement.contrast.values())
    assert len(weights) == 1 or sum(weights) == 0
    if statement.rule == "falling":
        assert weights == [1, *[0] * (len(weights) - 2), -1]
    else:
        assert 0 not in weights


@each_statement
def test_metrics_fit(statement):
    assert statement.metric in METRICS
    assert statement.rule != "sooner" or METRICS[statement.metric].counts_steps
    about_a_loss = "to the" in statement.metric or "at equal" in statement.metric
    assert statement.level.keys() == (statement.seeds.keys() if about_a_loss else set())


@each_statement
def test_tiers_that_decide_have_seeds_and_smoke_never_does(statement):
    assert statement.decided_at
    assert set(statement.decided_at) <= set(statement.seeds) <= set(TIERS)
    assert "smoke" not in statement.decided_at
    assert statement.seeds["smoke"] == 1
    assert all(statement.seeds[tier] >= 3 for tier in statement.decided_at)


@each_statement
def test_no_difference_takes_ten_seeds(statement):
    if statement.rule in ("not inferior", "equivalent"):
        assert statement.seeds["paper"] == 10


@each_claim
def test_what_is_shrunk_is_said_of_each_tier(claim):
    tiers = {tier for s in claim.trained for tier in s.seeds}
    assert set(claim.shrunk) == tiers
    assert claim.untuned


@each_claim
def test_a_claim_of_a_paper_cites_it(claim):
    assert claim.quotes or any("arXiv:" in figure for figure in claim.paper)
