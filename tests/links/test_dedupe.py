"""The window over the ids of the latest events."""

from hypothesis import given, strategies as st

from slipstream.links.dedupe import DedupeWindow


@given(size=st.integers(1, 20), ids=st.lists(st.integers(0, 30)))
def test_an_id_is_known_while_fewer_than_size_others_have_followed(size: int, ids: list[int]) -> None:
    """The window is what it says, whatever comes."""
    window = DedupeWindow(size)
    for position, event_id in enumerate(ids):
        before = ids[:position]
        is_known = event_id in before and len(set(before[len(before) - before[::-1].index(event_id) :])) < size

        assert window.add(event_id) is not is_known
        assert len(window) <= size


def test_a_window_of_nothing_knows_nothing() -> None:
    """`dedupe=0` switches it off."""
    window = DedupeWindow(0)

    assert window.add(1)
    assert window.add(1)
    assert 1 not in window


def test_an_id_can_be_forgotten() -> None:
    """An event that found no room has to be taken when it comes again."""
    window = DedupeWindow(2)
    window.add("a")
    window.discard("a")
    window.discard("never there")

    assert window.add("a")
