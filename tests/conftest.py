"""What tests share. The backend is that of the environment: one process, one backend."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# As the suite's processes have it: without, TensorFlow knows no channels_first on CPUs.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Of a run side by side: consoles made while it is set keep that width.
os.environ.pop("COLUMNS", None)

ROOT = Path(__file__).parents[1]
SMOKE = ("run", "--tier", "smoke", "--jobs", "2")

hypothesis.settings.register_profile("project", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("project")


def without_values(build, *arguments, **options):
    """What `build` gives, its variables with shapes and no values: it costs no time."""
    from reproductions.workloads.checks import graphs

    return graphs.without_values(build, *arguments, **options)


def apart(a, b):
    """The largest difference over the largest value."""
    return abs(a - b).max() / abs(a).max()


def missing(what, module=False):
    """Skip the test, or module, saying what is missing here; where nothing may be, fail it."""
    if "NOTHING_MISSING" in os.environ:
        pytest.fail(what)
    pytest.skip(what, allow_module_level=module)


@pytest.fixture(scope="session")
def document():
    """The text of the source document."""
    if "SOURCE_DOCUMENT" not in os.environ:
        missing("SOURCE_DOCUMENT is not set: the source document is not at hand")
    return Path(os.environ["SOURCE_DOCUMENT"]).read_text()


@pytest.fixture(scope="session")
def cifar10():
    """CIFAR-10 for real. Where TFDS_DATA_DIR promises it, it must be there."""
    if "TFDS_DATA_DIR" not in os.environ:
        missing("TFDS_DATA_DIR is not set: no CIFAR-10 here")
    from reproductions.data.cifar import prepared
    from reproductions.data.registry import DATASETS

    data = prepared(DATASETS["cifar10"])
    assert data is not None, "CIFAR-10 is not prepared under TFDS_DATA_DIR"
    return data


def reproductions(*words, before=(), **environment):
    """Run the command line in a process of its own; `before` are words that start it."""
    return subprocess.run(
        [*before, sys.executable, "-m", "reproductions", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The arrays of the smoke tier, as training processes read them."""
    import numpy as np

    from reproductions.data.registry import embedded
    from reproductions.data.transforms import at_tier
    from reproductions.experiments.tiers import TIERS

    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, **at_tier(embedded(), TIERS["smoke"]))
    return path


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """A folder with the records of the whole smoke tier, and how they were made."""
    folder = tmp_path_factory.mktemp("smoke") / "records"
    return folder, reproductions(*SMOKE, "--records", folder)
