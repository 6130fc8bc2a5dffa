"""Divides a path among the parameters of an ambiguous pattern, in linear time.

With `/{a:path}/x/{b:path}/x/{c:path}/y` a regular expression tries every division: seconds for a path of 2 kB that does
not fit. Here each piece, from the last to the first, is searched once for the places where it may start. Then, from the
first to the last, each parameter takes the longest text after which the rest fits, as a greedy regular expression does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from starlette.convertors import FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor

Places: TypeAlias = bytearray
"""For each place before, between and after the characters of a path: 1 if a piece may start there, else 0."""

DIGITS = re.compile(r"[0-9]+")
LINE = re.compile(r".+")
SEGMENT = re.compile(r"[^/]+")
UUID_AHEAD = re.compile(f"(?=({UUIDConvertor.regex}))")


def divide(pieces: Sequence[tuple[str | None, str]], path: str) -> list[str] | None:
    """Return the texts of the parameters of a path, or None if it does not fit; it may end in a newline.

    `pieces` are texts as (None, text), and parameters as (name, regular expression in `STARTS`).
    """
    ends = Places(len(path) + 1)
    ends[-1] = 1
    if path.endswith("\n"):
        ends[-2] = 1
    after = [ends]
    for name, piece in reversed(pieces):
        after.append(starts_of_text(piece, path, after[-1]) if name is None else STARTS[piece](path, after[-1]))
    if not after.pop()[0]:
        return None
    texts = []
    start = 0
    for name, piece in pieces:
        ends = after.pop()
        end = start + len(piece) if name is None else longest(re.compile(piece), path, start, ends)
        if name is not None:
            texts.append(path[start:end])
        start = end
    return texts


def longest(regex: re.Pattern[str], path: str, start: int, ends: Places) -> int:
    """Return the last of `ends` that a parameter can reach from `start`; it can reach at least one."""
    found = regex.match(path, start)
    assert found is not None  # `start` was found by going back from an end
    end = ends.rfind(1, start, found.end() + 1)
    while not regex.fullmatch(path, start, end):  # a float cannot end in its point
        end = ends.rfind(1, start, end)
    return end


def starts_of_text(text: str, path: str, ends: Places) -> Places:
    """Return where `text` is in the path with one of `ends` after it."""
    starts = Places(len(ends))
    place = path.find(text)
    while place >= 0:
        starts[place] = ends[place + len(text)]
        place = path.find(text, place + 1)
    return starts


def starts_of_runs(runs: re.Pattern[str], path: str, ends: Places) -> Places:
    """Return the places from which one or more characters within a (longest) run lead to one of `ends`."""
    starts = Places(len(ends))
    for run in runs.finditer(path):
        first, last = run.start(), ends.rfind(1, run.start() + 1, run.end() + 1)
        if last > first:
            starts[first:last] = b"\1" * (last - first)
    return starts


def starts_of_float(path: str, ends: Places) -> Places:
    """Return the places from which digits, or digits, a point and digits, lead to one of `ends`."""
    fractions = starts_of_text(".", path, starts_of_runs(DIGITS, path, ends))
    return starts_of_runs(DIGITS, path, either(ends, fractions))


def starts_of_uuid(path: str, ends: Places) -> Places:
    """Return where a UUID is in the path with one of `ends` after it."""
    starts = Places(len(ends))
    for found in UUID_AHEAD.finditer(path):
        starts[found.start()] = ends[found.end(1)]
    return starts


def either(places: Places, others: Places) -> Places:
    """Return the places that are in one of two sets or in both."""
    return Places((int.from_bytes(places, "big") | int.from_bytes(others, "big")).to_bytes(len(places), "big"))


STARTS: Mapping[str, Callable[[str, Places], Places]] = {
    StringConvertor.regex: lambda path, ends: starts_of_runs(SEGMENT, path, ends),
    PathConvertor.regex: lambda path, ends: either(ends, starts_of_runs(LINE, path, ends)),
    IntegerConvertor.regex: lambda path, ends: starts_of_runs(DIGITS, path, ends),
    FloatConvertor.regex: starts_of_float,
    UUIDConvertor.regex: starts_of_uuid,
}
