"""What is sent while a link is down."""

import pytest
from hypothesis import given, strategies as st

from slipstream.links.outbox import Outbox

payloads = st.one_of(st.text(max_size=12), st.binary(max_size=12))


def size_of(data: str | bytes) -> int:
    return len(data.encode()) if isinstance(data, str) else len(data)


@given(messages=st.integers(0, 6), size=st.integers(0, 40), given_=st.lists(payloads, max_size=30))
def test_the_bound_holds_and_every_message_is_kept_or_told(messages: int, size: int, given_: list[str | bytes]) -> None:
    """Nothing goes missing without a word, and nothing grows without bound."""
    outbox = Outbox(messages, size, None, "drop_oldest")
    told = []
    for number, data in enumerate(given_):
        gone = outbox.keep(data, float(number))
        assert gone is not None
        told += gone
        assert len(outbox) <= messages
        assert outbox.size <= size

    kept = []
    while (message := outbox.take(0.0)[0]) is not None:
        kept.append(message.data)
    assert len(kept) + len(told) == len(given_)
    assert sorted(map(repr, kept + [each.data for each in told])) == sorted(map(repr, given_))
    remaining = iter(given_)
    assert all(any(data == other for other in remaining) for data in kept), "kept messages go in the order given"


@given(given_=st.lists(payloads, max_size=20))
def test_an_outbox_that_refuses_never_drops(given_: list[str | bytes]) -> None:
    """With "refuse", whoever sends knows at once, and what was kept stays."""
    outbox = Outbox(5, 30, None, "refuse")
    answers = [outbox.keep(data, float(number)) for number, data in enumerate(given_)]
    kept = [data for data, gone in zip(given_, answers, strict=True) if gone is not None]

    assert all(not gone for gone in answers)
    assert len(outbox) == len(kept) <= 5
    assert outbox.size == sum(map(size_of, kept)) <= 30


def test_what_is_not_worth_sending_any_more_expires() -> None:
    """An order that is an hour old should not go out when the exchange is back."""
    outbox = Outbox(5, 100, 10.0, "drop_oldest")
    outbox.keep("old", 0.0)
    outbox.keep("new", 9.0)

    message, expired = outbox.take(11.0)

    assert message is not None
    assert message.data == "new"
    assert [(each.data, each.reason, each.waited) for each in expired] == [("old", "expired", 11.0)]


@pytest.mark.parametrize(("messages", "reason"), [(3, "too large"), (0, "full")])
def test_a_message_that_never_fits_goes_itself(messages: int, reason: str) -> None:
    """One that is larger than the whole outbox does not push out the others."""
    outbox = Outbox(messages, 10, None, "drop_oldest")
    outbox.keep("small", 0.0)

    gone = outbox.keep("x" * 11, 1.0)

    assert gone is not None
    assert [each.reason for each in gone] == [reason]
    assert len(outbox) == min(messages, 1)


def test_what_was_dropped_does_not_show_its_content() -> None:
    """A dropped message lands in logs; what it says may be secret."""
    outbox = Outbox(5, 100, None, "drop_oldest")
    outbox.keep("password", 0.0)

    (gone,) = outbox.clear(2.5)

    assert repr(gone) == "Dropped(reason='shutdown', size=8, waited=2.5)"
