"""The report: regenerated from the committed records, and true to what records say."""

import json
import math
import re
import statistics
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reproductions import report
from reproductions.analysis.findings import findings, superseded
from reproductions.analysis.replications import ANEW as ELSEWHERE
from reproductions.analysis.replications import repeat_runs, repeats
from reproductions.analysis.statistics import holm
from reproductions.claims import CLAIMS, FLAGSHIP
from reproductions.cli.console import found_of, like
from reproductions.evidence.canonical import canonical, key_of
from reproductions.evidence.snapshot import Snapshot
from reproductions.evidence.store import Store, new_record
from reproductions.experiments import replication
from reproductions.experiments.metrics import METRICS
from reproductions.experiments.planning import wanted
from reproductions.experiments.spec import BACKENDS, Group, versions
from reproductions.report.figures import curves_figure, inline, svg
from reproductions.report.highlights import RESULTS, digest

ROOM = Path(report.__file__).parents[1]
COMMITTED = Store(ROOM / "records")
EXPLORED = Store(COMMITTED.folder / "explored").read()

FLAGSHIP_CLAIMS = [CLAIMS[name] for name in FLAGSHIP]
CIFAR = {"name": "cifar10", "version": "3.0.2", "sha256": "c" * 64}
EMBEDDED = {"name": "embedded", "version": "1", "sha256": "e" * 64}


REASON = "the loss was <script>not</script> finite"


def group(backend="torch", tier="laptop", data=CIFAR):
    return Group(backend, tier, *data.values())


def made(spec, error, outcome="finished", reason=REASON):
    """A record as if `spec` had ended with `error`."""
    reason = None if outcome == "finished" else reason
    last = [0.9, error] if outcome == "finished" else [error]
    key, steps = key_of(spec), spec["tier"]["steps"]
    result = {
        "initial_sha256": f"first of {key}", "weights_sha256": f"last of {key}",
        "outcome": outcome, "reason": reason, "final": {"test_error": error},
        "curves": {
            "epoch": [*range(1, len(last) + 1)], "step": [1, steps][-len(last) :],
            "train_error": last, "test_error": [e + 0.01 for e in last],
        },
    }  # fmt: skip
    circumstances = {
        "environment": "0123456789ab", "threads": 1, "seconds": 60.0,
        "started": "2026-11-24T00:00:00+00:00",
        "commit": "0" * 40, "dirty": None,
        "epochs": {"seconds": [1.0, 1.0], "images_per_second": [10.0, 10.0]},
    }  # fmt: skip
    return new_record(spec, result, circumstances)


def folder_of(
    tmp_path, backend="torch", data=CIFAR, tier="laptop", lose=None, diverge=None, reason=REASON,
    cpu="c",
):  # fmt: skip
    """Records of all flagship runs: deep plain nets bad, the others good."""
    store = Store(tmp_path / "records")
    digest = store.keep_environment(
        {"hardware": {"cpu": cpu, "cores": 2, "gpus": []}, "system": "s", "python": "3",
         "packages": ["keras==3"]}
    )  # fmt: skip
    for spec in wanted(FLAGSHIP_CLAIMS, group(backend, tier, data), {}).values():
        run = spec["arm"]["name"], spec["seed"]
        error = 0.8 + 0.01 * run[1] if run[0] == "plain-56" else 0.5
        record = made(
            spec, error + 0.001 * len(run[0]), "diverged" if run == diverge else "finished", reason
        )
        record["circumstances"]["environment"] = digest
        if run != lose:
            store.add(new_record(spec, record["result"], record["circumstances"]))
    return store


def alone(store):
    """Its records, and no explorations but its own."""
    return Snapshot(store.folder, store.folder)


def markdown_of(store, folder):
    _, path, _ = report.write(alone(store), folder)
    return path.read_text()


def headlines(store):
    return {
        (f.claim.name, f.statement.name): f.verdict.word
        for f in findings(FLAGSHIP_CLAIMS, store.read(), {})
    }


def test_the_committed_report_is_what_its_records_give(tmp_path):
    report.write(Snapshot(COMMITTED.folder), tmp_path)
    for name in ("REPORT.md", "FOUND.md"):
        assert (tmp_path / name).read_text() == (ROOM / name).read_text()
    pages = [(folder / "REPORT.html").read_text() for folder in (tmp_path, ROOM)]
    again, committed = (re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL) for page in pages)
    assert again == committed  # matplotlib's next version may draw otherwise
    assert (ROOM / "REPORT.html").stat().st_size < 3_000_000
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {path.name for path in (ROOM / "figures").iterdir()}
    for name in names:
        again, committed = (folder / "figures" / name for folder in (tmp_path, ROOM))
        if name.endswith(".json"):
            assert json.loads(again.read_text()) == json.loads(committed.read_text())
        else:
            ElementTree.parse(committed)


FOUND = findings(CLAIMS.values(), COMMITTED.read(), EXPLORED)
SECOND, ANEW = (Store(COMMITTED.folder / name).read() for name in ("second", "anew"))
MADE_AGAIN = repeats(FOUND, SECOND, ANEW, EXPLORED)


def test_the_five_results_are_what_the_records_say():
    assert len(RESULTS) == 5
    for result in RESULTS:
        # Read the text again before its digest is changed.
        assert digest(result.findings(FOUND), MADE_AGAIN) == result.records, result.title
        assert result.holds(FOUND, MADE_AGAIN), result.title
        assert (ROOM / "figures" / f"{result.figure}.svg").exists()


def test_a_text_is_not_told_of_other_records():
    """The words may be the same."""
    laptop = [
        replace(f, runs=f.runs[1:]) if f.claim.name.startswith("degradation-") else f for f in FOUND
    ]
    assert [result.holds(laptop, MADE_AGAIN) for result in RESULTS] == [False, *[True] * 4]
    for some in (repeats(FOUND, {}, ANEW, EXPLORED), repeats(FOUND, SECOND, {}, EXPLORED)):
        assert not any(result.holds(FOUND, some) for result in RESULTS)


def runs_and_again(claim, statement, backend="tensorflow"):
    """A verdict's runs at the laptop tier; these anew; those on other seeds, and at a third of the
    rates.
    """
    (finding,) = [f for f in FOUND if (f.claim.name, f.statement.name) == (claim, statement)]
    runs = next(r for r in finding.runs if str(r.group).startswith(f"laptop · {backend}"))
    made = repeat_runs(runs, SECOND, ANEW, EXPLORED)
    return [runs, *(made[other] for other in (ELSEWHERE, *replication.VARIANTS) if other in made)]


def watched(claim, statement, arm):
    """What an arm's runs of each left."""
    return [
        [record["result"] for (name, _), record in runs.records.items() if name == arm]
        for runs in runs_and_again(claim, statement)
    ]


def says(number, *texts):
    """That a result's text has all of these."""
    for text in texts:
        assert text in RESULTS[number - 1].text


def minus(number):
    return f"{number:.2f}".replace("-", "−")


def test_the_figures_of_the_first_result_are_those_of_the_records():
    judged, _, other, slower = (
        round(100 * runs.verdict.mean)
        for runs in runs_and_again("degradation-plain", "training error")
    )
    torch, jax = (
        round(100 * runs_and_again("degradation-plain", "training error", backend)[0].verdict.mean)
        for backend in ("torch", "jax")
    )
    says(1, f"on TensorFlow {slower} points, and {other} on the same seeds", f"{judged} on the "
         f"judged ones ({torch} on PyTorch, {jax} on JAX)")  # fmt: skip


def in_training(result):
    return METRICS["log10 gradient ratio in training"].of(result)


def correlated(results):
    ratios, errors = zip(*((in_training(r), r["curves"]["train_error"][-1]) for r in results),
                         strict=True)  # fmt: skip
    return round(statistics.correlation(ratios, errors), 2)


def test_the_figures_of_the_second_result_are_those_of_the_records():
    runs = watched("cause-vanishing", "vanishing in training", "plain-56")
    assert [sum(in_training(r) < -1 for r in some) for some in runs] == [0, 0, 1, 0]
    assert 0.4 < 10 ** statistics.mean(in_training(r) for r in runs[0]) < 0.6
    every = [r for some in runs[:3] for r in some]
    worst = min(every, key=in_training)
    assert worst == max(every, key=lambda r: r["curves"]["train_error"][-1])
    all_of_them, others, slower = (
        minus(correlated(some)) for some in (every, [r for r in every if r is not worst], runs[3])
    )
    says(2, f"of these {len(every)}", f"r = {all_of_them}, {others} without that one",
         f"at a third of the rate ({slower})")  # fmt: skip


def test_what_is_told_of_110_layers_is_of_the_records():
    deep = watched("gradient-flow", "slope in training", "plain-110")
    sizes = [sorted(10 ** -in_training(r) for r in some) for some in deep]
    (judged, anew, other, slower) = ((some[0], some[-1]) for some in sizes)
    assert (round(judged[0], -1), round(anew[0], -1)) == (150, 60)
    assert f"{judged[1]:.0e}" == f"{anew[1]:.0e}" == "2e+08"
    says(2, "150 to 2·10⁸ times in the judged runs, 60 to 2·10⁸ in the same made anew",
         f"{other[0]:.0f} to {round(other[1], -3):,.0f} on other seeds, {slower[0]:.0f} to "
         f"{round(slower[1], -4):,.0f} at a third")  # fmt: skip
    errors = [[r["curves"]["train_error"][-1] for r in some] for some in deep]
    assert min(min(some) for some in errors[:3]) > 0.895
    assert 0.88 < min(errors[3]) < 0.89


def test_the_figures_of_the_third_result_are_those_of_the_records():
    judged, anew, other, slower = runs_and_again("bn-faster", "steps")
    margin = judged.statement.margin
    says(3, f"{math.exp(margin):.2f}, on five of five seeds")
    assert "on 5 of 5 seeds" in judged.verdict.reason
    assert other.verdict.lower - margin < 0.01  # "just shown"
    words = [runs.verdict.word for runs in (judged, other, anew, slower)]
    assert words == ["REPRODUCED"] * 2 + ["INCONCLUSIVE"] * 2
    shifted = [r.verdict for r in runs_and_again("bn-shift", "speed with random shifts")]
    assert any(v.lower > 0 for v in shifted)
    assert any(v.lower < 0 < v.upper for v in shifted)


def test_the_figures_of_the_fourth_result_are_those_of_the_records():
    judged, anew, other, slower = (
        runs.verdict.mean for runs in runs_and_again("bn-vanishing", "ReLU in training")
    )
    assert slower <= 0
    says(4, f"by {judged:.2f} decades", f"anew by {anew:.2f}", f"other seeds by {other:.2f}")
    runs = watched("bn-vanishing", "ReLU at the start, 56 layers", "plain-56-no-bn")
    (names,) = {tuple(sorted(set(r["watched"]) - {"step"})) for some in runs for r in some}
    numbers = {3: "three", 4: "four", 5: "five"}
    dead = [numbers[sum(0 in r["watched"][names[0]] for r in some)] for some in runs]
    says(4, "({} of five judged runs, all {} made anew, {} of five on other".format(*dead))
    for result in (r for some in runs for r in some):
        assert all(0.02 < norm < 0.04 for norm in result["watched"][names[-1]][1:])
        assert result["curves"]["train_error"][-1] > 0.88
    trained = [
        r["curves"]["train_error"][-1]
        for some in watched("cause-vanishing", "vanishing in training", "plain-56")[:3]
        for r in some
    ]
    says(4, f"errors of {math.floor(100 * min(trained))} to {100 * max(trained):.0f} %")
    alone = [
        record["result"]["curves"]["train_error"][-1]
        for record in EXPLORED.values()
        if record["spec"]["arm"]["name"] == "plain-20-no-bn"
        and max(rate for _, rate in record["spec"]["recipe"]["schedule"]) == 0.1
    ]
    assert alone
    assert min(alone) > 0.9


@pytest.mark.parametrize(
    ("statement", "least", "most"),
    [
        ("vanishing at the start", 1.7, 2.0),  # nearly twice
        ("vanishing in training", 0.5, 0.65),  # about half
        ("size", 0.19, 0.22),  # a fifth
    ],
)
def test_the_figures_of_the_fifth_result_are_those_of_the_records(statement, least, most):
    (judged, *again) = runs_and_again("aux-gradient", statement)
    sign = -1 if statement.startswith("vanishing") else 1
    assert least < 10 ** (sign * judged.verdict.mean) < most
    assert {runs.verdict.word for runs in again} == {judged.verdict.word}


def test_a_result_is_told_of_no_other_records(tmp_path):
    store = folder_of(tmp_path)
    html, _, page = report.write(alone(store), tmp_path / "out")
    text = page.read_text()
    assert not any(result.text in text for result in RESULTS)
    assert "What we found" not in html.read_text()
    assert text.count("title and text were written of others") == 2
    assert text.count("\n## ") == 2  # of the others there are no runs
    assert "five results that were chosen from the committed records" in text
    assert 'Under "again"' not in (tmp_path / "out" / "REPORT.md").read_text()


def test_the_committed_evidence_is_whole():
    """Of CIFAR-10, at the laptop tier: on TensorFlow every run of each statement, on all backends
    those of the flagship claims, which are whole on one at the night tier too; from a clean tree.
    """
    records = COMMITTED.read()
    found = findings(CLAIMS.values(), records, EXPLORED)
    complete = {
        (runs.group.tier, runs.group.backend, finding.claim.name, finding.statement.name)
        for finding in found
        for runs in finding.runs
        if runs.group.data_name == "cifar10" and runs.complete
    }
    begun = {
        (finding.claim.name, finding.statement.name)
        for finding in found
        for runs in finding.runs
        if (runs.group.tier, runs.group.backend) == ("laptop", "tensorflow")
    }
    assert len(begun) >= 40
    assert {("laptop", "tensorflow", *name) for name in begun} <= complete
    flagship = {(claim.name, s.name) for claim in FLAGSHIP_CLAIMS for s in claim.trained}
    places = [*(("laptop", backend) for backend in BACKENDS), ("night", "tensorflow")]
    assert {(*place, *name) for place in places for name in flagship} <= complete
    data = {r["spec"]["data"]["sha256"] for r in records.values() if "tier" in r["spec"]}
    assert len(data) == 1
    assert not any(record["circumstances"]["dirty"] for record in records.values())


def test_equal_seeds_begin_with_equal_weights_on_all_backends():
    starts = {}
    for record in COMMITTED.read().values():
        spec = record["spec"]
        if "tier" in spec and versions(spec["arm"]).items() <= spec.items():
            key = canonical([spec["arm"], spec["tier"]["width"], spec["seed"]])
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
    words = headlines(folder_of(tmp_path, lose=("resnet-20", 4)))
    assert words["degradation-plain", "training error"] == "REPRODUCED"
    assert words["degradation-difference", "training error"] == "INCONCLUSIVE"


def test_a_diverged_run_is_shown_with_its_reason_escaped(tmp_path):
    store = folder_of(tmp_path, diverge=("plain-56", 5))
    assert headlines(store)["degradation-plain", "training error"] == "INCONCLUSIVE"
    page, markdown, _ = (path.read_text() for path in report.write(alone(store), tmp_path))
    assert "1 of 3 seeds is unknown: runs diverged" in markdown
    assert "diverged: the loss was \\<script\\>not" in markdown
    assert "<script>" not in markdown
    assert "diverged: the loss was &lt;script&gt;not" in page
    assert page.count("<script>") == 1  # its own


def test_groups_are_never_pooled_and_the_headline_is_on_cifar10(tmp_path):
    folder_of(tmp_path, backend="tensorflow", data=EMBEDDED)
    store = folder_of(tmp_path, backend="torch")
    for finding in findings(FLAGSHIP_CLAIMS, store.read(), {}):
        assert [str(runs.group) for runs in finding.runs] == [
            "laptop · torch · cifar10",
            "laptop · tensorflow · embedded",
        ]
        assert all(len(runs.records) == runs.planned for runs in finding.runs)
    text = markdown_of(store, tmp_path)
    assert "tensorflow" in text
    assert "GENERATED IMAGES" not in text.split("## ")[0]


def test_an_embedded_report_says_so_first(tmp_path):
    text = markdown_of(folder_of(tmp_path, data=EMBEDDED), tmp_path)
    assert "These are GENERATED IMAGES, NOT CIFAR-10" in text.split("## ")[0]


def test_a_report_without_records_says_how_to_make_them(tmp_path):
    text = markdown_of(Store(tmp_path / "none"), tmp_path)
    assert "There are no records here" in text
    assert "**0 REPRODUCED**" in text
    assert "| **REPRODUCED** |" not in text
    assert "— REPRODUCED**" not in text


def test_old_numerics_are_superseded_and_further_seeds_are_not(tmp_path):
    store = folder_of(tmp_path)
    (spec, *_) = wanted(FLAGSHIP_CLAIMS, group("torch"), {}).values()
    environment = next(iter(store.read().values()))["circumstances"]["environment"]
    for changed in ({"numerics": 0}, {"seed": 7}):
        record = made({**spec, **changed}, 0.1)
        record["circumstances"]["environment"] = environment
        store.add(new_record(record["spec"], record["result"], record["circumstances"]))
    old = superseded(CLAIMS.values(), store.read(), {}).values()
    assert [record["spec"]["numerics"] for record in old] == [0]
    assert headlines(store)["degradation-plain", "training error"] == "REPRODUCED"
    text = markdown_of(store, tmp_path)
    assert "1 of them superseded" in text
    assert text.count("(superseded)") == 1
    assert "1 of seeds that are not judged" in text
    assert text.count("(not judged)") == 1


def test_holm_s_values_are_as_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )


@pytest.mark.parametrize("diverge", [None, ("plain-56", 4)])
def test_figures_draw_every_seed_s_curve_and_their_mean(tmp_path, diverge):
    """Training dashed, test solid; the lines' own numbers against the records'."""
    found = findings(FLAGSHIP_CLAIMS, folder_of(tmp_path, diverge=diverge).read(), {})
    (row,) = (f for f in found if f.claim.name == "degradation-difference")
    *panels, effects = curves_figure([row]).axes
    assert [panel.get_title() for panel in panels] == ["plain nets", "residual nets"]
    drawn = {"--": [], "-": []}
    for line in (line for panel in panels for line in panel.lines):
        drawn[line.get_linestyle()].append([round(float(y), 6) for y in line.get_ydata()])
    for split, style in (("train", "--"), ("test", "-")):
        for seeds in row.headline.curves().values():
            curves = [[round(100 * e, 6) for e in seed[split]] for seed in seeds.values()]
            assert all(curve in drawn[style] for curve in curves)
            mean = [round(sum(ys) / 3, 6) for ys in zip(*curves, strict=False)]
            assert mean in drawn[style]
        assert len(drawn[style]) == 4 * (3 + 1)
    known = [100 * effect for effect in row.verdict.effects if effect is not None]
    (seeds,) = (line for line in effects.lines if line.get_gid() == "seeds")
    assert list(seeds.get_xdata()) == pytest.approx(known)
    spans = [list(line.get_xdata()) for line in effects.lines if len(line.get_xdata()) == 2]
    bounds = [100 * b for b in (row.verdict.lower, row.verdict.upper) if b is not None]
    assert not bounds or pytest.approx(bounds) in spans


def test_the_headline_is_on_the_claim_s_backend(tmp_path):
    """The highest complete tier there; others stand beside it; smoke is no headline."""
    folder_of(tmp_path, backend="torch", tier="night")
    folder_of(tmp_path, backend="tensorflow", tier="smoke", data=EMBEDDED)
    folder_of(tmp_path, backend="tensorflow", tier="night", lose=("plain-20", 3))
    store = folder_of(tmp_path, backend="tensorflow")
    first, *others = findings(FLAGSHIP_CLAIMS, store.read(), {})[0].runs
    assert str(first.group) == "laptop · tensorflow · cifar10"
    assert str(others[-1].group) == "smoke · tensorflow · embedded"
    assert len(others) == 3


def test_verdicts_are_set_over_those_of_the_same_tier_and_backend(tmp_path):
    """Not over the other's headline, a higher tier; where it has no such runs, over that."""
    laptop = findings(FLAGSHIP_CLAIMS, folder_of(tmp_path).read(), {})[0]
    both = findings(FLAGSHIP_CLAIMS, folder_of(tmp_path, tier="night").read(), {})[0]
    night = replace(both, runs=both.runs[:1])
    heads = [like(other, laptop.headline).headline for other in (both, night)]
    assert [head.group.tier for head in (both.headline, *heads)] == ["night", "laptop", "night"]
    assert like(both, None) is both


def test_records_of_a_tier_that_is_gone_are_superseded(tmp_path):
    store = folder_of(tmp_path)
    record = next(iter(store.read().values()))
    spec = record["spec"] | {"tier": record["spec"]["tier"] | {"name": "desk"}}
    store.add(new_record(spec, record["result"], record["circumstances"]))
    assert len(superseded(CLAIMS.values(), store.read(), {})) == 1
    assert "1 of them superseded" in markdown_of(store, tmp_path)


def test_other_results_of_a_key_are_shown_even_without_the_first(tmp_path):
    store = folder_of(tmp_path)
    record = next(iter(store.read().values()))
    result = {**record["result"], "outcome": "finished", "weights_sha256": "other"}
    circumstances = {**record["circumstances"], "threads": 2}
    store.add(new_record(record["spec"], result, circumstances))
    assert "1 further results" in markdown_of(store, tmp_path)
    (store.folder / f"{record['key']}.json").unlink()
    assert "the first is missing" in markdown_of(store, tmp_path)


def test_figures_in_the_page_ask_for_no_style_and_keep_their_words(tmp_path):
    """A content security policy forbids style attributes; colours and sizes stay as attributes."""
    (row, *_) = findings(FLAGSHIP_CLAIMS, folder_of(tmp_path).read(), {})
    text = inline(svg(curves_figure([row]), "name"), "name", "A title of <its> own")
    root = ElementTree.fromstring(text)
    assert all("style" not in element.attrib for element in root.iter())
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"plain nets", "effects", "epoch"} <= words
    assert "A title of &lt;its&gt; own" in text
    assert "#000000" not in text
    assert "#D55E00" in text.upper()


@pytest.mark.parametrize(
    ("claim", "statement", "told"),
    [
        ("degradation-plain", "training error", "+29.1 points"),
        ("bn-faster", "steps", "1 run never got there"),  # no mean of those that did
        ("googlenet-params", "with the classifier", "6,998,552"),
    ],
)
def test_the_terminal_says_what_was_found(claim, statement, told):
    (finding,) = [f for f in FOUND if (f.claim.name, f.statement.name) == (claim, statement)]
    assert told in found_of(finding)
