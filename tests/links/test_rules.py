"""When to try again: waits, refusals, what a peer asks for, redirects. No clock, no sockets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import pytest
from hypothesis import given, strategies as st

from slipstream.links.rules import (
    Backoff,
    Failure,
    Fatal,
    Schedule,
    TokenBucket,
    Turnstile,
    backoff,
    headers_for,
    origin,
    parse_retry_after,
    pause_after,
    redirected,
)

lots = st.floats(0, 1, exclude_max=True)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOST = Failure("closed", "lost")
ABOUT_ONE = 1 - 2**-53


def always(lot: float) -> Callable[[], float]:
    return lambda: lot


@given(
    first=st.floats(0.001, 10),
    more=st.floats(0, 600),
    factor=st.floats(1, 10),
    drawn=st.lists(lots, min_size=1, max_size=60),
)
def test_a_wait_is_never_longer_than_its_bound(first: float, more: float, factor: float, drawn: list[float]) -> None:
    """Whatever the attempt and the lot, the wait stays below a bound that grows from the first to the limit."""
    limit = first + more
    waits = list(islice(backoff(first=first, limit=limit, factor=factor, random=iter(drawn).__next__), len(drawn)))

    bound = first
    for wait in waits:
        assert 0 <= wait <= bound <= limit
        bound = min(limit, bound * factor)


def test_the_bound_doubles_up_to_the_limit() -> None:
    """The waits of a peer that stays away spread wider and wider, and no wider than was said."""
    waits = list(islice(backoff(first=1, limit=10, random=always(ABOUT_ONE)), 6))

    assert waits == pytest.approx([1, 2, 4, 8, 10, 10])


def test_waits_use_the_whole_range() -> None:
    """Full jitter: a wait may be next to nothing; that is what spreads a herd."""
    assert next(backoff(first=1, limit=10, random=always(0))) == 0


@given(failures=st.integers(1, 40), up_for=st.floats(60, 1e6))
def test_a_stable_connection_resets_the_waits(failures: int, up_for: float) -> None:
    """A link that has been up for its minute begins anew, however long it had been away before."""
    schedule = Schedule(Backoff(), Fatal(), always(ABOUT_ONE))
    for _ in range(failures):
        schedule.after(LOST, None)

    verdict = schedule.after(LOST, up_for)

    assert isinstance(verdict, float)
    assert verdict <= 1


@given(failures=st.integers(5, 40), up_for=st.floats(0, 59))
def test_a_short_connection_does_not_reset_the_waits(failures: int, up_for: float) -> None:
    """A server that accepts and drops at once is not dialled every second for ever."""
    schedule = Schedule(Backoff(), Fatal(), always(ABOUT_ONE))
    for _ in range(failures):
        schedule.after(LOST, None)

    verdict = schedule.after(LOST, up_for)

    assert isinstance(verdict, float)
    assert verdict > 16


def test_another_rule_goes_on_where_the_waits_have_grown_to() -> None:
    """A function that gives another interval at each attempt does not dial at its shortest for ever."""
    own = Backoff(first=1, limit=16)
    schedule = Schedule(own, Fatal(), always(ABOUT_ONE))
    waits = []
    for rule in (None, None, Backoff(first=0.5, limit=3), Backoff(first=0.75, limit=3), None, None):
        schedule.waits = rule or own
        verdict = schedule.after(LOST, None)
        assert isinstance(verdict, float)
        waits.append(round(verdict, 6))

    assert waits == [1, 2, 2, 3, 16, 16]


def test_a_bound_has_no_end_of_its_range() -> None:
    """A link may be away for years."""
    assert Backoff(factor=1e9).bound(10**9) == 60
    assert Backoff(factor=1).bound(10**9) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusals_in_a_row_are_final(status: int) -> None:
    """A wrong token does not get right by being sent a thousand times; a few tries ride out a deployment."""
    schedule = Schedule(Backoff(), Fatal(tries=3), always(0))
    refusal = Failure("status", f"the server answered {status}", status)

    verdicts = [schedule.after(refusal, None) for _ in range(3)]

    assert [type(each) for each in verdicts] == [float, float, str]
    assert verdicts[-1] == f"the server answered {status}, 3 times in a row"


def test_another_end_between_refusals_starts_the_count_anew() -> None:
    """Refusals that come and go belong to a server in trouble, not to us."""
    schedule = Schedule(Backoff(), Fatal(tries=2), always(0))
    refusal = Failure("status", "the server answered 403", 403)

    verdicts = [schedule.after(each, None) for each in (refusal, LOST, refusal, LOST, refusal)]

    assert all(isinstance(each, float) for each in verdicts)


def test_a_connection_between_refusals_starts_the_count_anew() -> None:
    """Who was let in meanwhile is not refused for good."""
    schedule = Schedule(Backoff(), Fatal(tries=2), always(0))
    refusal = Failure("status", "the server answered 403", 403)
    schedule.after(refusal, None)

    assert isinstance(schedule.after(refusal, up_for=0.1), float)


@pytest.mark.parametrize("status", [400, 429, 500, 502, 503])
def test_other_statuses_are_tried_for_ever(status: int) -> None:
    """What a server says in trouble passes."""
    schedule = Schedule(Backoff(), Fatal(), always(0))

    assert all(isinstance(schedule.after(Failure("status", "no", status), None), float) for _ in range(50))


def test_a_fatal_close_code_is_final_at_once() -> None:
    """Protocols have codes that say: do not come back."""
    schedule = Schedule(Backoff(), Fatal(close_codes=frozenset({4004})), always(0))

    assert isinstance(schedule.after(Failure("closed", "4003", code=4003), 1), float)
    assert schedule.after(Failure("closed", "4004", code=4004), 1) == "4004"


def test_a_failure_that_is_known_to_be_final_stops() -> None:
    """No address becomes one by waiting."""
    schedule = Schedule(Backoff(), Fatal(), always(0))

    assert schedule.after(Failure("setup", "no address", is_final=True), None) == "no address"


@given(asked=st.floats(0, 1e9), lot=lots)
def test_what_a_peer_asks_for_is_kept_and_bounded(asked: float, lot: float) -> None:
    """Not before the peer says; not at the one moment that everybody was told; and not never."""
    schedule = Schedule(Backoff(retry_after_limit=300), Fatal(), always(lot))

    verdict = schedule.after(Failure("status", "503", 503, retry_after=asked), None)

    assert isinstance(verdict, float)
    assert min(asked, 300) <= verdict <= min(asked, 300) + 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 400, 1e15),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:05:05", 60.0),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """RFC 9110 allows both; whatever else a server writes is as if it had written nothing."""
    assert parse_retry_after(value, NOW) == seconds


@given(st.integers(-(10**6), 10**6))
def test_a_date_is_told_from_now(seconds: int) -> None:
    """A date that has passed asks for no wait."""
    value = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert parse_retry_after(value, NOW) == max(0, seconds)


@given(st.text())
def test_no_retry_after_header_raises(value: str) -> None:
    """A peer's header never ends a link."""
    parse_retry_after(value, NOW)


@given(
    links=st.integers(2, 60),
    waits=st.lists(st.floats(0, 0.3), min_size=1, max_size=60),
)
def test_at_most_half_of_the_links_pass_within_a_window(links: int, waits: list[float]) -> None:
    """Whatever the lots say, a server that comes back does not meet all of us at once."""
    turnstile = Turnstile()
    passed = sorted(now + turnstile.admit(now, links) for now in sorted(waits)[:links])

    for start in passed:
        assert sum(start <= each < start + 0.1 for each in passed) <= max(1, links // 2)


def test_nobody_waits_at_an_empty_turnstile() -> None:
    """One link that returns alone is not held up."""
    turnstile = Turnstile()

    assert turnstile.admit(5.0, 30) == 0
    assert turnstile.admit(6.0, 30) == 0


@pytest.mark.parametrize(
    ("had_events", "took", "is_long_poll", "pause"),
    [
        (True, 0.0, False, 5.0),
        (False, 9.0, False, 5.0),
        (True, 0.0, True, 0.0),
        (False, 30.0, True, 0.0),
        (False, 0.01, True, 5.0),
    ],
)
def test_the_pause_after_an_answer(had_events: bool, took: float, is_long_poll: bool, pause: float) -> None:
    """A long poll follows at once, unless the peer answers "nothing" at once: then nobody spins."""
    assert pause_after(had_events=had_events, took=took, interval=5.0, is_long_poll=is_long_poll) == pause


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a.example/x", "/y", "https://a.example/y"),
        ("https://a.example/x", "https://b.example/y#part", "https://b.example/y"),
        ("http://a.example/x", "https://a.example/x", "https://a.example/x"),
        ("https://a.example/x", "http://a.example/x", None),
        ("wss://a.example/x", "/y", "wss://a.example/y"),
        ("wss://a.example/x", "https://b.example/y", "wss://b.example/y"),
        ("wss://a.example/x", "ws://a.example/x", None),
        ("ws://a.example/x", "wss://a.example/x", "wss://a.example/x"),
        ("https://a.example/x", "//b.example/y", "https://b.example/y"),
        ("https://a.example/x", "file:///etc/passwd", None),
        ("https://a.example/x", "javascript:1", None),
    ],
)
def test_where_a_redirect_leads(url: str, location: str, target: str | None) -> None:
    """Never out of TLS, never to another kind of address."""
    assert redirected(url, location) == target


def test_secrets_do_not_follow_a_redirect_to_another_peer() -> None:
    """Any header may be a credential; only those that say nothing go along."""
    headers = {"Authorization": "Bearer x", "X-Token": "y", "Cookie": "z", "User-Agent": "me", "Accept": "*/*"}
    home = "https://a.example/x"

    assert headers_for(headers, home, "https://a.example:443/y") == headers
    for elsewhere in (
        "https://b.example/x",
        "https://a.example:8443/x",
        "http://a.example/x",
        "https://sub.a.example/",
    ):
        assert headers_for(headers, home, elsewhere) == {"User-Agent": "me", "Accept": "*/*"}


def test_one_peer_by_two_schemes_has_one_origin() -> None:
    """A WebSocket and a request to the same port go to the same server."""
    assert origin("wss://A.example/x") == origin("https://a.example:443/y") == ("https", "a.example", 443)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"first": 2, "limit": 1},
        {"factor": 0.5},
        {"first": float("nan")},
        {"reset_after": -1},
        {"retry_after_limit": -1},
    ],
)
def test_a_backoff_out_of_its_range_is_refused(wrong: dict[str, float]) -> None:
    """A wait of nothing, or one that shrinks, would spin."""
    with pytest.raises(ValueError, match="expected"):
        Backoff(**wrong)


def test_no_tries_at_all_is_refused() -> None:
    """The first refusal is one."""
    with pytest.raises(ValueError, match="tries"):
        Fatal(tries=0)


@given(
    rate=st.floats(0.01, 1000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_a_token_bucket_lets_no_more_through_than_it_says(rate: float, burst: int, gaps: list[float]) -> None:
    """In any window of time: the burst, and the rate for as long as it lasts; and who waits as told may go."""
    bucket, now, times = TokenBucket(rate, burst), 1000.0, list[float]()

    for gap in gaps:
        now += gap
        while wait := bucket.take(now):
            now += wait
        times.append(now)

    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - start) * rate + 1e-3


def test_a_token_bucket_that_has_rested_lets_a_burst_through_at_once() -> None:
    """A rest of any length fills it, and does not overfill it."""
    bucket = TokenBucket(2, 3)

    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert [bucket.take(1e6) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(1e6 + 0.25) == 0.25
