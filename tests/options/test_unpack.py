"""Options documented once: what `unpacks` shows, what `completed` refuses, and that each has its sentence."""

import ast
import inspect
import textwrap
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Unpack, get_type_hints

import pytest
from typing_extensions import TypedDict

from slipstream._options.app import AppDefaults, AppOptions
from slipstream._options.params import ValueDefaults, ValueOptions
from slipstream._options.route import RouteDefaults, RouteOptions, VerbDefaults, VerbOptions
from slipstream._options.router import InclusionDefaults, InclusionOptions, RouterDefaults, RouterOptions
from slipstream._options.unpack import as_options, completed, unpacks


class Options(TypedDict, total=False):
    size: int
    """How large."""

    name: str
    """What it is called,
    in two lines."""


class MoreOptions(Options, total=False):
    tags: list[str]
    """What it is filed under."""


@dataclass(frozen=True)
class Defaults:
    name: str
    size: int = 3


@unpacks(Options, Defaults)
def make(path: str, *, flag: bool = False, **options: Unpack[Options]) -> str:
    """Make something."""
    return completed(Defaults, options, "make").name + path


def test_options_stand_in_the_signature_with_their_defaults() -> None:
    """Notebooks and `help` show signatures; `**options` would say nothing."""
    assert str(inspect.signature(make)) == "(path: str, *, flag: bool = False, size: int = 3, name: str) -> str"


def test_the_signature_of_a_method_drops_self() -> None:
    """Most functions that use it are methods."""

    class Maker:
        @unpacks(Options, Defaults)
        def make(self, **options: Unpack[Options]) -> None: ...

    assert str(inspect.signature(Maker().make)) == "(*, size: int = 3, name: str) -> None"


def test_options_are_checked_when_they_are_completed() -> None:
    """A plain dict takes anything."""
    assert make("/x", name="a") == "a/x"
    with pytest.raises(TypeError, match=r"make\(\) got an unexpected keyword argument 'nmae'"):
        make("/x", nmae="a")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match="name"):
        make("/x")


def test_options_and_defaults_that_differ_are_refused() -> None:
    """The two lists are kept in step by this."""
    with pytest.raises(TypeError, match="differ in: tags"):
        unpacks(MoreOptions, Defaults)(lambda **options: None)


def sentences(options: Any) -> dict[str, str]:
    """Read the sentence that stands below each key of a TypedDict, those of its bases too."""
    found: dict[str, str] = {}
    for base in getattr(options, "__orig_bases__", ()):
        if isinstance(base, type) and hasattr(base, "__total__"):
            found.update(sentences(base))
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(options))).body
    assert isinstance(tree, ast.ClassDef)
    for key, below in pairwise(tree.body):
        match key, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


def test_sentences_are_found_below_their_keys() -> None:
    """What an option means is written once, where type checkers and editors find it too."""
    assert sentences(Options) == {"size": "How large.", "name": "What it is called,\nin two lines."}
    assert sentences(MoreOptions)["tags"] == "What it is filed under."
    assert sentences(MoreOptions)["size"] == "How large."


@pytest.mark.parametrize(
    ("options", "defaults"),
    [
        (ValueOptions, ValueDefaults),
        (VerbOptions, VerbDefaults),
        (RouteOptions, RouteDefaults),
        (InclusionOptions, InclusionDefaults),
        (RouterOptions, RouterDefaults),
        (AppOptions, AppDefaults),
    ],
    ids=lambda each: each.__name__,
)
def test_every_option_has_a_sentence_and_a_default(options: Any, defaults: Any) -> None:
    """Nothing goes undocumented; a sentence ends like one."""
    names = set(get_type_hints(options))

    assert set(sentences(options)) == {each.name for each in fields(defaults)} == names
    assert all(sentence.endswith((".", "…")) for sentence in sentences(options).values())


def test_completed_options_can_be_passed_on() -> None:
    """Functions of a package that stand between two of ours take them one by one."""
    assert as_options(completed(Defaults, {"name": "a"}, "make")) == {"name": "a", "size": 3}
