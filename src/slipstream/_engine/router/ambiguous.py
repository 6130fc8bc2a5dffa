"""Reading a path by a pattern that can divide it in many ways, in time that grows with the path and no faster.

`/{a:path}/x/{b:path}/y` or `{a}-{b}.z`: a backtracking regular expression tries the ways one after the other, which
for a hostile path of 2 kB can take seconds. Here each piece is passed over the path once, last piece first, noting
where it may start; going forward, each parameter then takes the longest text that leaves the rest a way. That is
what a greedy regular expression decides. Knows the built-in converters only.
"""

import re
from collections.abc import Callable, Sequence

from starlette.convertors import FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor

Places = bytearray
"""One byte per place between the characters of a path, both ends included: 1 where something may start, else 0."""


def divide(pieces: Sequence[tuple[str | None, str]], path: str) -> list[str] | None:
    """Return the texts that the parameters take, in order, or None if the path does not fit.

    Args:
        pieces: Texts, as (None, text), and parameters, as (name, regular expression of a converter in `READERS`).
        path: May end in one newline more than the pieces describe, as `$` allows.
    """
    places = [Places(len(path) + 1)]
    places[0][-1] = 1
    if path.endswith("\n"):
        places[0][-2] = 1
    for name, piece in reversed(pieces):
        places.append(text_starts(piece, path, places[-1]) if name is None else READERS[piece](path, places[-1]))
    if not places.pop()[0]:
        return None
    texts = []
    start = 0
    for name, piece in pieces:
        if name is None:
            start += len(piece)
            places.pop()
        else:
            end = longest(re.compile(piece), path, start, places.pop())
            texts.append(path[start:end])
            start = end
    return texts


def longest(regex: re.Pattern[str], path: str, start: int, ends: Places) -> int:
    """Return the last of the places `ends` that a parameter starting at `start` can reach."""
    found = regex.match(path, start)
    while found is not None:
        end = ends.rfind(1, start, found.end() + 1)
        found = regex.fullmatch(path, start, end)
        if found is not None:
            return end
        found = regex.match(path, start, end - 1)
    raise AssertionError("the way back found an end here")


def text_starts(text: str, path: str, ends: Places) -> Places:
    """Return where `text` stands in the path with one of `ends` behind it."""
    starts = Places(len(ends))
    place = path.find(text)
    while place >= 0:
        starts[place] = ends[place + len(text)]
        place = path.find(text, place + 1)
    return starts


def run_starts(path: str, ends: Places, *, takes: Callable[[str], bool]) -> Places:
    """Return where one or more characters that `takes` accepts lead to one of `ends`."""
    starts = Places(len(ends))
    for place in range(len(path) - 1, -1, -1):
        if (ends[place + 1] or starts[place + 1]) and takes(path[place]):
            starts[place] = 1
    return starts
