"""python -m tests.every_network FOLDER PAGE: what `tox run -e full` saw, as a table.

FOLDER has a JUnit file a backend; a network's row says how each of its tests ended.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

BACKENDS = ("tensorflow", "jax")
TESTS = {
    "test_one_training_step_lowers_the_loss_of_its_batch": "a step lowers the loss",
    "test_saved_and_loaded_it_is_equal": "saved and loaded",
    "test_in_mixed_precision_the_classifier_stays_in_float32": "mixed precision",
}


def outcome(case: ElementTree.Element) -> str:
    """passed, failed or skipped; and the losses before and after the step."""
    ends = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
    losses = [p.get("value") for p in case.iter("property") if p.get("name") == "loss"]
    return " ".join([*ends, *(losses if not ends else ())]) or "passed"


def cells(file: Path) -> dict[tuple[str, str], set[str]]:
    """(network, test) -> its outcomes."""
    found = defaultdict(set)
    for case in ElementTree.parse(file).iter("testcase"):
        test, network = re.match(
            r"(\w+)\[(?:mixed_\w+-)?(\w+?)(?:-mixed_\w+)?\]", case.get("name")
        ).groups()
        found[network, test].add(outcome(case))
    return found


def page(folder: Path) -> str:
    head = "| network | backend | " + " | ".join(TESTS.values()) + " |"
    lines = ["# Every network, on the backends where CI tests the shallowest", "",
             "Made by `tox run -e full`. Losses: of one batch before and after one step.", "",
             head, "|---" * (2 + len(TESTS)) + "|"]  # fmt: skip
    for backend in BACKENDS:
        file = folder / f"{backend}.xml"
        if not file.exists():
            lines.append(f"| all | {backend} | NOT RUN | NOT RUN | NOT RUN |")
            continue
        found = cells(file)
        for network in sorted({network for network, _ in found}):
            row = (", ".join(sorted(found[network, test])) for test in TESTS)
            lines.append(f"| {network} | {backend} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(page(Path(sys.argv[1])))
