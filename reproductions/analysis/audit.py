"""Whether records can be believed: whole, of clean code, and younger than the rules they are judged
by.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from ..claims import Claim, Trained
from ..evidence.canonical import key_of
from ..evidence.provenance import git
from ..evidence.snapshot import PARTS, Snapshot
from ..evidence.store import COMMITTED, Record
from ..experiments.exploration import SEEDS, chosen
from ..experiments.replication import FIRST, plan_replications
from ..experiments.spec import group_of
from .findings import Finding, Runs, findings, judged
from .plausibility import implausible

# What decides, of a statement; `seeds` at the tier in question.
RULE = (
    "contrast", "metric", "rule", "margin", "alpha", "seeds", "first", "decided_at", "held",
    "level", "rate", "rates",
)  # fmt: skip
RULES_OF_A_TREE = f"""
import json
from reproductions.claims import CLAIMS
print(json.dumps({{
    f"{{claim.name}}: {{s.name}}": {{n: getattr(s, n) for n in {RULE} if hasattr(s, n)}}
    for claim in CLAIMS.values() for s in claim.trained
}}))
"""


def problems(claims: Collection[Claim], evidence: Snapshot) -> Iterator[str]:
    """What is wrong with records, judged, explored, replicated and rerun, and with the rates that
    they share with the committed ones, a sentence each; nothing if all is well.
    """
    damage = evidence.describe_damage()
    yield from damage
    if damage:
        return
    records, explored, second, anew = (evidence.records(part) for part in PARTS)
    every = list(evidence.all_records())
    for record in every:
        if record["circumstances"]["dirty"]:
            yield f"{record['key']} was made from a tree with uncommitted changes: make it again."
    for other in evidence.further():
        first = records.get(other["key"], other)
        if other["circumstances"]["started"] < first["circumstances"]["started"]:
            yield f"{other['key']} has an earlier result than the one that is judged."
    yield from implausible(every)
    for some, least in ((explored, SEEDS[0]), (second, FIRST)):
        for key, record in some.items():
            if record["spec"]["seed"] < least:
                yield f"{key} has seed {record['spec']['seed']}, but those here begin at {least}."
    choosing = evidence.explored
    found = findings(claims, records, choosing)
    yield from find_orphans(found, records, second, anew, choosing)
    if not git("rev-parse", "HEAD"):
        yield "This is no git checkout: whether rules are older than their runs cannot be seen."
        return
    for finding in found:
        for runs in finding.runs if isinstance(finding.statement, Trained) else ():
            yield from find_order_violations(finding.claim, runs, choosing, evidence.folder)


def find_orphans(
    found: Collection[Finding],
    records: Mapping[str, Record],
    second: Mapping[str, Record],
    anew: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> Iterator[str]:
    """What is told beside verdicts, and belongs to none."""
    asked = {
        key_of(spec)
        for finding in found if isinstance(finding.statement, Trained)
        for group in {group_of(record["spec"]) for record in second.values()}
        for look in plan_replications(finding.statement, group, explored).values()
        for spec in look.values()
    }  # fmt: skip
    yield from (f"{key} in second is of no replication." for key in second.keys() - asked)
    keys = judged(found)
    for key, record in anew.items():
        if key not in keys:
            yield f"{key} in anew is the rerun of no run that is judged."
        elif environment_of(record) == environment_of(records[key]):
            yield f"{key} in anew is of the environment of the run that is judged."
        elif record["result"] == records[key]["result"]:
            yield f"{key} in anew has the result that is judged: it tells nothing of rounding."


def environment_of(record: Record) -> str:
    return record["circumstances"]["environment"]


def find_order_violations(
    claim: Claim, runs: Runs, explored: Mapping[str, Record], folder: Path
) -> Iterator[str]:
    """Judged runs whose commit has not yet the statement's rule, or what chose its rates."""
    statement, tier = runs.statement, runs.group.tier
    assert isinstance(statement, Trained)
    name = f"{claim.name}: {statement.name}"
    now = at_tier(rule(statement), tier)
    made = {(str(r["circumstances"]["commit"]), arm) for (arm, _), r in runs.records.items()}
    for commit in sorted({commit for commit, _ in made}):
        if not is_ancestor(commit):
            yield f"{name} has runs of commit {commit}, which is not in this history."
        elif (then := rules_at(commit).get(name)) is None:
            yield f"{name} has runs of commit {commit[:10]}, which has no rule for it."
        elif at_tier(then, tier) != now:
            yield f"the rule of {name} was changed after its runs of commit {commit[:10]}."
        # Each arm's own: what others explore later changes none of its runs.
        arms = [arm for of, arm in made if of == commit]
        choosing = {key for arm in arms for key in keys_that_chose_rate(runs, arm, explored)}
        if late := choosing - explored_at(commit, COMMITTED) - explored_at(commit, folder):
            yield (
                f"the learning rates of {name} were chosen by {', '.join(sorted(late))}, which "
                f"commit {commit[:10]} of its runs does not have."
            )


def rule(statement: Trained) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in RULE}


def at_tier(rule: Mapping[str, Any], tier: str) -> dict[str, str]:
    """What of a rule counts at a tier, as text: the order of arms matters, which equality of
    dictionaries does not see.
    """
    whole = {**DEFAULTS, **rule}
    whole["decided_at"] = tier in whole["decided_at"]  # another tier changes nothing at this one
    for name in ("seeds", "level"):
        if isinstance(whole[name], Mapping):
            whole[name] = whole[name].get(tier)
    return {name: json.dumps(value) for name, value in whole.items()}


# What an older rule does not name yet.
DEFAULTS = {"first": 0}


def keys_that_chose_rate(runs: Runs, arm: str, explored: Mapping[str, Record]) -> list[str]:
    """The keys of the explored runs that chose an arm's rate."""
    statement = runs.statement
    assert isinstance(statement, Trained)
    state = chosen(statement, arm, runs.group, explored) if statement.rates else None
    return list(state.keys) if state else []


@cache
def is_ancestor(commit: str) -> bool:
    return git("merge-base", commit, "HEAD").decode().strip() == commit


@cache
def rules_at(commit: str) -> dict[str, Any]:
    """The rules of all trained statements in a commit's own code; none where it had none."""
    archive = git("archive", "--format=tar", "--prefix=reproductions/", commit, ":(glob)**/*.py")
    if not archive:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        words = [sys.executable, "-c", RULES_OF_A_TREE]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


@cache
def explored_at(commit: str, folder: Path) -> set[str]:
    """The keys of a folder's explored records in a commit; of one that git does not track, all."""
    folder = (folder / "explored").resolve()
    if not git("ls-files", str(folder)):
        return {path.stem for path in folder.glob("*.json")}
    prefix = git("rev-parse", "--show-toplevel").decode().strip()
    place = folder.relative_to(prefix)
    names = git("ls-tree", "-r", "--name-only", "--full-tree", commit, str(place)).decode()
    return {Path(name).stem for name in names.splitlines()}
