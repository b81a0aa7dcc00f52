"""The report: regenerated from the committed records, and true to what records say."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reproductions import report
from reproductions.claims import CLAIMS
from reproductions.findings import findings, group_of, superseded
from reproductions.plan import wanted
from reproductions.records import Store, new_record
from reproductions.tiers import TIERS

ROOM = Path(report.__file__).parents[1]
COMMITTED = Store(ROOM / "records")

CIFAR = {"name": "cifar10", "version": "3.0.2", "sha256": "c" * 64}
EMBEDDED = {"name": "embedded", "version": "1", "sha256": "e" * 64}


def made(spec, error, outcome="finished"):
    """A record as if `spec` had ended with `error`."""
    half = {"error": error, "loss": 1.0}
    row = {"epoch": 1, "train": half, "test": half, "running": half}
    reason = None if outcome == "finished" else "the loss was <script>not</script> finite"
    result = {
        "outcome": outcome, "reason": reason, "epochs": [row, row], "final": {"test": half},
    }  # fmt: skip
    circumstances = {
        "environment": "", "threads": 1, "seconds": 60.0, "commit": "0" * 40, "dirty": None,
        "epochs": [{"seconds": 1.0, "images_per_second": 10.0}] * 2,
    }  # fmt: skip
    return new_record(spec, result, circumstances)


def folder_of(tmp_path, backend="torch", data=CIFAR, tier="laptop", lose=None, diverge=None):
    """Records of all flagship runs: deep plain nets bad, the others good."""
    store = Store(tmp_path / "records")
    digest = store.keep_environment(
        {"hardware": {"cpu": "c", "cores": 2, "gpus": []}, "system": "s", "python": "3",
         "packages": ["keras==3"]}
    )  # fmt: skip
    for spec in wanted(CLAIMS.values(), TIERS[tier], backend, data).values():
        run = spec["arm"]["name"], spec["seed"]
        error = (0.8 if run[0] == "plain-56" else 0.5) + 0.01 * spec["seed"]
        record = made(
            spec, error + 0.001 * len(run[0]), "diverged" if run == diverge else "finished"
        )
        record["circumstances"]["environment"] = digest
        if run != lose:
            store.add(new_record(spec, record["result"], record["circumstances"]))
    return store


def headlines(store):
    return {
        (f.claim.name, s.name): f.verdict(s).word
        for f in findings(CLAIMS.values(), store.read())
        for s in f.claim.statements
    }


def test_the_committed_report_is_what_its_records_give(tmp_path):
    report.write(COMMITTED, tmp_path)
    assert (tmp_path / "REPORT.md").read_text() == (ROOM / "REPORT.md").read_text()
    for claim in CLAIMS:
        again, committed = (folder / "figures" / f"{claim}.json" for folder in (tmp_path, ROOM))
        assert json.loads(again.read_text()) == json.loads(committed.read_text())
        ElementTree.parse(ROOM / "figures" / f"{claim}.svg")


def test_the_committed_evidence_is_whole():
    """CIFAR-10, laptop tier, three backends, every run; made from a clean tree."""
    records = COMMITTED.read()
    groups = {group_of(record["spec"]) for record in records.values()}
    laptop = {g for g in groups if g.tier == "laptop" and g.data_name == "cifar10"}
    assert {g.backend for g in laptop} == {"tensorflow", "torch", "jax"}
    assert len({g.data_sha256 for g in laptop}) == 1
    for group in laptop:
        runs = wanted(CLAIMS.values(), TIERS["laptop"], group.backend, group.data)
        assert set(runs) <= set(records)
    assert not any(record["circumstances"]["dirty"] for record in records.values())
    starts = {}
    for record in records.values():
        key = record["spec"]["arm"]["depth"], record["spec"]["seed"]
        starts.setdefault(key, set()).add(record["result"]["initial_sha256"])
    assert all(len(digests) == 1 for digests in starts.values())


def test_verdicts_follow_from_records(tmp_path):
    assert headlines(folder_of(tmp_path)) == {
        ("degradation-plain", "training error"): "REPRODUCED",
        ("degradation-plain", "test error"): "REPRODUCED",
        ("degradation-difference", "training error"): "REPRODUCED",
        ("degradation-residual", "training error"): "NOT RUN",
    }


def test_a_missing_run_takes_its_verdicts_with_it(tmp_path):
    words = headlines(folder_of(tmp_path, lose=("resnet-20", 1)))
    assert words["degradation-plain", "training error"] == "REPRODUCED"
    assert words["degradation-difference", "training error"] == "INCONCLUSIVE"


def test_a_diverged_run_is_shown_with_its_reason_escaped(tmp_path):
    store = folder_of(tmp_path, diverge=("plain-56", 2))
    assert headlines(store)["degradation-plain", "training error"] == "INCONCLUSIVE"
    text = report.write(store, tmp_path).read_text()
    assert "runs of 1 of 3 seeds diverged" in text
    assert "diverged: the loss was \\<script\\>not" in text
    assert "<script>" not in text


def test_groups_are_never_pooled_and_the_headline_is_on_cifar10(tmp_path):
    folder_of(tmp_path, backend="tensorflow", data=EMBEDDED)
    store = folder_of(tmp_path, backend="torch")
    found = findings(CLAIMS.values(), store.read())
    for finding in found:
        assert [str(runs.group) for runs in finding.runs] == [
            "laptop · torch · cifar10",
            "laptop · tensorflow · embedded",
        ]
        assert all(len(runs.records) == runs.planned for runs in finding.runs)
    text = report.write(store, tmp_path).read_text()
    assert "tensorflow" in text
    assert "generated images" not in text.split("## ")[0]


def test_an_embedded_report_says_so_first(tmp_path):
    text = report.write(folder_of(tmp_path, data=EMBEDDED), tmp_path).read_text()
    assert "These are generated images, not CIFAR-10" in text.split("## ")[0]


def test_a_report_without_records_says_how_to_make_them(tmp_path):
    text = report.write(Store(tmp_path / "none"), tmp_path).read_text()
    assert "There are no records here" in text
    assert "REPRODUCED**" not in text


def test_old_numerics_are_superseded_and_further_seeds_are_not(tmp_path):
    store = folder_of(tmp_path)
    (spec, *_) = wanted(CLAIMS.values(), TIERS["laptop"], "torch", CIFAR).values()
    environment = next(iter(store.read().values()))["circumstances"]["environment"]
    for changed in ({"numerics": 0}, {"seed": 7}):
        record = made({**spec, **changed}, 0.1)
        record["circumstances"]["environment"] = environment
        store.add(new_record(record["spec"], record["result"], record["circumstances"]))
    assert [r["spec"]["numerics"] for r in superseded(CLAIMS.values(), store.read())] == [0]
    assert headlines(store)["degradation-plain", "training error"] == "REPRODUCED"
    assert "1 of them superseded" in report.write(store, tmp_path).read_text()


def test_holm_s_values_are_as_by_hand():
    assert report.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )


def test_figures_hold_every_seed_s_curve(tmp_path):
    report.write(folder_of(tmp_path), tmp_path)
    curves = json.loads((tmp_path / "figures" / "degradation-difference.json").read_text())
    assert {arm: sorted(seeds) for arm, seeds in curves.items()} == {
        arm: ["0", "1", "2"] for arm in CLAIMS["degradation-difference"].arms
    }
