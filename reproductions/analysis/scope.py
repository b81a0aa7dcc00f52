"""What was trained, how much smaller than in the paper, and who judges the rest: plain sentences
that a reader meets before any verdict.
"""

from collections.abc import Sequence

from ..data.registry import copy_note
from ..experiments.tiers import TIERS, Tier
from .findings import Finding, Runs
from .verdict import INCONCLUSIVE, NOT_RUN

PAPER = TIERS["paper"]
SIZES = {
    "image_size": "images of {0}x{0} pixels",
    "width": "{} filters in the first stage",
    "train_images": "{:,} training images",
    "steps": "{:,} training steps",
}
SHORT = {"image_size": "{0}x{0}"}


def describe_training(found: Sequence[Finding], committed: Sequence[Finding] = ()) -> list[str]:
    """Sentences about the headlines' runs: data, networks, what is reduced, and where statements
    that stay open here are judged by `committed` findings. None where nothing was trained.
    """
    heads = [f.headline for f in found if f.headline and f.headline.group.tier]
    if not heads:
        return []
    notes = dict.fromkeys(copy_note(head.group.data) for head in heads)
    by_tier = {tier: [h for h in heads if h.group.tier == tier] for tier in TIERS}
    sentences = [f"Data. {note}" for note in notes]
    sentences += [describe_tier(TIERS[tier], some) for tier, some in by_tier.items() if some]
    return [*sentences, *filter(None, [describe_committed(found, committed)])]


def describe_tier(tier: Tier, runs: Sequence[Runs]) -> str:
    """Which networks were trained at a tier, and how much smaller all was than in the paper."""
    arms = sorted({arm for some in runs for arm, _ in some.records})
    seeds = {seed for some in runs for _, seed in some.records}
    networks = ", ".join(arms) if len(arms) <= 6 else f"{len(arms)} networks"
    s = "s" * (len(seeds) != 1)
    return f"Trained at the {tier.name} tier: {networks}; {len(seeds)} seed{s}. {reductions(tier)}"


def reductions(tier: Tier) -> str:
    """What of a tier is smaller than in the paper, and what that means for its verdicts."""
    sizes = {name: (getattr(tier, name), getattr(PAPER, name)) for name in SIZES}
    reduced = [
        f"{SIZES[name].format(here)} instead of {SHORT.get(name, '{:,}').format(there)}"
        for name, (here, there) in sizes.items()
        if here != there
    ]
    if not reduced:
        return "Nothing is reduced."
    share = f"{100 * tier.steps / PAPER.steps:.2g} % of the paper's steps"
    return (
        f"Reduced: {', '.join(reduced)}. With {share} it shows the start of training, not its end."
    )


def describe_committed(found: Sequence[Finding], committed: Sequence[Finding]) -> str:
    """Which committed tier judges what these runs leave open; empty where none does."""
    pairs = [(f, committed_verdict(f, committed)) for f in found if is_open(f)]
    tiers = {c.headline.group.tier for _, c in pairs if c and c.headline}
    if not tiers:
        return ""
    highest = max(tiers, key=list(TIERS).index)
    tier = TIERS[highest]
    return (
        f"What stays open here is judged by the committed records at the {highest} tier "
        f"({tier.image_size}x{tier.image_size} pixels, {tier.width} filters, {tier.steps:,} steps)."
    )


def is_open(finding: Finding) -> bool:
    """Whether there are training runs, and they decide nothing."""
    head = finding.headline
    return bool(head and head.group.tier) and finding.verdict.word in (NOT_RUN, INCONCLUSIVE)


def committed_verdict(finding: Finding, committed: Sequence[Finding]) -> Finding | None:
    """The committed finding of the same statement, if its headline is of a higher tier."""
    for other in committed:
        if (other.claim.name, other.statement.name) != (finding.claim.name, finding.statement.name):
            continue
        here, there = finding.headline, other.headline
        order = list(TIERS).index
        if here and there and there.group.tier and here.group.tier:
            return other if order(there.group.tier) > order(here.group.tier) else None
    return None


def caption(runs: Runs) -> str:
    """One sentence that says what a figure's networks were trained on."""
    tier = TIERS[runs.group.tier]
    spec = next(iter(runs.records.values()))["spec"]
    epochs = tier.steps * spec["recipe"]["batch_size"] / tier.train_images
    seeds = {seed for _, seed in runs.records}
    return (
        f"Trained: {', '.join(dict.fromkeys(arm for arm, _ in runs.records))} of {tier.width} "
        f"filters in the first stage, on {tier.train_images:,} images of "
        f"{tier.image_size}x{tier.image_size} pixels ({runs.group.data_name}), {tier.steps:,} "
        f"steps ({epochs:.0f} epochs), {len(seeds)} seeds; training error dashed, test error "
        "solid, thin lines are seeds and thick ones their mean."
    )
