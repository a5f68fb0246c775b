"""F-21: no two counts have the same key in the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairuse.base.keys import bounded
from fairuse.rules.tally import TallyKey
from fairuse.stores.shared.names import index_name, members_name, share_name, tally_of

HOSTILE = st.text(alphabet='ab:{}[]"\\,/%\n é\u200d😀', max_size=6)
NAMES = HOSTILE | st.text(max_size=12)
WRITABLE = st.text(st.characters(codec=None), max_size=12).map(bounded) | NAMES.map(bounded)
SCOPES = st.lists(st.tuples(NAMES, WRITABLE), max_size=3).map(tuple)
KEYS = st.builds(TallyKey, WRITABLE, NAMES, NAMES, SCOPES)
NAMESPACES = st.sampled_from(["fairuse", "fairuse-2", "fair", "use"])
WINDOWS = st.integers(0, 2**53 - 1)


@given(key=KEYS, namespace=NAMESPACES)
def test_a_name_says_which_tally_it_is(key: TallyKey, namespace: str) -> None:
    """F-21: whatever the names are made of, the tally is read back from its key."""
    name = share_name(namespace, key)
    assert tally_of(key.account, name) == key
    assert name.isascii()
    assert name.startswith(index_name(namespace, key.account))


@given(one=KEYS, other=KEYS, namespaces=st.tuples(NAMESPACES, NAMESPACES))
def test_names_of_two_tallies_differ(
    one: TallyKey, other: TallyKey, namespaces: tuple[str, str]
) -> None:
    """F-21: two keys are the same only where namespace, account, limit, window and scope are."""
    first, second = share_name(namespaces[0], one), share_name(namespaces[1], other)
    assert (first == second) == ((namespaces[0], one) == (namespaces[1], other))
    indexes = [index_name(namespaces[0], one.account), index_name(namespaces[1], other.account)]
    same = (namespaces[0], one.account) == (namespaces[1], other.account)
    assert (indexes[0] == indexes[1]) == same


@given(one=KEYS, other=KEYS, windows=st.tuples(WINDOWS, WINDOWS), namespace=NAMESPACES)
def test_what_is_kept_beside_a_tally_is_no_tally(
    one: TallyKey, other: TallyKey, windows: tuple[int, int], namespace: str
) -> None:
    """F-21: neither an account's index nor a window's members meet any other key."""
    tallies = {share_name(namespace, one), share_name(namespace, other)}
    members = [
        members_name(share_name(namespace, key), window)
        for key, window in zip((one, other), windows, strict=True)
    ]
    indexes = {index_name(namespace, one.account), index_name(namespace, other.account)}
    assert not tallies & indexes
    assert not tallies & {*members}
    assert not indexes & {*members}
    assert (members[0] == members[1]) == ((one, windows[0]) == (other, windows[1]))


@given(one=KEYS, other=KEYS)
def test_keys_of_an_account_are_on_one_node(one: TallyKey, other: TallyKey) -> None:
    """F-21, F-43: all keys of an account have the same hash tag, which no other account has."""
    other_limit = other._replace(account=one.account)
    tags = [_tag(share_name("fairuse", key)) for key in (one, other_limit, other)]
    assert tags[0] == tags[1] == _tag(index_name("fairuse", one.account))
    assert (tags[0] == tags[2]) == (one.account == other.account)


def _tag(name: str) -> str:
    """Give what a cluster hashes: what is in the first braces."""
    return name[name.index("{") + 1 : name.index("}")]
