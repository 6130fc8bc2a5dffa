"""A tree of patterns: finds the pattern that was registered first among those that fit a path.

A level of the tree is a segment of the path. A node has children for literal texts, for segments checked by a regular
expression (`int`, `{name}.{ext}`), and one for any segment that is not empty (`str`). A pattern whose next segment may
hold slashes (`path`, converters of others) stays *open* at the node that its beginning leads to, and is checked whole.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

from starlette.convertors import FloatConvertor, IntegerConvertor, StringConvertor, UUIDConvertor

from slipstream._engine.router.pattern import Convert, Parameter, Pattern, Segment, conversion, segment_regex

ANYTHING = StringConvertor.regex
WITHIN_SEGMENT = frozenset({ANYTHING, IntegerConvertor.regex, FloatConvertor.regex, UUIDConvertor.regex})
"""Expressions of converters that never match a slash or an empty text."""

NEVER = float("inf")
"""A rank later than any."""

BY_RANK = attrgetter("rank")

Check = Callable[[str], object]


@dataclass(eq=False, slots=True)
class Entry:
    """A route with a pattern.

    `rank` is its place in the order of registration, unique in a table; `value` is what a match returns. `methods` are
    in capitals, HEAD only if it is listed; None or empty means every method.
    """

    pattern: Pattern
    rank: int
    value: Any
    methods: frozenset[str] | None = None
    protocol: Literal["http", "websocket"] = "http"
    read_whole: Callable[[str], dict[str, Any] | None] = field(init=False)
    takes: list[tuple[str, int, Convert | None]] | None = field(init=False)
    """Each parameter with its index in a cut path and its conversion (None: it stays text).

    None if the whole pattern must read the path: a parameter shares its segment or may hold slashes.
    """

    def __post_init__(self) -> None:
        pattern = self.pattern
        is_whole = pattern.path.startswith("/")
        takes: list[tuple[str, int, Convert | None]] = []
        for index, segment in enumerate(pattern.segments if is_whole else (), start=1):
            match segment:
                case (Parameter() as parameter,) if is_within_segment(segment):
                    takes.append((parameter.name, index, conversion(parameter.convertor)))
        self.takes = takes if is_whole and len(takes) == len(pattern.names) else None
        is_checked = is_whole and all(map(is_within_segment, pattern.segments))
        self.read_whole = pattern.read_by_regex if is_checked or not pattern.is_ambiguous else pattern.read

    def read(self, path: str, parts: list[str]) -> dict[str, Any] | None:
        """Return the converted parameters of a path for which this entry is possible; None if the path does not fit."""
        if self.takes is None:
            return self.read_whole(path)
        params = {}
        try:
            for name, index, convert in self.takes:
                params[name] = parts[index] if convert is None else convert(parts[index])
        except ValueError:
            return None
        return params


@dataclass(eq=False, slots=True)
class Node:
    """All patterns that begin with the same segments.

    `literals`, `checked` (regular expression, check, child) and `anything` lead to children. Patterns in `leaves` end
    here; those in `open` go on with segments that may hold slashes; both are sorted by rank.
    """

    literals: dict[str, "Node"] = field(default_factory=dict)
    checked: list[tuple[str, Check, "Node"]] = field(default_factory=list)
    anything: "Node | None" = None
    leaves: list[Entry] = field(default_factory=list)
    open: list[Entry] = field(default_factory=list)
    lowest: float = NEVER  # the lowest rank here and below
    uncontested: Entry | None = None  # see mark_uncontested


class Tree:
    """Patterns to be searched by path."""

    def __init__(self, leaves: Iterable[Entry]) -> None:
        """Build the tree; no two leaves may have the same rank."""
        self._leaves = sorted(leaves, key=BY_RANK)
        self._root = Node()
        self._depth = 0
        self._relative: list[Entry] = []
        for leaf in self._leaves:
            self._plant(leaf)
        self.static: dict[str, Any] = {}
        """By path, the values of patterns without parameters that are the earliest for their path."""
        for leaf in self._leaves:
            path = leaf.pattern.path
            if not leaf.pattern.names and not path.endswith("\n"):
                rivals = self._possible(path.split("/", self._depth))
                if leaf is next(rival for rival in rivals if rival is leaf or rival.pattern.regex.match(path)):
                    self.static[path] = leaf.value
        rival = self._relative[0].rank if self._relative else NEVER
        self._trailing = {
            leaf.pattern.path.rpartition("/")[0]: leaf
            for leaf in mark_uncontested(self._root, rival)
            if leaf.takes and [take[1:] for take in leaf.takes] == [(len(leaf.pattern.segments), None)]
        }
        """By the path before it, leaves whose only parameter is the whole last segment and stays text."""

    def find(self, path: str) -> tuple[Any, dict[str, Any]] | None:
        """Return value and converted parameters (a new dict) of the earliest pattern that fits `path`, or None."""
        if path in self.static:
            return self.static[path], {}
        if "\n" in path:
            return next(((leaf.value, params) for leaf, params in self.candidates(path)), None)
        head, slash, last = path.rpartition("/")
        leaf = self._trailing.get(head)
        if leaf is not None and last and slash:
            return leaf.value, {leaf.pattern.names[0]: last}

        parts = path.split("/", self._depth)
        leaf = self._walk(parts)
        if leaf is not None:
            params = leaf.read(path, parts)
            if params is not None:
                return leaf.value, params

        for leaf in self._possible(parts):
            params = leaf.read(path, parts)
            if params is not None:
                return leaf.value, params
        return None

    def candidates(self, path: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """Yield every pattern that fits `path`, earliest first, with its converted parameters."""
        parts = path.split("/", self._depth)
        is_whole = path.endswith("\n")  # `$` matches before it, so the tree is of no use
        for leaf in self._leaves if is_whole else self._possible(parts):
            params = leaf.pattern.read(path) if is_whole else leaf.read(path, parts)
            if params is not None:
                yield leaf, params

    def _walk(self, parts: list[str]) -> Entry | None:
        """Return the leaf at the end of the most specific way if it is uncontested."""
        node = self._root
        for part in parts[1:]:
            child = node.literals.get(part)
            if child is None:
                for _, check, checked in node.checked:
                    if check(part):
                        child = checked
                        break
                else:
                    child = node.anything
                    if child is None or not part:
                        return None
            node = child
        return None if parts[0] else node.uncontested

    def _possible(self, parts: list[str]) -> list[Entry]:
        """Return all leaves that may fit a path cut at its slashes, earliest first. No node is visited twice."""
        found = self._relative.copy()
        forks = [] if parts[0] else [(self._root, 1)]
        while forks:
            node, index = forks.pop()
            for part in parts[index:]:
                index += 1
                if node.open:
                    found += node.open
                child = node.literals.get(part)
                for _, check, checked in node.checked:
                    if check(part):
                        forks.append((checked, index))
                if node.anything is not None and part:
                    if child is None:
                        child = node.anything
                    else:
                        forks.append((node.anything, index))
                if child is None:
                    break
                node = child
            else:
                found += node.leaves
        if len(found) > 1:
            found.sort(key=BY_RANK)
        return found

    def _plant(self, leaf: Entry) -> None:
        pattern = leaf.pattern
        if not pattern.path.startswith("/"):
            self._relative.append(leaf)
            return
        self._depth = max(self._depth, len(pattern.segments) + 1)
        node = self._root
        node.lowest = min(node.lowest, leaf.rank)
        for segment in pattern.segments:
            if not is_within_segment(segment):
                node.open.append(leaf)
                return
            node = child_for(node, segment)
            node.lowest = min(node.lowest, leaf.rank)
        node.leaves.append(leaf)


def is_within_segment(segment: Segment) -> bool:
    """Whether a segment matches only text without slashes, and a regular expression does so in linear time."""
    parameters = [piece for piece in segment if isinstance(piece, Parameter)]
    if any(parameter.convertor.regex not in WITHIN_SEGMENT for parameter in parameters):
        return False
    match segment:
        case (Parameter(), str() as between, Parameter()) | (str(), Parameter(), str() as between, Parameter()):
            return not between[0].isalnum()  # no parameter can hold the text after the first
    return len(parameters) < 2


def child_for(node: Node, segment: Segment) -> Node:
    """Return the child of a node for a segment, made if it is missing."""
    match segment:
        case ():
            return node.literals.setdefault("", Node())
        case (str() as text,):
            return node.literals.setdefault(text, Node())
        case (Parameter() as parameter,) if parameter.convertor.regex == ANYTHING:
            node.anything = node.anything or Node()
            return node.anything
    source = segment_regex(segment, named=False)
    for known, _, child in node.checked:
        if known == source:
            return child
    child = Node()
    node.checked.append((source, re.compile(source).fullmatch, child))
    return child


def mark_uncontested(root: Node, rival: float) -> list[Entry]:
    """Mark and return the leaves that need no comparison with others once the most specific way leads to them.

    An uncontested leaf was registered before the rank `rival`, before all patterns that are open on its way, and before
    all branches that its segments could also take. Literal branches do not count: a look-up takes them first.
    """
    marked = []
    pending = [(root, rival)]
    while pending:
        node, rival = pending.pop()
        if node.leaves and node.leaves[0].rank < rival:
            node.uncontested = node.leaves[0]
            marked.append(node.leaves[0])
        rival = min([rival, *(leaf.rank for leaf in node.open)])
        branches = [child for _, _, child in node.checked]
        if node.anything is not None:
            branches.append(node.anything)
        for child in branches:
            others = (other.lowest for other in branches if other is not child)
            pending.append((child, min([rival, *others])))
        rival = min([rival, *(child.lowest for child in branches)])
        pending += ((child, rival) for child in node.literals.values())
    return marked
