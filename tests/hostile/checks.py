"""Whether what came of a case is what its file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.hostile.cases import Answer, Upstream

if TYPE_CHECKING:
    from tests.hostile.cases import OfRequest, Status
    from tests.hostile.client import Got
    from tests.hostile.upstream import Seen

NEIGHBOUR = "/neighbour/"
NEVER_TOLD = (b"127.0.0.1", b"Traceback", b"POISON")


def check_answers(case: OfRequest, got: list[Got]) -> None:
    """Check the answers that a client got."""
    assert len(got) == len(case.answers), got
    for answer, wanted in zip(got, case.answers, strict=True):
        expected = Answer(**wanted) if isinstance(wanted, dict) else Answer(wanted)
        assert answer.whole, answer
        check_status(answer, expected.status)
        check_fields(answer, expected.fields, expected.absent)
        if expected.body is not None:
            assert answer.body == expected.body.encode(), answer


def check_status(got: Got, wanted: Status) -> None:
    """Check a status; whatever says that the upstream failed must say nothing else of it."""
    assert got.status in (wanted if isinstance(wanted, list) else [wanted]), got
    if got.status in (502, 504):
        assert got.values("content-type") == ["application/problem+json"]
        assert not any(secret in got.body for secret in NEVER_TOLD), got


def check_fields(got: Got | Seen, wanted: list[str], absent: list[str]) -> None:
    """Check the fields: each wanted name has just the wanted values."""
    names = {name: got.values(name) for name in (each.partition(":")[0] for each in wanted)}
    for name, values in names.items():
        told = [each.partition(":")[2].strip() for each in wanted if each.startswith(name + ":")]
        assert values == told if told else values, (name, got.fields)
    for name in absent:
        assert not got.values(name), (name, got.fields)


def check_upstream(wanted: str | list[dict[str, Any]], seen: list[Seen]) -> None:
    """Check what reached the upstream: nothing, no whole body, or just these requests."""
    assert all(one.alone for one in seen), "two requests of one connection were under way at once"
    if isinstance(wanted, str):
        assert wanted in ("nothing", "aborted", "any")
        assert wanted != "nothing" or not seen, seen
        assert wanted != "aborted" or not any(one.complete for one in seen), seen
        return
    assert [one.line for one in seen] == [Upstream(**one).line for one in wanted]
    for one, told in zip(seen, wanted, strict=True):
        expected = Upstream(**told)
        assert one.complete, one
        assert one.body == expected.body.encode("latin-1"), one
        check_fields(one, expected.fields, expected.absent)


def check_echoes(got: list[Got], seen: list[Seen]) -> None:
    """Check that each served request was answered with its own answer, in their order.

    The upstream never answers without a body; the gateway by itself does.
    """
    served = [one.body.decode("latin-1") for one in got if one.status == 200 and one.body]
    served = [target for target in served if not target.startswith(NEIGHBOUR)]
    assert served == [one.line.split(" ")[1] for one in seen if one.complete]
