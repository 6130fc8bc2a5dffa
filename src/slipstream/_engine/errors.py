"""What can be wrong with a program, told when it is defined and not when it is called.

Facts are fields; the sentence is made in `__str__`: what was seen, where, what to write instead.
"""

from dataclasses import dataclass
from typing import Any


class SlipstreamError(Exception):
    """Root of every error that slipstream raises on its own account."""


class DefinitionError(SlipstreamError, AssertionError):
    """A path operation that cannot be compiled; raised at the line that registers it.

    Also an `AssertionError`, which is what FastAPI raises for wrong definitions.
    """


def shown(annotation: Any) -> str:
    """Write a type the way a user would."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


@dataclass(eq=False)
class AmbiguousParameter(DefinitionError):
    """Two things that are said about one parameter contradict each other."""

    claim: str
    parameter: str
    origin: Any
    advice: str

    def __str__(self) -> str:
        name = repr(self.parameter)
        claim = self.claim if self.claim.endswith(name) else f"{self.claim} for {name}"
        return f"{claim}\n  at {self.origin}\n  {self.advice}"


@dataclass(eq=False)
class UnsupportedAnnotation(DefinitionError):
    """A parameter's annotation is nothing that its place in the request can hold."""

    claim: str
    parameter: str
    annotation: Any
    origin: Any
    advice: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.parameter}: {shown(self.annotation)}\n  at {self.origin}\n  {self.advice}"


@dataclass(eq=False)
class UnfitHandler(DefinitionError):
    """A function that is to handle events has a parameter that nothing can be given for; `claim` says why."""

    claim: str
    origin: Any

    def __str__(self) -> str:
        return f"{self.claim}\n  at {self.origin}"


class InvalidFieldType(UnsupportedAnnotation):
    """An annotation that Pydantic cannot make a validator of."""


class OldPydanticModel(UnsupportedAnnotation):
    """A model of `pydantic.v1`."""


@dataclass(eq=False)
class DefaultInAnnotated(DefinitionError):
    """A marker inside `Annotated` carries a default of its own."""

    marker: str
    parameter: str
    origin: Any

    def __str__(self) -> str:
        return (
            f"`{self.marker}` default value cannot be set in `Annotated` for {self.parameter!r}. "
            f"Set the default value with `=` instead.\n"
            f"  at {self.origin}\n"
            f"  write {self.parameter}: Annotated[..., {self.marker}()] = <default>"
        )


@dataclass(eq=False)
class DependencyCycle(DefinitionError):
    """A dependency needs itself, directly or through others."""

    names: tuple[str, ...]
    origin: Any

    def __str__(self) -> str:
        return (
            f"dependency cycle: {' -> '.join(self.names)}\n"
            f"  at {self.origin}\n"
            f"  break it: move what both need into a third dependency"
        )


@dataclass(eq=False)
class ScopeMismatch(DefinitionError):
    """A dependency of scope "request" needs one of scope "function", which is closed before the response."""

    name: str
    needed: str
    origin: Any

    def __str__(self) -> str:
        return (
            f'The dependency "{self.name}" has a scope of "request", '
            f'it cannot depend on dependencies with scope "function": {self.needed}\n'
            f"  at {self.origin}\n"
            f'  give both the same scope: Depends(..., scope="function")'
        )


@dataclass(eq=False)
class BodiesWithoutNames(DefinitionError):
    """A GET or HEAD that reads several unmarked parameters from a body that such requests seldom have."""

    names: tuple[str, ...]
    methods: tuple[str, ...]
    origin: Any

    def __str__(self) -> str:
        listed = " and ".join(repr(name) for name in self.names)
        return (
            f"{', '.join(self.methods)} with several bodies: {listed}\n"
            f"  at {self.origin}\n"
            f"  for query parameters write Annotated[Model, Query()]; "
            f"to read a body all the same, mark each with Body()"
        )


NO_FORM_PARSER = 'Forms need the package "python-multipart", which is not installed'
OTHER_FORM_PARSER = 'Forms need the package "python-multipart"; "multipart", which is installed, is another one'


@dataclass(eq=False)
class FormParserMissing(DefinitionError, RuntimeError):
    """An endpoint asks for a form, and nothing can read forms.

    Also a `RuntimeError`, which is what FastAPI raises. `other` is the package that was found instead, or None.
    """

    other: str | None
    origin: Any

    def __str__(self) -> str:
        if self.other is None:
            return f"{NO_FORM_PARSER}\n  at {self.origin}\n  pip install python-multipart"
        return (
            f"{OTHER_FORM_PARSER}\n  at {self.origin}\n"
            f"  pip uninstall {self.other} && pip install --force-reinstall python-multipart"
        )


@dataclass(eq=False)
class DuplicatePathParameter(DefinitionError, ValueError):
    """A path names one parameter twice."""

    path: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        listed = ", ".join(self.names)
        return (
            f"Duplicated param name{'s' if len(self.names) > 1 else ''} {listed} at path {self.path}\n"
            f"  give each {{parameter}} of the path a name of its own"
        )


@dataclass(eq=False)
class InvalidPath(DefinitionError, ValueError):
    """A path that no request can match."""

    path: str
    seen: str
    advice: str

    def __str__(self) -> str:
        return f"{self.seen}: {self.path!r}\n  {self.advice}"


@dataclass(eq=False)
class DidNotYield(SlipstreamError, RuntimeError):
    """A `yield` dependency returned before its first `yield`, so that there is no value to hand over.

    Also a `RuntimeError`, which is what FastAPI raises.
    """

    name: str
    origin: str

    def __str__(self) -> str:
        return (
            f"the dependency `{self.name}` did not yield for this request\n  at {self.origin}\n"
            f"  let every way through it reach a `yield` or raise an exception; for no value, write `yield None`"
        )
