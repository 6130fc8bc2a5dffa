"""From many patterns to one tree, and from a path to the pattern that was registered first among those that fit.

A level of the tree is a segment of the path. Below a node a segment is found as a literal text, as something
checked by a regular expression (`int`, `{name}.{ext}`), or as anything that is not empty (`str`). A pattern whose
next segment may hold slashes (`path`, foreign converters) stays *open* at the node that its beginning leads to and
is checked whole. Knows ranks, not methods: the table keeps one tree a method.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from starlette.convertors import (
    Convertor,
    FloatConvertor,
    IntegerConvertor,
    PathConvertor,
    StringConvertor,
    UUIDConvertor,
)

from slipstream._engine.router.pattern import Parameter, Pattern, Segment, segment_regex

ANYTHING = StringConvertor.regex
WITHIN_SEGMENT = frozenset({ANYTHING, IntegerConvertor.regex, FloatConvertor.regex, UUIDConvertor.regex})
"""Expressions of converters that are known never to match a slash or nothing at all."""

NEVER = float("inf")
"""A rank later than any."""

Convert = Callable[[str], Any]


class Leaf:
    """A pattern in the tree, with its rank (lower was registered earlier) and what it leads to."""

    __slots__ = ("pattern", "rank", "takes", "value")

    def __init__(self, pattern: Pattern, rank: int, value: Any) -> None:
        self.pattern = pattern
        self.rank = rank
        self.value = value
        self.takes = takes_of(pattern)


@dataclass(slots=True, eq=False)
class Node:
    """All patterns that begin with the same segments."""

    literals: dict[str, "Node"] = field(default_factory=dict)
    checked: dict[str, tuple[Callable[[str], object], "Node"]] = field(default_factory=dict)
    anything: "Node | None" = None
    leaves: list[Leaf] = field(default_factory=list)
    open: list[Leaf] = field(default_factory=list)
    lowest: float = NEVER
    """Lowest rank here and below."""
    certain: Leaf | None = None
    """A leaf of this node that no other pattern of the tree can come before."""


class Tree:
    """Patterns to be searched by path; frozen once made."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        """Build the tree; no two leaves may have the same rank."""
        self._leaves = sorted(leaves, key=attrgetter("rank"))
        self._root = Node()
        self._depth = 0
        self._static: dict[str, list[Leaf]] = {}
        self._relative: list[Leaf] = []
        for leaf in self._leaves:
            self._plant(leaf)
        self._trailing = {
            leaf.pattern.path.rpartition("/")[0]: leaf for leaf in mark_certain(self._root) if is_trailing(leaf)
        }
        self._certain = self._certain_static()

    def find(self, path: str) -> tuple[Any, dict[str, Any]] | None:
        """Return value and converted parameters of the earliest pattern that fits `path`, or None.

        `path` is decoded, as ASGI gives it, without the root path. The parameters are a new dict.
        """
        leaf = self._certain.get(path)
        if leaf is not None:
            return leaf.value, {}
        if "\n" not in path:
            head, slash, last = path.rpartition("/")
            leaf = self._trailing.get(head)
            if leaf is not None and last and slash:
                return leaf.value, {leaf.pattern.names[0]: last}
            found = self._walk(path)
            if found is not None:
                return found
        for leaf, params in self.candidates(path):
            return leaf.value, params
        return None

    def candidates(self, path: str) -> Iterator[tuple[Leaf, dict[str, Any]]]:
        """Yield every pattern that fits `path`, earliest first, with its converted parameters."""
        for leaf in self._possible(path):
            params = leaf.pattern.read(path)
            if params is not None:
                yield leaf, params

    def _walk(self, path: str) -> tuple[Any, dict[str, Any]] | None:
        """Go down the one most specific way; None where that is no answer, or not a certain one."""
        parts = path.split("/", self._depth)
        node = self._root
        for part in parts[1:]:
            child = node.literals.get(part)
            if child is None:
                for check, checked in node.checked.values():
                    if check(part):
                        child = checked
                        break
                else:
                    child = node.anything
                    if child is None or not part:
                        return None
            node = child
        leaf = node.certain
        if leaf is None or parts[0]:
            return None
        try:
            return leaf.value, {
                name: parts[index] if convert is None else convert(parts[index]) for name, index, convert in leaf.takes
            }
        except ValueError:
            return None

    def _possible(self, path: str) -> list[Leaf]:
        """Gather, earliest first, the leaves whose pattern may fit `path`; those left out cannot.

        Each node is visited at most once, however long the path. After a newline at the end of a path `$` would
        match too: such a path is compared with every pattern.
        """
        if path.endswith("\n"):
            return self._leaves
        found = [*self._static.get(path, ()), *self._relative]
        parts = path.split("/", self._depth)
        level = [] if parts[0] else [self._root]
        for part in parts[1:]:
            below: list[Node] = []
            for node in level:
                found += node.open
                below += children_for(node, part)
            level = below
        for node in level:
            found += node.leaves
        return sorted(found, key=attrgetter("rank"))

    def _plant(self, leaf: Leaf) -> None:
        """Put a leaf where its segments lead."""
        pattern = leaf.pattern
        if pattern.is_static:
            self._static.setdefault(pattern.path, []).append(leaf)
            return
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

    def _certain_static(self) -> dict[str, Leaf]:
        """Keep, by path, the static patterns that no pattern with parameters comes before."""
        certain = {}
        for path in self._static:
            first = next(leaf for leaf in self._possible(path) if leaf.pattern.regex.match(path))
            if first.pattern.is_static and not path.endswith("\n"):
                certain[path] = first
        return certain


def is_within_segment(segment: Segment) -> bool:
    """Tell whether a segment can only ever match text without slashes."""
    return all(isinstance(piece, str) or piece.convertor.regex in WITHIN_SEGMENT for piece in segment)


def child_for(node: Node, segment: Segment) -> Node:
    """Return the node that a segment leads to, made if there is none yet."""
    match segment:
        case ():
            return node.literals.setdefault("", Node())
        case (str() as text,):
            return node.literals.setdefault(text, Node())
        case (Parameter() as parameter,) if parameter.convertor.regex == ANYTHING:
            node.anything = node.anything or Node()
            return node.anything
    source = segment_regex(segment, named=False)
    if source not in node.checked:
        node.checked[source] = re.compile(source).fullmatch, Node()
    return node.checked[source][1]


def children_for(node: Node, part: str) -> Iterator[Node]:
    """Yield the nodes that one segment of a path leads to."""
    if part in node.literals:
        yield node.literals[part]
    for check, child in node.checked.values():
        if check(part):
            yield child
    if node.anything is not None and part:
        yield node.anything


def mark_certain(root: Node) -> list[Leaf]:
    """Mark and return the leaves to answer with as soon as the most specific way leads to them.

    A leaf is certain if it was registered before everything that branches off its way where the same segment could
    have gone on otherwise, and before everything that stays open on its way.
    """
    certain = []
    pending = [(root, NEVER)]
    while pending:
        node, rival = pending.pop()
        if node.leaves and node.leaves[0].rank < rival and node.leaves[0].takes:
            node.certain = node.leaves[0]
            certain.append(node.certain)
        rival = min([rival, *(leaf.rank for leaf in node.open)])
        if node.anything is not None:
            pending.append((node.anything, rival))
            rival = min(rival, node.anything.lowest)
        for _, child in reversed(node.checked.values()):
            pending.append((child, rival))
            rival = min(rival, child.lowest)
        pending += ((child, rival) for child in node.literals.values())
    return certain


def takes_of(pattern: Pattern) -> tuple[tuple[str, int, Convert | None], ...]:
    """Say which parameter is which part of a path cut at its slashes, and how it is converted (None: it stays text).

    Empty where a parameter shares its segment with something else, or may hold slashes.
    """
    takes: list[tuple[str, int, Convert | None]] = []
    for index, segment in enumerate(pattern.segments, start=1):
        match segment:
            case (Parameter() as parameter,):
                takes.append((parameter.name, index, conversion(parameter.convertor)))
    return tuple(takes) if len(takes) == len(pattern.names) else ()


def conversion(convertor: Convertor[Any]) -> Convert | None:
    """Return what converts a parameter's text, or None where the text itself is the value."""
    is_text = type(convertor).convert in (StringConvertor.convert, PathConvertor.convert)
    return None if is_text else convertor.convert


def is_trailing(leaf: Leaf) -> bool:
    """Tell whether a pattern is literal text up to one parameter that is its whole last segment and stays text."""
    return leaf.takes[0][1:] == (len(leaf.pattern.segments), None)
