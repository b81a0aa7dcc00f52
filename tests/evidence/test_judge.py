"""Laws of the judge, on plain numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from reproductions.analysis.statistics import sign_flip_p
from reproductions.analysis.trained import effect_range, judge
from reproductions.analysis.verdict import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED
from reproductions.claims import CLAIMS, Trained
from reproductions.experiments.metrics import METRICS

GREATER = Trained(
    name="error",
    says="a is worse than b",
    contrast={"a": 1, "b": -1},
    metric="training error",
    rule="greater",
    margin=0.01,
    margin_argued="",
    seeds={"smoke": 1, "laptop": 3, "night": 5, "paper": 10},
    decided_at=("laptop", "night", "paper"),
    decided_why="",
)
NOT_INFERIOR = replace(GREATER, rule="not inferior")
QUAD = replace(GREATER, contrast={"a": 1, "b": -1, "c": -1, "d": 1})
TIERS = ("laptop", "night", "paper")

shares = st.integers(0, 1000).map(lambda i: i / 1000)
statements = st.sampled_from((GREATER, NOT_INFERIOR, QUAD))
tiers = st.sampled_from(TIERS)


@st.composite
def experiments(draw, statement=None):
    """A statement, a tier, and errors of its arms: near one another or anywhere."""
    statement = statement or draw(statements)
    tier = draw(tiers)
    centre = {arm: draw(shares) for arm in statement.contrast}
    spread = draw(st.sampled_from((0.01, 0.05, 1)))
    errors = {
        (arm, seed): min(1, max(0, centre[arm] + spread * (draw(shares) - 0.5)))
        for arm in statement.contrast
        for seed in statement.judged(tier)
    }
    return statement, tier, errors


FALLING = replace(GREATER, rule="falling", contrast={"a": 1, "b": 0, "c": -1})
EQUIVALENT = replace(GREATER, rule="equivalent")
SOONER = replace(GREATER, rule="sooner", metric="steps to the training loss", margin=0.4)


def by_arm(**values):
    """{arm: values of its seeds} as the judge has them."""
    return {(arm, seed): v for arm, row in values.items() for seed, v in enumerate(row)}


def of(effects):
    """Errors whose effects are as given."""
    return {("a", i): e for i, e in enumerate(effects)} | {
        ("b", i): 0.0 for i in range(len(effects))
    }


def test_a_large_effect_is_reproduced():
    assert judge(GREATER, "laptop", of([0.20, 0.22, 0.24])).word == REPRODUCED


def test_no_effect_is_a_contradiction():
    assert judge(GREATER, "laptop", of([0.001, 0.002, 0.0])).word == CONTRADICTED


def test_an_uncertain_effect_is_inconclusive():
    assert judge(GREATER, "laptop", of([0.00, 0.22, 0.04])).word == INCONCLUSIVE


def test_non_inferiority_either_way_and_superiority():
    better = judge(NOT_INFERIOR, "laptop", of([0.001, 0.002, 0.0]))
    assert (better.word, better.superior) == (REPRODUCED, False)
    assert judge(NOT_INFERIOR, "laptop", of([0.20, 0.22, 0.24])).word == CONTRADICTED
    effects = of([0.3, 0.31, 0.32])
    swapped = {("b" if arm == "a" else "a", seed): e for (arm, seed), e in effects.items()}
    assert judge(NOT_INFERIOR, "laptop", swapped).superior


def test_bounds_and_p_are_scipy_s():
    effects = [0.2, 0.25, 0.31]
    verdict = judge(GREATER, "laptop", of(effects))
    interval = stats.ttest_1samp(effects, 0).confidence_interval(0.90)
    assert verdict.lower == pytest.approx(interval.low)
    assert verdict.upper == pytest.approx(interval.high)
    assert verdict.p == pytest.approx(stats.ttest_1samp(effects, 0.01).pvalue / 2)


@given(st.lists(st.integers(-100, 1000), min_size=2, max_size=7))
def test_sign_flips_are_scipy_s(effects):
    exact = stats.permutation_test(
        (np.array(effects),), np.sum, permutation_type="samples", alternative="greater"
    )
    assert sign_flip_p(effects) == pytest.approx(exact.pvalue)


def test_evidence_measured_beforehand_is_judged_as_it_was_by_hand():
    # Paired t on three seeds: mean .221, one-sided 95 % lower bound +0.150.
    verdict = judge(GREATER, "laptop", of([0.270, 0.194, 0.200]))
    assert verdict.mean == pytest.approx(0.221, abs=1e-3)
    assert verdict.lower == pytest.approx(0.150, abs=1e-3)


@given(experiments(), st.floats(-0.5, 0.5))
def test_a_shift_of_all_errors_changes_nothing(experiment, shift):
    statement, tier, errors = experiment
    moved = {pair: error + shift for pair, error in errors.items()}
    before, after = judge(statement, tier, errors), judge(statement, tier, moved)
    assert before.effects == pytest.approx(after.effects, abs=2e-12)
    assert before.lower == pytest.approx(after.lower, abs=1e-9)
    # Rounding may carry a bound, or an effect, over what it is compared with.
    edges = [before.lower, before.upper] if before.lower is not None else []
    assume(all(abs(edge - statement.margin) > 1e-9 for edge in edges))
    assume(all(abs(effect) > 1e-9 for effect in before.effects))
    assert before.word == after.word


@given(experiments(GREATER))
def test_arms_exchanged_are_never_both_worse(experiment):
    statement, tier, errors = experiment
    swapped = {("b" if arm == "a" else "a", seed): e for (arm, seed), e in errors.items()}
    words = judge(statement, tier, errors).word, judge(statement, tier, swapped).word
    assert words != (REPRODUCED, REPRODUCED)
    if words[0] == REPRODUCED:
        assert words[1] == CONTRADICTED


@given(experiments(), st.randoms())
def test_the_order_of_records_changes_nothing(experiment, random):
    statement, tier, errors = experiment
    items = list(errors.items())
    random.shuffle(items)
    assert judge(statement, tier, dict(items)) == judge(statement, tier, errors)


@given(experiments(), st.lists(st.booleans(), max_size=40), st.data())
def test_losing_a_run_never_makes_a_verdict(experiment, diverged, data):
    """Some runs diverged already; one more diverges or is missing."""
    statement, tier, errors = experiment
    gone = [pair for pair, d in zip(errors, diverged, strict=False) if d][:3]
    errors |= dict.fromkeys(gone)
    before = judge(statement, tier, errors).word
    lost = data.draw(st.sampled_from(sorted(errors)))
    missing = {pair: error for pair, error in errors.items() if pair != lost}
    after = {judge(statement, tier, e).word for e in ({**errors, lost: None}, missing)}
    if before in (INCONCLUSIVE, NOT_RUN):
        assert after <= {INCONCLUSIVE, NOT_RUN}


@given(st.lists(st.floats(0.5, 1.45), min_size=5, max_size=5), st.integers(0, 4))
def test_a_run_that_never_got_there_is_first_by_the_margin_or_not_at_all(ratios, lost):
    """The slower arm's run lost, the others within a ratio of 1.5: no verdict but INCONCLUSIVE."""
    steps = {("a", s): 100.0 for s in range(5)} | {("b", s): 100 * r for s, r in enumerate(ratios)}
    verdict = judge(SOONER, "night", steps | {("b", lost): math.inf})
    assert verdict.word == INCONCLUSIVE
    first = {("b", s): math.inf if s == lost else 151.0 for s in range(5)}
    assert judge(SOONER, "night", steps | first).word == REPRODUCED


def test_seeds_before_the_first_are_not_judged():
    later = replace(GREATER, first=3)
    seen = {(arm, seed): 0.5 for arm in "ab" for seed in range(3)}
    assert judge(later, "laptop", seen).word == NOT_RUN
    errors = {(arm, seed + 3): e for (arm, seed), e in of([0.30, 0.32, 0.28]).items()}
    assert judge(later, "laptop", seen | errors).word == REPRODUCED
    assert judge(later, "laptop", seen | errors).effects == judge(later, "laptop", errors).effects


@given(experiments())
def test_a_missing_run_is_inconclusive_and_none_is_not_run(experiment):
    statement, tier, errors = experiment
    _, *rest = errors
    verdict = judge(statement, tier, {pair: errors[pair] for pair in rest})
    n = statement.seeds[tier]
    assert (verdict.word, verdict.reason) == (
        INCONCLUSIVE,
        f"{n - 1} of {n} seeds have their runs",
    )
    assert judge(statement, tier, {}).word == NOT_RUN


@given(experiments())
def test_further_seeds_are_not_judged(experiment):
    statement, tier, errors = experiment
    more = {(arm, 99): 1.0 for arm in statement.contrast}
    assert judge(statement, tier, errors | more) == judge(statement, tier, errors)


@given(experiments())
def test_a_tier_that_cannot_decide_shows_numbers_and_no_verdict(experiment):
    statement, tier, errors = experiment
    later = replace(statement, decided_at=("paper",))
    verdict = judge(later, tier, errors)
    if tier != "paper":
        assert verdict.word == NOT_RUN
        assert "paper tier" in verdict.reason
    assert verdict.effects == judge(statement, tier, errors).effects


def test_one_value_from_all_seeds_is_no_evidence():
    assert judge(GREATER, "laptop", of([0.5, 0.5, 0.5])).word == INCONCLUSIVE
    # The same effect, but for rounding: 600 images of 2,000.
    counts = {("a", 0): 1600, ("b", 0): 1000, ("a", 1): 1637, ("b", 1): 1037, ("a", 2): 1781}
    errors = {pair: n / 2000 for pair, n in {**counts, ("b", 2): 1181}.items()}
    assert judge(GREATER, "laptop", errors).word == INCONCLUSIVE


def test_one_contrary_sign_in_five_is_not_enough():
    verdict = judge(GREATER, "night", of([0.30, 0.32, 0.28, 0.31, -0.005]))
    assert verdict.lower > GREATER.margin
    assert (verdict.word, verdict.reason[:9]) == (INCONCLUSIVE, "the signs")


def test_a_diverged_run_counts_as_every_error_it_may_have():
    assert effect_range(GREATER, {("a", 0): None, ("b", 0): 0.3}, 0) == (-0.3, 0.7)
    assert effect_range(GREATER, {("a", 0): 0.4, ("b", 0): None}, 0) == (-0.6, 0.4)
    errors = of([0.5] * 9 + [0.6]) | {("a", 9): None}
    verdict = judge(GREATER, "paper", errors | {("b", 0): 0.01})
    assert verdict.word == REPRODUCED
    assert "1 of 10 seeds is unknown" in verdict.reason
    assert judge(GREATER, "laptop", of([0.5, 0.6, 0.0]) | {("a", 2): None}).word == INCONCLUSIVE


def arms_of(statement, effects, draw):
    """Values whose effects are as given; of an order the first fall is far, the second in doubt."""
    if statement.rule == "falling":
        far = draw.normal(0, 0.02, len(effects))
        return by_arm(a=0.9 + far, b=0.5 + effects, c=np.full(len(effects), 0.5))
    if statement.rule == "sooner":
        return by_arm(a=np.full(len(effects), 100.0), b=100 * np.exp(effects))
    return of(effects)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    "statement", [GREATER, NOT_INFERIOR, EQUIVALENT, FALLING, SOONER], ids=lambda s: s.rule
)
def test_nulls_are_called_reproduced_no_oftener_than_alpha(statement, tier):
    """The true effect is the margin: 1,000 experiments, binomial bound."""
    n, draw = statement.seeds[tier], np.random.default_rng(7)
    experiments = statement.margin + draw.normal(0, 0.02, (1000, n))
    values = (arms_of(statement, effects, draw) for effects in experiments)
    wrong = sum(judge(statement, tier, some).word == REPRODUCED for some in values)
    assert stats.binomtest(wrong, 1000, statement.alpha, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("tier", TIERS)
def test_nulls_half_of_which_are_never_reached_are_called_reproduced_no_oftener(tier):
    """As above, but runs slower than the margin's median are lost: signs decide."""
    n, draw = SOONER.seeds[tier], np.random.default_rng(9)
    steps = 100 * np.exp(SOONER.margin + draw.normal(0, 0.02, (1000, n)))
    lost = np.where(steps > 100 * np.exp(SOONER.margin), np.inf, steps)
    values = (by_arm(a=np.full(n, 100.0), b=row) for row in lost)
    wrong = sum(judge(SOONER, tier, some).word == REPRODUCED for some in values)
    assert stats.binomtest(wrong, 1000, SOONER.alpha, alternative="greater").pvalue > 0.001
    assert (wrong > 0) == (n >= 5)  # three signs cannot reach .05


@pytest.mark.parametrize(("tier", "size", "power"), [("laptop", 4, 0.99), ("night", 2, 0.95)])
def test_planted_effects_are_found_at_the_planned_power(tier, size, power):
    """Effects of `size` deviations beyond the margin: n = 3 finds 4 of them, n = 5 two."""
    n, draw = GREATER.seeds[tier], np.random.default_rng(8)
    effects = 0.01 + 0.02 * (size + draw.normal(0, 1, (1000, n)))
    found = sum(judge(GREATER, tier, of(e)).word == REPRODUCED for e in effects)
    assert stats.binomtest(found, 1000, power, alternative="less").pvalue > 0.001


def test_the_judge_would_be_caught_calling_too_much_reproduced():
    """The Monte Carlo test above fails for a rule at twice the alpha."""
    loose, draw = replace(NOT_INFERIOR, alpha=0.10), np.random.default_rng(7)
    effects = 0.01 + draw.normal(0, 0.02, (1000, 10))
    wrong = sum(judge(loose, "paper", of(e)).word == REPRODUCED for e in effects)
    assert stats.binomtest(wrong, 1000, 0.05, alternative="greater").pvalue < 0.001


# --- ordering, equivalence, steps to a loss ---------------------------------------------------


STEADY = (0.500, 0.501, 0.499)


def below(step, noise=(0.0, 0.0005, -0.001)):
    """As STEADY, so far below, and with noise: equal effects would be no independent runs."""
    return tuple(round(x - step + e, 6) for x, e in zip(STEADY, noise, strict=True))


NOISE = (0.0008, -0.0003, 0.0002)


@pytest.mark.parametrize(
    ("b", "c", "word", "told"),
    [
        (below(0.1), below(0.2, NOISE), REPRODUCED, "each arm"),
        (below(0.3), below(0.2, NOISE), CONTRADICTED, "reversed: c above b"),
        (below(0.0), below(0.2, NOISE), INCONCLUSIVE, "only the ends hold"),
        ((0.5, 0.4, 0.6), (0.45, 0.55, 0.5), INCONCLUSIVE, "not even the ends"),
        (below(0.001), below(0.002, NOISE), CONTRADICTED, "not +1.0 points below"),
    ],
)
def test_an_order_holds_by_every_adjacent_pair(b, c, word, told):
    verdict = judge(FALLING, "laptop", by_arm(a=STEADY, b=b, c=c))
    assert (verdict.word, told in verdict.reason) == (word, True), verdict.reason
    assert "tau of the means 1.00" in verdict.reason or word != REPRODUCED
    assert verdict.p is None  # that of the ends would not be the order's


def test_an_order_with_a_diverged_run_is_open_and_has_no_tau():
    values = by_arm(a=STEADY, b=below(0.1), c=below(0.2, NOISE)) | {("c", 0): None}
    verdict = judge(FALLING, "laptop", values)
    assert verdict.word == INCONCLUSIVE
    assert "tau" not in verdict.reason


@pytest.mark.parametrize(
    ("effects", "word"),
    [
        ([0.001, -0.002, 0.0005], REPRODUCED),
        ([0.05, 0.052, 0.049], CONTRADICTED),
        ([-0.05, -0.052, -0.049], CONTRADICTED),
        ([0.02, -0.015, 0.004], INCONCLUSIVE),
        ([0.009, 0.0095, 0.012], INCONCLUSIVE),
    ],
)
def test_equivalence_is_two_one_sided_tests(effects, word):
    assert judge(EQUIVALENT, "laptop", of(effects)).word == word


def test_equivalence_is_scipy_s():
    """REPRODUCED exactly where both one-sided tests against the margins are below alpha."""
    draw, words = np.random.default_rng(3), set()
    for effects in draw.normal(0, 0.008, (200, 5)):
        p = [stats.ttest_1samp(effects, side * 0.01, alternative=way).pvalue
             for side, way in ((-1, "greater"), (1, "less"))]  # fmt: skip
        word = judge(EQUIVALENT, "night", of(effects)).word
        assert (word == REPRODUCED) == (max(p) < 0.05)
        words.add(word)
    assert {REPRODUCED, INCONCLUSIVE} <= words


def test_a_diverged_run_leaves_equivalence_open_even_if_both_ends_contradict_it():
    errors = of([0.0, 0.001, 0.002]) | {("a", 2): None, ("b", 2): 0.5}
    assert judge(EQUIVALENT, "laptop", errors).word == INCONCLUSIVE


def test_steps_are_compared_by_their_ratio():
    fast, slow = (100, 110, 95), (300, 310, 305)
    assert judge(SOONER, "laptop", by_arm(a=fast, b=slow)).word == REPRODUCED
    little = tuple(1.3 * steps + i for i, steps in enumerate(fast))  # sooner, by less than asked
    assert judge(SOONER, "laptop", by_arm(a=fast, b=little)).word == INCONCLUSIVE
    assert judge(SOONER, "laptop", by_arm(a=slow, b=fast)).word == CONTRADICTED
    verdict = judge(SOONER, "laptop", by_arm(a=fast, b=slow))
    logs = np.log(np.array(slow) / fast)
    assert verdict.mean == pytest.approx(logs.mean())
    assert verdict.lower == pytest.approx(stats.ttest_1samp(logs, 0).confidence_interval(0.9).low)


def test_what_was_never_reached_is_ranked_and_not_averaged():
    """The time of a run that never got there is only known to be longer than all others'."""
    fast, never = (100, 110, 95, 99, 101), (math.inf,) * 5
    won = judge(SOONER, "night", by_arm(a=fast, b=never))
    assert (won.word, "5 of 5" in won.reason) == (REPRODUCED, True)
    assert judge(SOONER, "night", by_arm(a=never, b=fast)).word == CONTRADICTED
    assert judge(SOONER, "night", by_arm(a=never, b=never)).word == INCONCLUSIVE
    three = judge(SOONER, "laptop", by_arm(a=fast[:3], b=never[:3]))
    assert three.word == INCONCLUSIVE  # three signs cannot reach .05
    assert three.mean is None


def test_every_statement_fixes_its_rule():
    for claim in CLAIMS.values():
        for statement in claim.trained:
            assert statement.alpha == 0.05
            assert set(statement.decided_at) <= set(statement.seeds) - {"smoke"}
            assert all(statement.seeds[tier] >= 3 for tier in statement.decided_at)
            assert statement.margin_argued
            assert statement.decided_why


def values_of(statement, tier, effect, spread):
    """Values of all arms whose effects are about `effect`."""
    metric, n = METRICS[statement.metric], statement.seeds[tier]
    draw = np.random.default_rng(1)
    arms = list(statement.contrast)
    values = {}
    for i, seed in enumerate(statement.judged(tier)):
        noise = spread * (i - (n - 1) / 2 + 0.1 * draw.random())
        for k, arm in enumerate(arms):
            weight = statement.contrast[arm]
            if statement.rule == "falling":
                share = -k / (len(arms) - 1)
            else:
                total = sum(w * w for w in statement.contrast.values())
                share = weight / total
            value = (effect + noise) * share
            values[arm, seed] = math.exp(-value) if metric.counts_steps else value
    return values


@pytest.mark.parametrize(
    "statement",
    [s for claim in CLAIMS.values() for s in claim.trained],
    ids=[f"{c.name}: {s.name}" for c in CLAIMS.values() for s in c.trained],
)
def test_every_declared_statement_can_come_out_either_way(statement):
    """Some values reproduce it, and some contradict it, at every tier that decides it."""
    for tier in statement.decided_at:
        scale = 4 * len(statement.contrast) * max(abs(statement.margin), 0.1)
        tries = (-scale, -1e-4 * scale, 0.0, 1e-4 * scale, scale)
        words = {
            judge(statement, tier, values_of(statement, tier, effect, 1e-5)).word
            for effect in tries
        }
        assert {REPRODUCED, CONTRADICTED} <= words
