"""Second looks, on seeds kept apart, at the same learning rates and at a third of them; runs made
anew.
"""

from test_report import group, made

from reproductions.claims import CLAIMS
from reproductions.findings import Finding, runs_in
from reproductions.plan import runs_of
from reproductions.report import view
from reproductions.second import FIRST, looked, looks, made_anew

CLAIM = CLAIMS["degradation-plain"]
STATEMENT = CLAIM.trained[0]
GROUP = group()


def test_looks_have_other_seeds_and_rates_and_nothing_else():
    judged = runs_of(STATEMENT, GROUP, {})
    same, slower = looks(STATEMENT, GROUP, {}).values()
    assert {seed for _, seed in same} == {FIRST, FIRST + 1, FIRST + 2}
    shift = FIRST - STATEMENT.first
    assert same.keys() == slower.keys()
    for (arm, seed), spec in same.items():
        assert {**spec, "seed": seed - shift} == judged[arm, seed - shift]
        schedule = slower[arm, seed]["recipe"]["schedule"]
        assert max(rate for _, rate in schedule) == 0.1 / 3
        recipe = {**slower[arm, seed]["recipe"], "schedule": spec["recipe"]["schedule"]}
        assert {**slower[arm, seed], "recipe": recipe} == spec


def test_a_look_is_judged_by_the_rule_and_told_beside_the_verdict():
    records = {}
    for specs, deep in zip(looks(STATEMENT, GROUP, {}).values(), (0.8, 0.3), strict=True):
        for (arm, seed), spec in specs.items():
            error = (deep if arm == "plain-56" else 0.5) + (seed - FIRST) / 1000
            record = made(spec, error + (0.001 * seed % 0.002 if arm == "plain-56" else 0))
            records[record["key"]] = record
    judged = {}
    for spec in runs_of(STATEMENT, GROUP, {}).values():
        record = made(spec, 0.5)
        judged[record["key"]] = record
    finding = Finding(CLAIM, STATEMENT, (runs_in(STATEMENT, GROUP, judged, {}),))
    found = looked(finding.runs[0], records, {})
    assert [runs.verdict.word for runs in found.values()] == ["REPRODUCED", "CONTRADICTED"]
    first, second = view.second_look(finding, records, {})
    assert first.startswith("on seeds from 2000 on, at the same learning rates: REPRODUCED, +30")
    assert second.startswith(
        "on seeds from 2000 on, at a third of the learning rates: CONTRADICTED"
    )
    one_arm = {k: r for k, r in records.items() if r["spec"]["arm"]["name"] == "plain-56"}
    for some in ({}, one_arm):
        assert view.second_look(finding, some, {}) == []


def judged_as(deep):
    """Records of the statement's runs: plain-20 at 0.5, plain-56 at `deep`."""
    return {
        record["key"]: record
        for (arm, seed), spec in runs_of(STATEMENT, GROUP, {}).items()
        for record in [made(spec, deep + seed % 2 / 1000 if arm == "plain-56" else 0.5)]
    }


def test_runs_made_anew_are_judged_by_the_same_rule_and_told_where_the_word_differs():
    first = judged_as(0.8)
    finding = Finding(CLAIM, STATEMENT, (runs_in(STATEMENT, GROUP, first, {}),))
    for deep, word in ((0.7, "REPRODUCED"), (0.3, "CONTRADICTED")):
        anew = judged_as(deep)
        assert made_anew(finding.runs[0], anew).verdict.word == word
        assert view.anew_on_another_machine(finding, anew).verdict.word == word
        told = view.steady([finding], anew)
        assert "The runs of 1 verdicts" in told
        assert ("1 verdicts are the same, and 0 the opposite" in told) == (word == "REPRODUCED")
        assert ("0 verdicts are the same, and 1 the opposite" in told) == (word == "CONTRADICTED")
    anew.popitem()
    for lacking in (anew, {}):
        assert view.anew_on_another_machine(finding, lacking) is None
        assert view.steady([finding], lacking) == ""
