"""What both reports say of a finding, as text."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from statistics import fmean, geometric_mean
from typing import Any

from ..analysis.computed import told
from ..analysis.findings import Finding, Runs
from ..analysis.statistics import holm
from ..analysis.verdict import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED
from ..claims import Claim, Computed, OnImageNet, Trained
from ..claims.rules import Equal, Falling, Quicker, Rarer, Rounded, Within
from ..evidence.provenance import PACKAGES
from ..evidence.store import Record
from ..experiments.exploration import SEEDS, chosen, settings
from ..experiments.metrics import METRICS, Metric

# Refutations are printed first.
WORDS = (CONTRADICTED, REPRODUCED, INCONCLUSIVE, NOT_RUN)

MEANINGS = {
    CONTRADICTED: "the rule excludes the statement as it stands: of a count or a function, it is "
    "another; of training, the effect is not there, smaller than the smallest of interest, or the "
    "other way.",
    REPRODUCED: "the statement holds by its rule.",
    INCONCLUSIVE: "there are runs, and they leave it open.",
    NOT_RUN: "nothing here can decide it: no run was made at a budget that can (numbers of smaller "
    "ones are shown), its learning rates are not explored yet, or it takes ImageNet.",
}


def by_word(found: Sequence[Finding]) -> list[Finding]:
    """The contradicted first; else as the claims stand."""
    return sorted(found, key=lambda finding: WORDS.index(finding.verdict.word))


def counts(found: Sequence[Finding]) -> dict[str, int]:
    """How many statements have each verdict; controls and opposites are not counted."""
    words = [finding.verdict.word for finding in found if role(finding) == "claim"]
    return {word: words.count(word) for word in WORDS}


def role(finding: Finding) -> str:
    """What a statement is to its claim."""
    return finding.statement.role if isinstance(finding.statement, Trained) else "claim"


def by_claim(found: Iterable[Finding]) -> list[tuple[Claim, list[Finding]]]:
    return [(group[0].claim, group) for _, rows in groupby(found, lambda f: f.claim.name)
            for group in [list(rows)]]  # fmt: skip


def effect(finding: Finding, number: float | None) -> str:
    """An effect, or a bound, in its metric's unit."""
    statement = finding.statement
    assert isinstance(statement, Trained)
    return METRICS[statement.metric].shown(number)


def unit(finding: Finding) -> str:
    assert isinstance(finding.statement, Trained)
    return METRICS[finding.statement.metric].unit


def told_in_short(finding: Finding) -> str:
    """An effect, or the reason of a verdict that has none."""
    return mean_effect(finding) or finding.verdict.reason


def mean_effect(finding: Finding) -> str:
    """With its bounds; nothing where it is not known of every seed."""
    verdict = finding.verdict
    if verdict.mean is None or None in verdict.effects:
        return ""
    mean = f"{effect(finding, verdict.mean)} {unit(finding)}".strip()
    if verdict.lower is None:
        return mean
    lower, upper = effect(finding, verdict.lower), effect(finding, verdict.upper)
    return f"{mean} ({lower} … {upper})"


def elsewhere(finding: Finding) -> list[str]:
    """The verdicts of the other groups: by backend alone where all else is the headline's."""
    words: dict[str, list[str]] = {}
    for runs in finding.runs[1:]:
        words.setdefault(runs.verdict.word, []).append(where(runs, finding.runs[0]))
    return [f"{', '.join(groups)}: {word}" for word, groups in words.items()]


def where(runs: Runs, head: Runs) -> str:
    same = (runs.group.tier, runs.group.data) == (head.group.tier, head.group.data)
    return runs.group.backend if same else str(runs.group)


def rule(finding: Finding) -> str:
    """A statement's rule in words."""
    statement = finding.statement
    if isinstance(statement, Trained):
        margin = f"{effect(finding, statement.margin)} {unit(finding)}".strip()
        paired = ", paired by seed" if len(statement.contrast) > 1 else ""
        seen = f"; seeds from {statement.first} on: lower ones were seen before the rule was fixed"
        rates = f"; each arm at the best learning rate of {told(statement.rates)}"
        more = paired + rates * bool(statement.rates) + seen * bool(statement.first)
        return (
            f"{statement.rule}, margin {margin} ({statement.margin_argued}), alpha "
            f"{statement.alpha}{more}. Decided at {', '.join(statement.decided_at)}: "
            f"{statement.decided_why}."
        )
    return must_be(statement.rule) if isinstance(statement, Computed) else "top-1 or top-5 error."


def explored(finding: Finding, records: Mapping[str, Record]) -> str:
    """What was tried before, on seeds that are not judged, and the learning rates it chose."""
    statement, head = finding.statement, finding.headline
    if not isinstance(statement, Trained) or not head or not head.group.tier:
        return ""
    ways = settings(statement, records)
    tried = (
        f"{sum(ways)} runs of these arms on seeds from {SEEDS[0]} on, "
        f"in {len(ways)} setting{'s' * (len(ways) != 1)}"
    )
    if not statement.rates:
        return tried + "."
    states = {arm: chosen(statement, arm, head.group, records) for arm in statement.contrast}
    rates = (f"{arm} {state.best:g} of {told(state.rates)} on {state.backend}"
             for arm, state in states.items() if state)  # fmt: skip
    return f"{tried}; learning rates chosen there: {'; '.join(rates)}."


def saw(finding: Finding) -> str:
    """What the runs of a trained statement gave: each arm's mean, and the seeds' signs."""
    statement, head = finding.statement, finding.headline
    if not isinstance(statement, Trained) or not head or not head.complete:
        return ""
    values, effects = head.values, finding.verdict.effects
    seeds = statement.judged(head.group.tier)
    arms = "; ".join(
        f"{arm} {told_mean(finding, [values[arm, seed] for seed in seeds])}"
        for arm in statement.contrast
    )
    name = statement.metric[0].upper() + statement.metric[1:]
    means = f"{name}, mean of {len(seeds)} seeds: {arms}."
    if len(statement.contrast) == 1 or None in effects:
        return means
    above = sum(effect is not None and effect > 0 for effect in effects)
    meaning = {"not inferior": ", which is worse", "equivalent": ", where none is predicted"}
    side = meaning.get(statement.rule, "")
    return f"{means} The effect is above zero in {above} of {len(seeds)}{side}."


def told_mean(finding: Finding, values: Sequence[float | None]) -> str:
    """The mean of an arm's values; of steps the geometric one, as effects are logarithmic."""
    assert isinstance(finding.statement, Trained)
    metric = METRICS[finding.statement.metric]
    known = [value for value in values if value is not None and math.isfinite(value)]
    lost = len(values) - len(known)
    where = f" on {len(known)} seeds, {'never' if metric.counts_steps else 'unknown'} on {lost}"
    return (mean_text(metric, known) if known else "none") + where * bool(lost)


def mean_text(metric: Metric, values: Sequence[float]) -> str:
    if metric.counts_steps:
        return f"{geometric_mean(values):.0f} steps"
    number = f"{metric.scale * fmean(values):.{metric.digits}f}".replace("-", "−")
    return number + " %" * (metric.unit == "points")


def must_be(rule: Any) -> str:
    """What the values of a check must be."""
    if isinstance(rule, Equal):
        return "exactly " + "; ".join(f"{name}: {told(v)}" for name, v in rule.values.items()) + "."
    if isinstance(rule, Rounded):
        figures = "; ".join(f"{name}: {figure}" for name, figure in rule.figures.items())
        return f"rounded half up to the printed figure's digits less trailing zeros, {figures}."
    if isinstance(rule, Within):
        control = f"; the controls ({rule.controls}) by more" if rule.controls else ""
        return (
            f"|a - b| at most {rule.absolute:g} + {rule.relative:g} |b| in every case"
            f" ({rule.cases}){control}."
        )
    if isinstance(rule, Falling):
        return f"falling strictly: {', '.join(rule.names)}."
    if isinstance(rule, Rarer):
        return f"a one-sided binomial test, alpha {rule.alpha}."
    assert isinstance(rule, Quicker)
    return f"a one-sided t-test on log ratios, paired by round, alpha {rule.alpha}."


def command(finding: Finding) -> str:
    """What runs a finding's runs again, or would run them."""
    statement, head = finding.statement, finding.headline
    if isinstance(statement, OnImageNet):
        return statement.command
    verb = f"python -m reproductions run {finding.claim.name}"
    report = "--records runs && python -m reproductions report --records runs"
    if isinstance(statement, Computed):
        backend = head.group.backend if head else finding.claim.backend
        return f"{verb} --untrained --backend {backend} {report}"
    if head is None:
        tier, backend = statement.decided_at[0], finding.claim.backend
        explore = f"{verb.replace('run', 'explore', 1)} --tier {tier} --backend {backend} && "
        return f"{explore * bool(statement.rates)}{verb} --tier {tier} --backend {backend} {report}"
    group = head.group
    return f"{verb} --tier {group.tier} --backend {group.backend} --data {group.data_name} {report}"


def commands(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """Those of a claim's statements, each once, with what they do."""
    pairs = ((purpose(finding), command(finding)) for finding in found)
    return list(dict.fromkeys(pair for pair in pairs if pair[1]))


def purpose(finding: Finding) -> str:
    """What a finding's command does."""
    return "Run it again" if finding.runs else "To decide it"


def seed_rows(finding: Finding) -> list[tuple[str, str, list[str], str, str]]:
    """Of each group and seed: where, the seed, each arm's value, the effect, the verdict."""
    statement, rows = finding.statement, []
    assert isinstance(statement, Trained)
    for runs in finding.runs:
        seeds = statement.judged(runs.group.tier)
        for seed, number in zip(seeds, runs.verdict.effects, strict=True):
            last = seed == seeds[-1]
            rows.append((
                str(runs.group) if seed == seeds[0] else "",
                str(seed),
                [value(finding, runs, arm, seed) for arm in statement.contrast],
                effect(finding, number),
                runs.verdict.word if last else "",
            ))  # fmt: skip
    return rows


def value(finding: Finding, runs: Runs, arm: str, seed: int) -> str:
    """A run's metric."""
    if (arm, seed) not in runs.values:
        return "no run"
    number = runs.values[arm, seed]
    assert isinstance(finding.statement, Trained)
    scale = METRICS[finding.statement.metric].scale
    if number is None:
        outcome = runs.records[arm, seed]["result"]["outcome"]
        return "diverged" if outcome == "diverged" else "unknown"
    return "never" if math.isinf(number) else f"{scale * number:.2f}"


def values(runs: Runs) -> list[tuple[str, str]]:
    """What a check gave, as names and texts; cases as their count and largest difference."""
    return [(name, value_text(value)) for name, value in runs.checked.items()]


def value_text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list):
        differences = [case[1] for case in value]
        return (
            f"{len(value)} cases, differences from {min(differences):.3g} to {max(differences):.3g}"
        )
    return told(value)


def budget(found: Sequence[Finding]) -> str:
    """What the headline runs of a claim took."""
    records = {r["key"]: r for f in found if f.headline for r in f.headline.records.values()}
    seconds = sum(record["circumstances"]["seconds"] for record in records.values())
    took = f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} seconds"
    threads = sorted({record["circumstances"]["threads"] for record in records.values()})
    digests = sorted({r["circumstances"]["environment"][:10] for r in records.values()})
    return (
        f"{len(records)} run{'s' * (len(records) > 1)}, {took} in all, with "
        f"{told(threads)} thread{'s' * (threads != [1])} each; environment {told(digests)}"
    )


def shrunk(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """What is smaller than in the paper, at the tiers of the headlines, or else at all."""
    claim = found[0].claim
    tiers = {f.headline.group.tier for f in found if f.headline and f.headline.group.tier}
    return [(t, text) for t, text in claim.shrunk.items() if t in (tiers or claim.shrunk)]


def chance(found: Sequence[Finding]) -> tuple[int, float]:
    """The decided statements that were trained, and how many REPRODUCED chance would give."""
    decided = [
        f.statement.alpha
        for f in found
        if isinstance(f.statement, Trained) and f.verdict.word != NOT_RUN
    ]
    return len(decided), sum(decided)


def p_text(finding: Finding, adjusted: Mapping[Any, float]) -> str:
    """The p value, and Holm's."""
    p = finding.verdict.p
    if p is None:
        return ""
    after = adjusted[finding.claim.name, finding.statement.name]
    return f"p = {p:.2g} against the margin ({after:.2g} after Holm, for information)"


def adjusted(found: Sequence[Finding]) -> dict[tuple[str, str], float]:
    return holm({(f.claim.name, f.statement.name): f.verdict.p
                 for f in found if f.verdict.p is not None})  # fmt: skip


def in_order(records: Iterable[Record]) -> list[Record]:
    """By backend, arm or check, and seed."""
    return sorted(records, key=lambda r: (
        r["spec"]["backend"], r["spec"]["arm"]["name"], r["spec"].get("seed", 0), r["key"],
    ))  # fmt: skip


def run_cells(record: Record, old: Collection[str], further: Collection[str]) -> list[str]:
    """A run in the list of all: what it was, what it gave, what it took."""
    spec, result, circumstances = (record[k] for k in ("spec", "result", "circumstances"))
    trained = "tier" in spec
    outcome = result["outcome"] + (f": {result['reason']}" if result["reason"] else "")
    dirty = "+changes" if circumstances["dirty"] else ""
    key = record["key"]
    mark = " (superseded)" if key in old else " (not judged)" if key in further else ""
    return [
        key + mark,
        spec["arm"]["name"],
        spec["tier"]["name"] if trained else "·",
        spec["backend"],
        str(spec.get("seed", "·")),
        outcome,
        percent(result["curves"]["train_error"][-1]) if trained else "·",
        percent(result["final"]["test_error"]) if trained else "·",
        f"{circumstances['epochs']['images_per_second'][-1]:.0f}" if trained else "·",
        f"{circumstances['seconds']:.1f}",
        (circumstances["commit"] or "unknown")[:10] + dirty,
    ]


RUN_COLUMNS = (
    "run", "arm or check", "tier", "backend", "seed", "outcome", "training error, %",
    "test error, all images, %", "images/s", "seconds", "commit",
)  # fmt: skip


def percent(share: float) -> str:
    """A share of one in hundredths."""
    return f"{100 * share:.2f}"


def machine(environment: Mapping[str, Any]) -> str:
    """On what runs were made, in a line."""
    hardware = environment["hardware"]
    packages = [p for p in environment["packages"] if p.split("==")[0] in PACKAGES]
    parts = [hardware["cpu"], f"{hardware['cores']} cores", *hardware["gpus"],
             environment["system"], f"Python {environment['python']}", *packages]  # fmt: skip
    return ", ".join(parts)
