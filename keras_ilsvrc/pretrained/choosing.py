"""Which of a file's tensors are the network's, and under which names: wrappers' prefixes, one of
several sets of weights, a backbone inside another module.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from .contents import Contents, FaultError, Tensor, unique

# What DataParallel, torch.compile, Lightning and weight averaging put before all names.
WRAPPERS = ("module.", "_orig_mod.", "model.", "ema_model.", "_forward_module.")
# Numbers of batches, of averaged models: none is a weight.
COUNTERS = ("num_batches_tracked", "n_averaged")


@dataclass(frozen=True)
class Choice:
    """What of a file is meant, where it holds more than the network.

    Attributes:
        key: the name of one of several sets of weights, such as "state_dict_ema".
        prefix: what stands before the network's names; all other tensors are left out. None: what
            wrappers put there, or what stands before most of the network's names.
        rename: beginnings of names in the file, or compiled patterns, and what stands for them in
            the source's names.
        ignore: patterns (fnmatch) or beginnings of names that are left out.
    """

    key: str | None = None
    prefix: str | None = None
    rename: Mapping[str | re.Pattern[str], str] = field(default_factory=dict)
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("key", "prefix"):
            if not isinstance(getattr(self, name), str | None):
                raise ValueError(f"{name} is a name in the file, not {getattr(self, name)!r}.")
        if not isinstance(self.rename, Mapping):
            raise ValueError(
                f"rename is a dictionary of beginnings of names, {{there: here}}, not "
                f"{self.rename!r}."
            )
        if isinstance(self.ignore, str) or not all(isinstance(i, str) for i in self.ignore):
            raise ValueError(f"ignore is a list of patterns of names, not {self.ignore!r}.")


class Chosen(NamedTuple):
    """Tensors in the network's names, those that were left out, and what the report says."""

    tensors: dict[str, Tensor]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def chosen(
    contents: Contents, wanted: Collection[str], choice: Choice, topless: bool = False
) -> tuple[Contents, Chosen]:
    """The contents with the tensors that are meant, in the names that are `wanted` where they are
    the same but for a prefix.

    Raises:
        FaultError: it is not clear which tensors are meant; the message says what would be.
    """
    sets: Mapping[str, dict[str, Tensor]] = contents.sets or {"": contents.tensors}
    if choice.key is not None:
        sets = {choice.key: keyed(contents, choice.key)}
    if len(sets) == 1:
        ((name, tensors),) = sets.items()
        found = fitted(tensors, wanted, choice, topless)
    else:
        name, found = only(sets, wanted, choice, topless)
    told = f"from {name!r}" if name and name != "at its top" else ""
    found = found._replace(notes=tuple(filter(None, (told, *found.notes))))
    return replace(contents, tensors=found.tensors, sets={}), found


def keyed(contents: Contents, key: str) -> dict[str, Tensor]:
    """The set of tensors called `key`, by its whole name or the end of it."""
    for name, tensors in contents.sets.items():
        if name == key or name.endswith(f".{key}"):
            return tensors
    there = ", ".join(map(repr, contents.sets)) or "none, since it is no file of torch.save"
    raise FaultError(f"has no set of tensors key={key!r}; it has {there}.")


def only(
    sets: Mapping[str, dict[str, Tensor]],
    wanted: Collection[str],
    choice: Choice,
    topless: bool,
) -> tuple[str, Chosen]:
    """The one set that has the network's names."""
    fits: dict[str, Chosen] = {}
    faults = []
    for name, tensors in sets.items():
        try:
            found = fitted(tensors, wanted, choice, topless)
        except FaultError as fault:
            faults.append(fault)
            continue
        if {*found.tensors} & {*wanted}:
            fits[name] = found
    if not fits and faults:
        raise faults[0]
    different: list[str] = []
    for name in fits:
        if not any(sets[name] is sets[other] for other in different):
            different.append(name)
    if len(different) == 1:
        return different[0], fits[different[0]]
    which = different or [*sets]
    raise FaultError(
        f"holds {len(which)} sets of tensors ({', '.join(map(repr, which))}), not one: say which "
        f"is meant, as in pretrained.load(..., key={which[0]!r})."
    )


def fitted(
    tensors: Mapping[str, Tensor], wanted: Collection[str], choice: Choice, topless: bool
) -> Chosen:
    """A set of tensors in the network's names."""
    left_out: list[str] = []
    notes: list[str] = []
    names = {name: name for name in tensors}  # the file's -> those that they become
    unused = {*choice.rename}

    def leave_out(which: Collection[str]) -> None:
        left_out.extend(which)
        for name in which:
            del names[name]

    def take_off(prefix: str, others: bool) -> None:
        if not prefix:
            return
        notes.append(f"{prefix!r} taken off the names")
        if others:
            leave_out([name for name, new in names.items() if not new.startswith(prefix)])
        names.update({name: new.removeprefix(prefix) for name, new in names.items()})

    def tidy() -> None:
        leave_out([name for name, new in names.items() if ignored(new, choice.ignore)])
        for name, new in names.items():
            names[name] = renamed(new, choice.rename, unused)

    if choice.prefix is not None:
        take_off(given(choice.prefix, names.values()), True)
    tidy()
    if choice.prefix is None:
        prefix = common(names.values(), wanted)
        take_off(prefix, topless and prefix not in WRAPPERS)
    place, modules = numbered(names.values(), wanted, topless)
    if modules:
        take_off(place, topless)
        notes.append("modules that have numbers for names taken in their order")
        names.update({name: with_name(new, modules) for name, new in names.items()})
    if unused or choice.ignore:
        tidy()
    if unused:
        raise FaultError(f"has no names that begin with {', '.join(map(repr, unused))} (rename).")
    inside = unique((new, tensors[name]) for name, new in names.items())
    return Chosen(inside, tuple(left_out), tuple(notes))


def bare(name: str) -> str:
    """Without what wrappers put before it, which may have been taken off all names."""
    while wrapper := next((w for w in WRAPPERS if name.startswith(w)), None):
        name = name.removeprefix(wrapper)
    return name


def ignored(name: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatchcase(name, p) or name.startswith(p if p.endswith(".") else f"{p}.")
        for pattern in patterns
        for p in {pattern, bare(pattern)} - {""}
    )


def renamed(
    name: str,
    rename: Mapping[str | re.Pattern[str], str],
    unused: set[str | re.Pattern[str]],
) -> str:
    """A name, the first beginning or pattern of it replaced; which is then no longer unused."""
    for there, here in rename.items():
        if isinstance(there, re.Pattern):
            if there.search(name):
                unused.discard(there)
                return there.sub(here, name)
            continue
        for start in (there, bare(there)):
            if start and name.startswith(start):
                unused.discard(there)
                return here + name.removeprefix(start)
    return name


def given(prefix: str, names: Collection[str]) -> str:
    """The prefix that was asked for, with what wrappers put before it."""
    asked = prefix if prefix.endswith(".") or not prefix else f"{prefix}."
    for start in (asked, bare(asked)):
        for name in names:
            rest = name
            while not rest.startswith(start):
                wrapper = next((w for w in WRAPPERS if rest.startswith(w)), None)
                if wrapper is None:
                    break
                rest = rest.removeprefix(wrapper)
            else:
                return name.removesuffix(rest) + start
    firsts = ", ".join(repr(f"{n}.") for n in dict.fromkeys(n.partition(".")[0] for n in names))
    raise FaultError(f"has no names that begin with prefix={prefix!r}; they begin with {firsts}.")


def common(names: Collection[str], wanted: Collection[str]) -> str:
    """What stands before most of the wanted names; "" where they stand alone."""
    found: dict[str, set[str]] = {}
    for name in names:
        for place, rest in endings(name):
            if rest in wanted:
                found.setdefault(place, set()).add(rest)
    most = max(map(len, found.values()), default=0)
    best = [place for place, rests in found.items() if len(rests) == most]
    if "" in best or 2 * most < len(wanted):
        return ""
    if len(best) > 1:
        raise FaultError(
            f"holds the network {len(best)} times, under {', '.join(map(repr, best))}: say which "
            f"is meant, as in pretrained.load(..., prefix={best[0]!r})."
        )
    return best[0]


def endings(name: str) -> Iterator[tuple[str, str]]:
    """("", "a.b.c"), ("a.", "b.c"), ("a.b.", "c")."""
    yield "", name
    for dot in re.finditer(r"\.", name):
        yield name[: dot.end()], name[dot.end() :]


def numbered(
    names: Collection[str], wanted: Collection[str], topless: bool
) -> tuple[str, dict[str, str]]:
    """Of a Sequential of a network's modules, whose names are places: what stands before them, and
    place -> name of the module, where so most of the wanted names are found; else nothing.
    """
    if 2 * len({*names} & {*wanted}) >= len(wanted):
        return "", {}
    modules = [*dict.fromkeys(name.partition(".")[0] for name in wanted)]
    inside: dict[str, list[str]] = {}
    for name in names:
        for place, rest in endings(name):
            if rest.partition(".")[0].isdecimal() and not counter(name):
                inside.setdefault(place, []).append(rest)
    for place, rests in inside.items():
        places = sorted({rest.partition(".")[0] for rest in rests}, key=int)
        if len(places) != len(modules) and not (topless and len(places) > len(modules)):
            continue
        found = dict(zip(places, modules, strict=False))
        if 2 * len({with_name(rest, found) for rest in rests} & {*wanted}) >= len(wanted):
            return place, found
    return "", {}


def with_name(name: str, modules: Mapping[str, str]) -> str:
    place, dot, rest = name.partition(".")
    return modules.get(place, place) + dot + rest


def counter(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what wrappers put before all names; counters stand beside them."""
    named = dict(tensors)
    while prefix := next((w for w in WRAPPERS if before_all(w, named)), None):
        named = unique((name.removeprefix(prefix), tensor) for name, tensor in named.items())
    return named


def before_all(prefix: str, names: Collection[str]) -> bool:
    weights = [n for n in names if not counter(n) and not n.startswith("storage ")]
    return bool(weights) and all(name.startswith(prefix) for name in weights)
