"""What is counted of a link, and of a bot; each number only grows."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """What became of events; those that wait or are being handled are counted as received alone."""

    received: int = 0
    """Messages, or events in answers, that came in; replies to calls not counted."""
    handled: int = 0
    """Events whose handler has returned."""
    failed: int = 0
    """Events whose handler raised."""
    dropped: int = 0
    """Events that a full queue dropped, by the policy "drop_oldest"."""
    refused: int = 0
    """Events that came while the link was stopping, over a connection that its peer had replaced, or with the queue
    full and the policy "close"; a peer that resumes sends them again."""
    lost: int = 0
    """Events that were received and not handled when the time to drain was over."""


@dataclass(slots=True)
class Counters(Counts):
    """Numbers since the link was made.

    Every event that was received, and neither waits nor is being handled, is counted in just one of `handled`,
    `failed`, `invalid`, `duplicates`, `dropped`, `refused` and `lost`.
    """

    invalid: int = 0
    """Messages that are no event that the handler takes; skipped."""
    duplicates: int = 0
    """Events whose id was in the dedupe window; skipped."""
    sent: int = 0
    """Messages that were given to an open connection."""
    outbox_dropped: int = 0
    """Messages that an outbox dropped."""
    unsure: int = 0
    """Messages whose connection ended while they were being sent; the peer may have them."""
    calls: int = 0
    """Calls made."""
    calls_failed: int = 0
    """Calls without a reply, because the link went down or time was over."""
    late_replies: int = 0
    """Replies whose call had been given up."""
    incomplete: int = 0
    """Answers to polls without a field that `events=` or `cursor=` names."""
    attempts: int = 0
    """Attempts to connect; answers to polls asked for."""


def is_power_of_two(number: int) -> bool:
    """Return whether to log the occurrence of this number: the 1st, 2nd, 4th, 8th … do not fill a disk."""
    return number & (number - 1) == 0
