"""The worked examples of CONTRIBUTING.md, done in a copy of the suite."""

import os
import re
import shutil
import subprocess
import sys

import keras
import pytest

from conftest import ROOT

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="what no backend changes is tested on one"
)
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
CLAIM, CHECK, NETWORK = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def copy(tmp_path):
    """The two packages, without records."""
    ignored = shutil.ignore_patterns("records", "figures", "__pycache__")
    for name in ("reproductions", "keras_ilsvrc"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def edit(path, *changes):
    """Replace texts of a file, each of which stands there once."""
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    path.write_text(text)


def python(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "250"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_add_a_claim(copy):
    claims = copy / "reproductions" / "claims"
    (claims / "wider.py").write_text(CLAIM)
    edit(
        claims / "__init__.py",
        ("    vgg_trained,\n)", "    vgg_trained,\n    wider,\n)"),
        ("normalization, after,\n", "normalization, after, wider,\n"),
    )
    words = ("--tier", "smoke", "--records", str(copy / "runs"), "deeper-residual")
    assert "not above that of ResNet-20" in python(copy, "-m", "reproductions", "list")
    assert "2 of 2 runs missing" in python(copy, "-m", "reproductions", "plan", *words)


def test_add_a_check(copy):
    checks = copy / "reproductions" / "workloads" / "checks"
    with (checks / "counts.py").open("a") as file:
        file.write(f"\n\n{CHECK}")
    edit(
        checks / "__init__.py",
        ("counts.densenet_lean,", "counts.densenet_lean, counts.resnet_dense_layers,"),
    )
    code = "from reproductions.workloads.checks import CHECKS; print(CHECKS['{}']())"
    printed = python(copy, "-c", code.format("resnet-dense-layers"))
    assert printed.strip() == "{'dense layers': 1}"


def test_add_a_network(copy):
    edit(
        copy / "reproductions" / "workloads" / "training" / "networks.py",
        ("OWN: dict[", f"{NETWORK}\n\nOWN: dict["),
        ("(Stacks, Plain, GatedResNet)", "(Stacks, Plain, GatedResNet, Shallow)"),
    )
    edit(
        copy / "reproductions" / "experiments" / "arms.py",
        ('        Arm("plain-20",', '        Arm("shallow", "Shallow"),\n        Arm("plain-20",'),
    )
    code = (
        "from reproductions.experiments.arms import ARMS\n"
        "from reproductions.experiments.tiers import TIERS\n"
        "from reproductions.workloads.training.networks import built\n"
        "print(built(ARMS['shallow'].spec(), TIERS['smoke'], 10).output_shape)"
    )
    assert python(copy, "-c", code).strip() == "(None, 10)"
