"""Options documented once: what `unpacks` shows, what `completed` refuses, and that each has its sentence."""

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Annotated, Any, Unpack, get_type_hints

import pytest
from typing_extensions import TypedDict

from slipstream._options.levels import (
    AppOptions,
    InclusionOptions,
    RouteOptions,
    RouterOptions,
    VerbOptions,
    WebSocketOptions,
)
from slipstream._options.params import ValueOptions
from slipstream._options.unpack import Otherwise, completed, names_of, unpacks


def refuse(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name} is negative")


class Options(TypedDict, total=False):
    size: Annotated[int, Otherwise(3, refuse)]
    """How large."""

    name: str
    """What it is called,
    in two lines."""


class MoreOptions(Options, total=False):
    tags: list[str]
    """What it is filed under."""


@unpacks(Options)
def make(path: str, *, flag: bool = False, **options: Unpack[Options]) -> str:
    """Make something."""
    return completed(Options, options, "make")["name"] + path


def test_options_stand_in_the_signature_with_their_defaults() -> None:
    """Notebooks and `help` show signatures; `**options` would say nothing."""
    assert str(inspect.signature(make)) == "(path: str, *, flag: bool = False, size: int = 3, name: str = None) -> str"


def test_the_signature_of_a_method_drops_self() -> None:
    """Most functions that use it are methods."""

    class Maker:
        @unpacks(Options)
        def make(self, **options: Unpack[Options]) -> None: ...

    assert str(inspect.signature(Maker().make)) == "(*, size: int = 3, name: str = None) -> None"


def test_options_are_checked_when_they_are_completed() -> None:
    """A plain dict takes anything."""
    assert make("/x", name="a") == "a/x"
    with pytest.raises(TypeError, match=r"make\(\) got an unexpected keyword argument 'nmae'"):
        make("/x", nmae="a")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(ValueError, match="size is negative"):
        make("/x", size=-1)


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
    "options",
    [ValueOptions, VerbOptions, RouteOptions, InclusionOptions, RouterOptions, WebSocketOptions, AppOptions],
    ids=lambda each: each.__name__,
)
def test_every_option_has_a_sentence(options: Any) -> None:
    """Nothing goes undocumented; a sentence ends like one."""
    assert set(sentences(options)) == set(get_type_hints(options)) == set(names_of(options))
    assert all(sentence.endswith((".", "…")) for sentence in sentences(options).values())


def test_completed_options_can_be_passed_on() -> None:
    """Functions of a package that stand between two of ours take them one by one."""
    assert completed(Options, {"name": "a"}, "make") == {"name": "a", "size": 3}
    assert completed(Options, {}, "make", "unset") == {"name": "unset", "size": 3}
