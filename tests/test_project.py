"""What the repository promises of itself."""

import configparser
import re
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT, reproductions

README = (ROOT / "README.md").read_text()
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_readme_is_short_and_has_exactly_the_two_set_up_commands():
    assert len(README.splitlines()) < 120
    commands = set(re.findall(r"^pip install .*$", README, re.M))
    assert commands == {"pip install tox && tox run -e reproduce", "pip install tox && tox run"}


def test_ci_runs_readme_s_test_command():
    assert "\npip install tox && tox run\n" in (ROOT / ".ci" / "run").read_text()


def test_tox_runs_each_backend_alone():
    section = TOX["tox"]["env_list"].replace(",", " ").split()
    assert section == ["lint", "pages", "tensorflow", "torch", "jax"]


def test_reproduce_goes_on_where_it_was_interrupted():
    """Into a folder that tox leaves alone, which is not the committed one; nothing is skipped."""
    run, report = (
        line.split() for line in TOX["testenv:reproduce"]["commands"].strip().splitlines()
    )
    folder = run[run.index("--records") + 1]
    assert folder == "{tox_root}/runs"
    assert run == ["python", "-m", "reproductions", "run", "--records", folder, "{posargs}"]
    assert report[report.index("--records") + 1] == folder


def test_what_reproduce_runs_owes_every_run_of_the_flagship(tmp_path):
    """The same words with `plan` for `run`, on an empty folder: nothing is taken as done."""
    done = reproductions("plan", "--records", tmp_path, "--data", "embedded")
    assert "12 of 12 runs missing" in done.stdout, done.stderr


def test_the_package_depends_on_three_others():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", d)[0] for d in project["dependencies"]}
    assert names == {"keras", "numpy", "safetensors"}


def test_the_package_imports_keras_numpy_and_safetensors_alone():
    code = "import sys, keras; before = set(sys.modules); import keras_ilsvrc;"
    code += "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"keras_ilsvrc", "safetensors"}


def test_the_command_line_does_not_import_a_backend():
    code = "import sys; import reproductions.__main__; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_files_are_small_and_name_no_place():
    for path in tracked():
        most = 3e6 if path.name == "REPORT.html" else 1e6  # it holds every figure
        assert path.stat().st_size < most, path
        text = path.read_bytes()
        assert b"/work" + b"/" not in text, path
        assert b"/ro" + b"ot/" not in text, path


def test_constraints_pin_what_pip_would_guess_wrong():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins


@pytest.mark.parametrize("page", ["docs/reliability.md", "SECURITY.md"])
def test_the_tests_that_hold_promises_exist(page):
    """By file, and by words of their names."""
    named = r"((?:`[\w/]*test_\w+\.py`(?:, )?)+)(?:: ([^|`;)]+))?"
    where = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
    promised = re.findall(named, (ROOT / page).read_text())
    assert len(promised) >= 5
    for files, phrases in promised:
        texts = [where[name].read_text() for name in re.findall(r"test_\w+\.py", files)]
        names = [name for text in texts for name in re.findall(r"def (test_\w+)", text)]
        for phrase in phrases.split(",") if phrases else ():
            words = re.sub(r"\W+", "_", phrase.strip())
            assert any(words in name for name in names), phrase
