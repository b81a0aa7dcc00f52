"""What a reader is told before any verdict, and beside one that stays open."""

import re

import pytest
from test_report import FLAGSHIP_CLAIMS, FOUND, alone, folder_of

from reproductions import report
from reproductions.analysis.findings import findings
from reproductions.analysis.replacement import replace_result
from reproductions.analysis.scope import describe_training, reductions
from reproductions.analysis.verdict import CONTRADICTED, INCONCLUSIVE, REPRODUCED
from reproductions.claims import CLAIMS
from reproductions.experiments.tiers import TIERS


@pytest.mark.parametrize("tier", TIERS)
def test_every_size_below_the_paper_s_is_named_and_no_other(tier):
    text, paper = reductions(TIERS[tier]), TIERS["paper"]
    for name in ("image_size", "width", "train_images", "steps"):
        here, there = getattr(TIERS[tier], name), getattr(paper, name)
        pair = rf"(?<!\d){here:,}(?!\d)[^,.]*(?:,\d+[^,.]*)* instead of {there:,}"
        assert bool(re.search(pair, text)) == (here != there)
    assert ("the start of training" in text) == (TIERS[tier].steps < paper.steps)
    assert (text == "Nothing is reduced.") == (tier == "paper")


def test_own_records_are_described_and_what_was_not_run_is_folded(tmp_path):
    """The residual statement is not decided at this tier: the committed records' verdict stands
    beside its own numbers.
    """
    store = folder_of(tmp_path)
    html, markdown, _ = report.write(alone(store), tmp_path / "out", FOUND)
    text, page = markdown.read_text(), html.read_text()
    found = findings(CLAIMS.values(), store.read(), {})
    bare = sum(not finding.headline for finding in found)
    assert bare > 90
    for words in ("16x16", "312 training steps instead of 64,000", "the start of training"):
        assert text.index(words) < text.index("| claim |")
        assert page.index(words) < page.index('id="verdicts"')
    for written in (text, page):
        assert f"{bare} more statements are NOT RUN" in written
        table = written[: written.index("more statements are NOT RUN")]
        assert table.count("degradation-residual") >= 1
        assert "googlenet-params" not in table
        assert "committed records, night tier: INCONCLUSIVE" in table
    assert f"{len({f.claim.name for f in found})} claims" in text


def test_who_judges_what_stays_open_is_said_where_there_is_such_a_tier(tmp_path):
    found = findings(FLAGSHIP_CLAIMS, folder_of(tmp_path).read(), {})
    judged = describe_training(found, FOUND)[-1]
    assert "judged by the committed records at the night tier" in judged
    assert not any("judged by" in sentence for sentence in describe_training(found))
    assert describe_training([]) == []


def test_a_verdict_with_one_result_replaced(tmp_path):
    """A plain-56 that errs as little as plain-20 opens the verdict; the same result leaves it."""
    records = folder_of(tmp_path).read()
    record = next(
        r
        for r in records.values()
        if (r["spec"]["arm"]["name"], r["spec"]["seed"]) == ("plain-56", 3)
    )
    better = {
        **record["result"],
        "curves": {**record["result"]["curves"], "train_error": [0.9, 0.1]},
    }
    words = {}
    for name, result in (("same", record["result"]), ("better", better)):
        words[name] = {
            some.recorded.statement.name: (
                some.recorded.verdict.word, some.replaced.verdict.word, some.same_word
            )
            for some in replace_result(record, result, [CLAIMS["degradation-plain"]], records, {})
        }  # fmt: skip
    assert words["same"]["training error"] == (REPRODUCED, REPRODUCED, True)
    recorded, replaced, same = words["better"]["training error"]
    assert recorded == REPRODUCED
    assert replaced in (INCONCLUSIVE, CONTRADICTED)
    assert not same
    other = next(r for r in records.values() if r["spec"]["arm"]["name"] == "resnet-20")
    assert not replace_result(other, better, [CLAIMS["degradation-plain"]], records, {})
