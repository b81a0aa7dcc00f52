"""What verdicts would be with one run's result in place of the recorded one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..claims import Claim
from ..evidence.store import Record, new_record
from .findings import Finding, findings


@dataclass(frozen=True)
class Replacement:
    """A verdict by the recorded runs, and the verdict with one of them replaced. Both are findings
    of one group of runs.
    """

    recorded: Finding
    replaced: Finding

    @property
    def same_word(self) -> bool:
        return self.recorded.verdict.word == self.replaced.verdict.word


def replace_result(
    record: Record,
    result: Mapping[str, Any],
    claims: Collection[Claim],
    records: Mapping[str, Record],
    explored: Mapping[str, Record],
) -> list[Replacement]:
    """Every verdict that rests on `record`, beside what it would be with another `result`.

    Args:
        record: one of `records`.
        result: what the same run gave elsewhere or later.
        claims: the claims whose statements are judged.
        records: the judged records by key.
        explored: the records that chose learning rates, by key.

    Returns:
        One replacement for each statement and group of runs that has `record` in it.
    """
    other = new_record(record["spec"], result, record["circumstances"])

    def with_other(runs: Mapping[tuple[str, int], Record]) -> dict[tuple[str, int], Record]:
        return {pair: other if r["key"] == record["key"] else r for pair, r in runs.items()}

    return [
        Replacement(
            replace(finding, runs=(runs,)),
            replace(finding, runs=(replace(runs, records=with_other(runs.records)),)),
        )
        for finding in findings(claims, records, explored)
        for runs in finding.runs
        if any(r["key"] == record["key"] for r in runs.records.values())
    ]
