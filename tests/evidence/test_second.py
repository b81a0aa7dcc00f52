"""Second looks, on seeds kept apart, at the same learning rates and at a third of them; runs made
anew.
"""

import pytest
from test_report import group, made

from reproductions.analysis import replications
from reproductions.analysis.findings import Finding, findings, runs_in
from reproductions.analysis.replications import ANEW
from reproductions.analysis.verdict import CONTRADICTED, INCONCLUSIVE, REPRODUCED
from reproductions.claims import CLAIMS
from reproductions.evidence.store import COMMITTED, Store
from reproductions.experiments.planning import runs_of
from reproductions.experiments.replication import FIRST, VARIANTS, plan_replications
from reproductions.report import replication_text

CLAIM = CLAIMS["degradation-plain"]
STATEMENT = CLAIM.trained[0]
GROUP = group()
SLOWER = "other seeds, a third of the learning rates"


def test_looks_have_other_seeds_and_rates_and_nothing_else():
    judged = runs_of(STATEMENT, GROUP, {})
    same, slower = plan_replications(STATEMENT, GROUP, {}).values()
    assert {seed for _, seed in same} == {FIRST, FIRST + 1, FIRST + 2}
    shift = FIRST - STATEMENT.first
    assert same.keys() == slower.keys()
    for (arm, seed), spec in same.items():
        assert {**spec, "seed": seed - shift} == judged[arm, seed - shift]
        schedule = slower[arm, seed]["recipe"]["schedule"]
        assert max(rate for _, rate in schedule) == 0.1 / 3
        recipe = {**slower[arm, seed]["recipe"], "schedule": spec["recipe"]["schedule"]}
        assert {**slower[arm, seed], "recipe": recipe} == spec


def test_what_is_measured_before_the_first_step_is_looked_at_at_one_rate():
    at_start, in_training = CLAIMS["cause-vanishing"].trained[:2]
    assert list(plan_replications(at_start, GROUP, {})) == ["other seeds"]
    assert list(plan_replications(in_training, GROUP, {})) == list(VARIANTS)


def judged_as(deep, in_group=GROUP):
    """Records of the statement's runs: plain-20 at 0.5, plain-56 at `deep`."""
    return {
        record["key"]: record
        for (arm, seed), spec in runs_of(STATEMENT, in_group, {}).items()
        for record in [made(spec, deep + seed % 2 / 1000 if arm == "plain-56" else 0.5)]
    }


def finding_of(records):
    return Finding(CLAIM, STATEMENT, (runs_in(STATEMENT, GROUP, records, {}),))


def test_a_look_is_judged_by_the_rule_and_told_beside_the_verdict():
    records = {}
    for specs, deep in zip(
        plan_replications(STATEMENT, GROUP, {}).values(), (0.8, 0.3), strict=True
    ):
        for (arm, seed), spec in specs.items():
            error = (deep if arm == "plain-56" else 0.5) + (seed - FIRST) / 1000
            record = made(spec, error + (0.001 * seed % 0.002 if arm == "plain-56" else 0))
            records[record["key"]] = record
    finding = finding_of(judged_as(0.8))
    made_again = replications.repeats([finding], records, {}, {})
    same, other = replications.of(finding, made_again)
    assert (same.other, same.words) == ("other seeds", ("REPRODUCED", "REPRODUCED"))
    assert (other.other, other.words) == (SLOWER, ("REPRODUCED", "CONTRADICTED"))
    first, second = replication_text.sentences(finding, made_again)
    assert first.startswith("Again, other seeds (environment 0123456789): REPRODUCED, +30")
    assert second.startswith(f"Again, {SLOWER} (environment 0123456789): CONTRADICTED")
    assert replication_text.sentences(finding, made_again, other_word=True) == [second]
    assert (
        replication_text.in_short(finding, made_again) == f"1 of 2 the same; {SLOWER}: CONTRADICTED"
    )
    one_arm = {k: r for k, r in records.items() if r["spec"]["arm"]["name"] == "plain-56"}
    for some in ({}, one_arm):
        none = replications.repeats([finding], some, {}, {})
        assert replication_text.sentences(finding, none) == []
        assert replication_text.in_short(finding, none) == ""


@pytest.mark.parametrize(
    ("deep", "new", "words"),
    [
        (0.8, 0.7, (REPRODUCED, REPRODUCED)),
        (0.8, 0.3, (REPRODUCED, CONTRADICTED)),
        (0.8, 0.51, (REPRODUCED, INCONCLUSIVE)),
        (0.51, 0.8, (INCONCLUSIVE, REPRODUCED)),
        (0.51, 0.51, (INCONCLUSIVE, INCONCLUSIVE)),
    ],
)
def test_runs_made_anew_are_judged_by_the_same_rule_and_counted(deep, new, words):
    finding, anew = finding_of(judged_as(deep)), judged_as(new)
    made_again = replications.repeats([finding], {}, anew, {})
    (repeat,) = replications.of(finding, made_again)
    assert (repeat.other, repeat.words) == (ANEW, words)
    assert replications.moved([finding], made_again) == [repeat] * (words[0] != words[1])
    counted = {
        (here, there): number
        for here, numbers in replications.table([finding], made_again)
        for there, number in zip(replications.VERDICTS, numbers, strict=True)
        if number
    }
    assert counted == {words: 1}
    anew.popitem()
    for lacking in (anew, {}):
        assert (
            replications.same_seeds([finding], replications.repeats([finding], {}, lacking, {}))
            == []
        )


@pytest.mark.parametrize(("claim", "all_of_them", "counted"),
                         [("cause-vanishing", 4, 1), ("vgg-transfer", 3, 3)])  # fmt: skip
def test_what_could_hardly_move_and_what_is_told_twice_is_not_counted(claim, all_of_them, counted):
    """Of the committed records: two statements are of one start, two of one training; and three
    of one metric and two arms, but of other runs.
    """
    records, anew, explored = (Store(COMMITTED / name).read() for name in ("", "anew", "explored"))
    found = findings([CLAIMS[claim]], records, explored)
    made_again = replications.repeats(found, {}, anew, explored)
    assert len(replications.same_seeds(found, made_again)) == all_of_them
    assert sum(sum(numbers) for _, numbers in replications.table(found, made_again)) == counted


def test_what_runs_of_another_group_gave_again_is_told_by_its_name():
    """The headline is of the night tier, and was not made again."""
    night = runs_in(STATEMENT, group(tier="night"), judged_as(0.8, group(tier="night")), {})
    laptop = finding_of(judged_as(0.8)).runs[0]
    finding = Finding(CLAIM, STATEMENT, (night, laptop))
    made_again = replications.repeats([finding], {}, judged_as(0.3), {})
    (told,) = replication_text.sentences(finding, made_again)
    assert told.startswith(f"Again, {ANEW} at laptop · torch · cifar10 (environment 0123456789)")
    assert "CONTRADICTED" in told
    short = replication_text.in_short(finding, made_again)
    assert short == f"at laptop · torch · cifar10: 0 of 1 the same; {ANEW}: CONTRADICTED"
    assert replications.same_seeds([finding], made_again) == []
    assert replications.once([finding], made_again) == [CLAIM.name]
