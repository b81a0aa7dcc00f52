"""The store: whole records or none, and damage is always seen."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproductions.evidence.canonical import canonical, key_of
from reproductions.evidence.errors import InputError
from reproductions.evidence.files import write_once
from reproductions.evidence.provenance import environment
from reproductions.evidence.store import Store, new_record, read_record

CIRCUMSTANCES = {
    "commit": "c" * 40, "dirty": None, "environment": "e" * 64, "seconds": 2.5,
    "started": "2026-11-24T00:00:00+00:00", "threads": 1,
}  # fmt: skip
SPEC = {"arm": {"name": "vgg-weights"}, "backend": "torch"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def record(error=0.5, **circumstances):
    result = {"outcome": "computed", "reason": None, "values": {"error": error}}
    return new_record(SPEC, result, CIRCUMSTANCES | circumstances)


@given(json_values)
def test_canonical_text_is_the_value_s_own(value):
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_canonical_text_has_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        canonical({"loss": float("nan")})


def test_what_is_added_is_read(tmp_path):
    Store(tmp_path).add(record())
    assert Store(tmp_path).read() == {key_of(SPEC): record()}


@settings(max_examples=1000)
@given(st.data())
def test_every_flipped_bit_is_seen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flip") / f"{key_of(SPEC)}.json"
    content = bytearray(canonical(record()))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged: .*; restore it"):
        read_record(path)


@given(st.integers(0, 200))
def test_every_truncation_is_seen(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / f"{key_of(SPEC)}.json"
    path.write_bytes(canonical(record())[:length])
    with pytest.raises(InputError, match="damaged"):
        read_record(path)


def test_a_record_under_another_name_is_refused(tmp_path):
    path = tmp_path / f"{'0' * 16}.json"
    path.write_bytes(canonical(record()))
    with pytest.raises(InputError, match="does not match its spec"):
        read_record(path)


@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("spec", [], "spec"),
        ("spec", 5, "spec"),
        ("spec", None, "spec"),
        ("spec", {"arm": "plain-20", "backend": "torch"}, "spec.arm"),
        ("spec", {**SPEC, "tier": {}}, "spec.seed"),
        ("result", [], "result"),
        ("result", {"outcome": "computed", "reason": None}, "result.values"),
        ("circumstances", [], "circumstances"),
        ("circumstances", {**CIRCUMSTANCES, "threads": "1"}, "circumstances.threads"),
    ],
)
def test_a_whole_record_of_another_shape_is_refused(tmp_path, member, value, place):
    members = {**{name: record()[name] for name in ("spec", "result", "circumstances")}}
    other = new_record(**{**members, member: value})
    path = tmp_path / f"{other['key']}.json"
    path.write_bytes(canonical(other))
    with pytest.raises(InputError, match=f"its {place} is missing or of another type"):
        read_record(path)


@pytest.mark.parametrize("text", ['{"a":NaN}\n', '"\\ud800"\n', "[" * 200_000, "1" * 1_000_001])
def test_what_is_no_canonical_text_of_that_size_is_damaged(tmp_path, text):
    path = tmp_path / f"{'0' * 16}.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"damaged: .*; restore it"):
        read_record(path)


def test_a_later_schema_is_named(tmp_path):
    later = {**record(), "schema": 2}
    path = tmp_path / f"{key_of(SPEC)}.json"
    path.write_bytes(canonical(later))
    with pytest.raises(InputError, match="schema is 2 and not 1"):
        read_record(path)


def test_an_equal_result_again_changes_nothing(tmp_path):
    store = Store(tmp_path)
    store.add(record())
    before = (tmp_path / f"{key_of(SPEC)}.json").read_bytes()
    store.add(record(seconds=9.0))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]


def test_another_result_under_the_same_circumstances_is_an_error(tmp_path):
    store = Store(tmp_path)
    store.add(record())
    with pytest.raises(InputError, match="another result of the same run"):
        store.add(record(error=0.6))
    assert store.read() == {key_of(SPEC): record()}


def test_another_result_under_other_circumstances_stands_beside(tmp_path):
    store = Store(tmp_path)
    other = record(error=0.6, threads=2)
    store.add(record())
    store.add(other)
    assert store.read() == {key_of(SPEC): record()}
    assert store.others() == [other]


def test_a_file_is_written_once_and_leaves_no_parts(tmp_path):
    assert write_once(tmp_path / "a", b"1")
    assert not write_once(tmp_path / "a", b"2")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"1")]


def test_environments_are_shared_and_checked(tmp_path):
    store = Store(tmp_path)
    digest = store.keep_environment({"python": "3.11"})
    assert store.environment(record(environment=digest)) == {"python": "3.11"}
    path = tmp_path / "environments" / f"{digest}.json"
    path.write_bytes(canonical({"python": "3.12"}))
    with pytest.raises(InputError, match="damaged"):
        store.environment(record(environment=digest))


def test_an_environment_names_no_path():
    text = canonical(environment()).decode()
    assert os.path.expanduser("~") + os.sep not in text
    assert "keras==" in text


def test_a_folder_that_cannot_be_read_has_not_no_records(tmp_path):
    assert Store(tmp_path / "none").read() == {}
    (tmp_path / "records").write_text("a file in its place")
    with pytest.raises(NotADirectoryError):
        Store(tmp_path / "records").read()


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        Store(tmp_path / "file" / "records").check_writable()
