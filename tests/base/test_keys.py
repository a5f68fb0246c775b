"""Secrets and identifiers: fingerprints, request ids, names of bounded length."""

from __future__ import annotations

import hmac
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.base.keys import MAX_NAME_BYTES, bounded, fingerprint, new_request_id, same

NAMES = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="a\u00e9\u0301e\ud800", max_size=140),
    st.text(min_size=MAX_NAME_BYTES - 1, max_size=MAX_NAME_BYTES + 2),
)
LONG = "a" * (MAX_NAME_BYTES + 1)


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def test_a_fingerprint_is_the_hash() -> None:
    """A fingerprint is what `sha256sum` says of the key, and never the key itself."""
    assert fingerprint(b"demo-salon-anna") == (
        "sha256:bfcc401e7ac69c9edf085d0d7cf5419b84b8c7bcd07040572480ff035e1aed60"
    )


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-22 (constant-time compare): two secrets meet in hmac.compare_digest and nowhere else."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert same("a", "a")
    assert not same("a", "b")
    assert compared == [(b"a", b"a"), (b"a", b"b")]


@given(st.text(max_size=4), st.text(max_size=4))
def test_same_means_equal(one: str, other: str) -> None:
    """Two secrets are the same exactly when they are equal, in any script."""
    assert same(one, one)
    assert same(one, other) == (one == other)


def test_request_ids_are_never_the_same() -> None:
    """No two requests share an id, also where threads ask at once."""
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: new_request_id(), range(2_000)))
    assert len(set(ids)) == len(ids)
    assert len({request_id.partition("-")[0] for request_id in ids}) == 1


@given(NAMES, NAMES)
@example(LONG, LONG + "a")
@example("a/b", "a\\b")
def test_different_names_stay_different(one: str, other: str) -> None:
    """F-21: two names get the same bounded name exactly when their NFC forms are equal."""
    assert (bounded(one) == bounded(other)) == (_nfc(one) == _nfc(other))


@pytest.mark.parametrize("long", [LONG, "\u00e9" * 65, "\ud800" * 50], ids=["ascii", "e", "lone"])
def test_no_name_can_pass_for_a_hashed_one(long: str) -> None:
    """F-21: the text of a hash, used as a name, isn't the long name that has this hash."""
    assert bounded(bounded(long)) != bounded(long)


@given(NAMES)
def test_names_are_bounded(name: str) -> None:
    """F-21: a bounded name takes at most 128 bytes, whatever the name."""
    assert len(bounded(name).encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES


def test_a_huge_name_is_hashed() -> None:
    """F-21: a name of 1 MB becomes its hash; one of 128 bytes stays as it is."""
    huge = "x" * 2**20
    assert bounded(huge) == "sha256:" + sha256(huge.encode()).hexdigest()
    assert bounded(LONG[1:]) == LONG[1:]
    assert bounded("\u00e9" * 64) == "\u00e9" * 64
    assert bounded("\u00e9" * 65).startswith("sha256:")


def test_look_alikes_are_normalised() -> None:
    """F-21: two ways to write one accented letter are one name; another letter is another."""
    assert bounded("caf\u00e9") == bounded("cafe\u0301") == "caf\u00e9"
    assert bounded("\u0430") != bounded("a")
