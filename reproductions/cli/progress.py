"""One live line a run on a terminal; plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..evidence.store import Record
from ..experiments.spec import Spec


class Plain:
    """A line when a run starts, after each of its epochs, and when it ends."""

    def __init__(self, console: Console, runs: Mapping[str, Spec]):
        self.console, self.runs = console, runs
        self.ends = self.failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def started(self, key: str, spec: Spec) -> None:
        self.say(f"{title(spec)}: started")

    def went_on(self, key: str, event: Mapping[str, Any]) -> None:
        for name, tell in TELL.items():
            if name in event:
                self.say(f"{title(self.runs[key])}: {tell(event)}")

    def elsewhere(self, key: str) -> None:
        self.say(f"{title(self.runs[key])}: another process is at it")

    def ended(self, key: str, record: Record | None, problem: str | None) -> None:
        self.ends += 1
        self.failures += record is None
        counted = f"({self.ends} of {len(self.runs)})"
        self.say(f"{title(self.runs[key])}: {ending(record, problem)} {counted}")


class Live(Plain):
    """A bar for each run in flight, with epoch, loss, images a second and time left."""

    def __init__(self, console: Console, runs: Mapping[str, Spec]):
        super().__init__(console, runs)
        self.progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(compact=True),
            console=console,
        )
        self.all = self.progress.add_task("all runs", total=len(runs), told="")
        self.tasks: dict[str, TaskID] = {}
        self.clocks: dict[str, tuple[float, int]] = {}
        self.speeds: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def started(self, key: str, spec: Spec) -> None:
        self.clocks[key] = time.monotonic(), 0
        self.tasks[key] = self.progress.add_task(title(spec), total=steps(spec), told="starting")

    def went_on(self, key: str, event: Mapping[str, Any]) -> None:
        super().went_on(key, event)
        if "resumed" in event:  # these steps are another process'
            self.clocks[key] = time.monotonic(), event["resumed"]
        if "epoch" not in event:
            return
        told = f"epoch {event['epoch']:.0f}  loss {loss_text(event)}  {self.speed(key, event)}"
        self.progress.update(self.tasks[key], completed=event["step"], told=told)

    def speed(self, key: str, event: Mapping[str, Any]) -> str:
        """Images a second since the last event that had made steps."""
        then, steps = self.clocks[key]
        now = time.monotonic()
        images = (event["step"] - steps) * self.runs[key]["recipe"]["batch_size"]
        if images:
            self.clocks[key] = now, event["step"]
            self.speeds[key] = f"{images / (now - then):.0f} images/s"
        return self.speeds.get(key, "")

    def ended(self, key: str, record: Record | None, problem: str | None) -> None:
        if key in self.tasks:  # else it never began
            self.progress.remove_task(self.tasks.pop(key))
        self.progress.advance(self.all)
        super().ended(key, record, problem)

    def say(self, text: str) -> None:
        self.progress.console.print(text, markup=False, highlight=False)


def listener(console: Console, runs: Mapping[str, Spec]) -> Plain:
    """The live display on a terminal, else plain lines."""
    return (Live if console.is_terminal else Plain)(console, runs)


def title(spec: Spec) -> str:
    seed = f" seed {spec['seed']}" if "seed" in spec else ""
    return f"{spec['arm']['name']}{seed} {spec['backend']}"


def steps(spec: Spec) -> int | None:
    """Of training; a check has none."""
    return spec["tier"]["steps"] if "tier" in spec else None


def epoch_text(event: Mapping[str, Any]) -> str:
    return (
        f"epoch {event['epoch']:.0f}, step {event['step']:.0f}, loss {loss_text(event)}, "
        f"error {errors(event)}, {event['images_per_second']:.0f} images/s"
    )


# Of events that have this member.
TELL: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "set_aside": lambda event: f"set aside: {event['set_aside']}",
    "resumed": lambda event: f"goes on from step {event['resumed']}",
    "stopped": lambda event: f"kept after step {event['stopped']}",
    "train_error": epoch_text,
}


def loss_text(event: Mapping[str, Any]) -> str:
    loss = event.get("running_loss", event.get("loss"))
    return "-" if loss is None else f"{loss:.3f}"


def ending(record: Record | None, problem: str | None) -> str:
    if record is None:
        return f"FAILED: {problem}"
    result, seconds = record["result"], record["circumstances"]["seconds"]
    if "curves" not in result:
        return f"computed, {seconds:.1f} s"
    told = result["outcome"] if result["reason"] is None else f"diverged: {result['reason']}"
    last = {name: column[-1] for name, column in result["curves"].items()}
    return f"{told}, error {errors(last)}, {seconds:.0f} s"


def errors(row: Mapping[str, Any]) -> str:
    return f"{100 * row['train_error']:.1f} % training, {100 * row['test_error']:.1f} % test"
