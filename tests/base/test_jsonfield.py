"""One field of a JSON document that arrives in pieces."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.base import jsonfield
from fairuse.base.jsonfield import MAX_ANSWER, MAX_LINE, EventStreamField, JsonField

KNOWN: dict[str, tuple[str, str, object]] = {
    "a number": ("pages", '{"pages": 7}', 7),
    "a fraction": ("pages", '{"pages": 2.50}', 2.5),
    "a large number": ("pages", '{"pages": 9223372036854775807}', 9223372036854775807),
    "an exponent": ("pages", '{"pages": 1e3}', 1_000.0),
    "a negative number": ("pages", '{"pages": -1}', -1),
    "a text": ("pages", '{"pages": "7"}', "7"),
    "an escaped name": ("pages", r'{"p\u0061ges": 7}', 7),
    "nested": ("usage.total.tokens", '{"usage": {"a": [1], "total": {"tokens": 7}}}', 7),
    "a name with a dot in it": ("usage.tokens", '{"usage.tokens": 7}', None),
    "after much else": ("n", '{"a": {"n": 1}, "b": [{"n": 2}], "n": 3}', 3),
    "a list is as long as it is": ("to", '{"to": ["a", 1, null, true, {"to": [1]}, [2, 3]]}', 6),
    "an empty list": ("to", '{"to": []}', 0),
    "a nested list": ("mail.to", '{"mail": {"to": [["a"], ["b"]]}}', 2),
    "not there": ("pages", '{"page": 7}', None),
    "deeper": ("pages", '{"a": {"pages": 7}}', None),
    "in a list": ("pages", '[{"pages": 7}]', None),
    "null": ("pages", '{"pages": null}', None),
    "true": ("pages", '{"pages": true}', None),
    "an object": ("pages", '{"pages": {"n": 7}}', None),
    "nothing": ("pages", "", None),
    "a number alone": ("pages", "7", None),
}


def read(path: str, chunks: list[bytes], at_most: int = MAX_ANSWER) -> JsonField:
    """Read a document chunk by chunk."""
    field = JsonField(path, at_most)
    for chunk in chunks:
        field.feed(chunk)
    return field


def apart(data: bytes) -> list[bytes]:
    """Cut into single bytes."""
    return [bytes([byte]) for byte in data]


@pytest.mark.parametrize("case", KNOWN.values(), ids=KNOWN)
def test_a_field_is_found_however_it_arrives(case: tuple[str, str, object]) -> None:
    """E37: a field is read the same from a document that comes whole, in halves, or in bytes."""
    path, text, value = case
    data = text.encode()
    middle = len(data) // 2
    for chunks in ([data], apart(data), [data[:middle], b"", data[middle:]]):
        field = read(path, chunks)
        assert (field.value, type(field.value)) == (value, type(value))
        assert (field.found, field.broken) == (int(value is not None), False)


_ONE = st.none() | st.booleans() | st.integers(-(2**62), 2**63 - 1) | st.text()


@given(st.recursive(_ONE, st.lists), st.data())
def test_it_is_what_json_reads(value: Any, data: st.DataObject) -> None:
    """E37: numbers, texts and lengths of lists are what any reader of JSON finds."""
    document = json.dumps({"a": [value], "b": {"c": value}}).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(document)), max_size=5)))
    edges = [0, *cuts, len(document)]
    field = read("b.c", [document[i:j] for i, j in pairwise(edges)])
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    assert field.value == (len(value) if isinstance(value, list) else value if plain else None)


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ('{"n": 1, "n": 2}', 2, 2),
        ('{"n": [1], "n": 5}', 5, 2),
        ('{"n": 5, "n": [1]}', 1, 2),
        ('{"n": 1, "m": 2}', 1, 1),
    ],
)
def test_a_field_that_is_there_twice_is_counted(text: str, value: object, found: int) -> None:
    """F-7 (one verdict): programs differ in which of two they take, so two are told from one."""
    for chunks in ([text.encode()], apart(text.encode())):
        field = read("n", chunks)
        assert (field.value, field.found) == (value, found)


BROKEN = [
    b'{"n": 7} and more',
    b'{"n": 07}',
    b'{"n": NaN}',
    b"{'n': 7}",
    b"\x1f\x8b\x08\x00compressed",
    '{"n": 7}'.encode("utf-16"),
    b'{"n": "\xff"}',
    b'{"n": 1}{"n": 2}',
    b'{"n": ' + b"1" * 5_000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_json_is_said_to_be_none(data: bytes) -> None:
    """E37: a document that is no JSON is broken, however it comes, and nothing more is read."""
    for chunks in ([data], apart(data)):
        field = read("n", [*chunks, b'{"n": 9}'])
        assert field.broken
        assert field.value != 9


def test_a_document_that_is_cut_off_is_not_broken_yet() -> None:
    """E37: what was found in a document that never ends is kept."""
    field = read("n", [b'{"n": 7, "more": ['])
    assert (field.value, field.broken) == (7, False)


@pytest.mark.parametrize("size", [16, 1_024, 65_536])
def test_a_huge_document_is_read_so_far_and_no_further(size: int) -> None:
    """F-44 (in part): what stands within the bound is found, and what comes later is not."""
    filler = b'"' + b"x" * (size - 4) + b'",'
    rounds = 200_000 // len(filler) + 2
    early = read("n", [b'{"n": 7, "a": [', *[filler] * rounds], at_most=200_000)
    assert (early.value, early.over) == (7, True)
    late = read("n", [b'{"a": [', *[filler] * rounds, b'0], "n": 7}'], at_most=200_000)
    assert (late.value, late.found, late.over) == (None, 0, True)


STREAM = b"""\
: a comment
event: delta
data: {"text": "a", "usage": null}

data: {"usage": {"tokens": 3}}

data:{"usage": {"tokens": 7}}
id: 9

data: [DONE]

"""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_field_of_an_event_stream_is_that_of_the_last_event_that_has_it(line_end: bytes) -> None:
    """E37: of an answer that comes as events the last word about the cost holds."""
    data = STREAM.replace(b"\n", line_end)
    for chunks in ([data], apart(data), [data[:40], data[40:]]):
        field = EventStreamField("usage.tokens")
        for chunk in chunks:
            field.feed(chunk)
        assert (field.value, field.over) == (7, False)


def test_an_event_stream_holds_one_line_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-44 (in part): a line that never ends is passed over, and the next one is read."""
    monkeypatch.setattr(jsonfield, "MAX_LINE", 1_000)
    field = EventStreamField("n")
    for _ in range(100):
        field.feed(b"x" * 100)
        assert len(field._line) <= 1_000
    field.feed(b'\ndata: {"n": 7}\ndata: no JSON\n')
    assert field.value == 7


@pytest.mark.parametrize(
    ("path", "text", "ambiguous"),
    [
        ("n", '{"n": 0, "n": true}', True),
        ("n", '{"n": 0, "n": null}', True),
        ("n", '{"n": 0, "n": {"x": 1}}', True),
        ("u.n", '{"u": {"n": 1}, "u": {}}', True),
        ("n", '{"n": 1, "a": {"n": 2}}', False),
        ("u.n", '{"u": {"n": 1}, "n": 2}', False),
    ],
)
def test_a_name_that_is_there_twice_is_ambiguous(path: str, text: str, ambiguous: bool) -> None:
    """F-7 (one verdict): a name said twice is, also where its second value is no number."""
    assert read(path, apart(text.encode())).ambiguous is ambiguous


@pytest.mark.parametrize("text", ["{", '{"n":5', '{"n":"5"', '["a"', '{"n": 5}'])
def test_a_document_that_ends_too_early_is_broken(text: str) -> None:
    """E37: what is not complete at its end is no JSON; what is complete is."""
    field = read("n", [text.encode()])
    field.end()
    assert field.broken is (text != '{"n": 5}')


def test_the_last_event_needs_no_end_of_its_own() -> None:
    """E37: the last line of a stream is read, and a stream is read so far and no further."""
    field = EventStreamField("n")
    field.feed(b'data: {"n": 1}\ndata: {"n": 9}')
    field.end()
    assert (field.value, field.over) == (9, False)
    for _ in range(MAX_ANSWER // MAX_LINE + 1):
        field.feed(b"x" * MAX_LINE)
    assert field.over
