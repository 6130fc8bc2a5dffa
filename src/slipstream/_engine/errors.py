"""Errors in a program, most raised when a path operation is defined: what was seen, where, what to write instead."""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar


class SlipstreamError(Exception):
    """Root of every error that slipstream raises on its own account."""

    text: ClassVar[str] = ""
    """What the error says, with its attributes in braces. Default: its arguments."""

    def __str__(self) -> str:
        return self.text.format_map(vars(self)) if self.text else super().__str__()


class _ExplainedError(SlipstreamError):
    def __init__(self, claim: str, origin: Any, advice: str = "") -> None:
        self.claim = claim
        self.origin = origin
        self.advice = advice

    def __str__(self) -> str:
        place = self.origin and f"at {self.origin}"
        return "\n  ".join(filter(None, (self.claim, place, self.advice)))


class DefinitionError(SlipstreamError, AssertionError):
    """A path operation that cannot be compiled, raised at its line; also the `AssertionError` that FastAPI raises."""


class _WrongDefinition(_ExplainedError, DefinitionError):
    pass


class DefinitionWarning(UserWarning):
    """A path operation that is served as FastAPI serves it, though hardly as it was meant."""


_warned: dict[str | tuple[str, type[Warning], int], int] = {}
"""Which warnings have been shown, as Python keeps them."""


def warn(claim: str, origin: Any, advice: str) -> None:
    """Warn of a definition, at the place of what is wrong."""
    message = DefinitionWarning(f"{claim}\n  at {origin}\n  {advice}")
    warnings.warn_explicit(message, None, origin.file or "<unknown>", origin.line or 0, registry=_warned)


def shown(annotation: Any) -> str:
    """Write a type the way a user would."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def function_name(function: Callable[..., Any]) -> str:
    """Return module and qualified name of a function, or of the class of a callable object."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{getattr(named, '__module__', None)}.{named.__qualname__}"


class AmbiguousParameter(_WrongDefinition):
    """A parameter's annotation, default and path contradict each other."""


class UnsupportedAnnotation(_WrongDefinition):
    """A parameter's annotation is nothing that its place in the request can hold."""

    def __init__(self, claim: str, parameter: str, annotation: Any, origin: Any, advice: str) -> None:
        super().__init__(f"{claim}: {parameter}: {shown(annotation)}", origin, advice)


class UnresolvedAnnotation(UnsupportedAnnotation):
    """A name in an annotation is not defined; until the application starts it may be."""

    def __init__(self, cause: Exception, parameter: str, annotation: Any, origin: Any) -> None:
        name = getattr(cause, "name", None) or "it"
        super().__init__(
            f"An annotation cannot be read: {str(cause).splitlines()[0]}", parameter, annotation, origin,
            f"define {name} before the application starts; if it is imported under `if TYPE_CHECKING:`, "
            "import it at run time",
        )  # fmt: skip


class UnfitHandler(_WrongDefinition):
    """A function that is to handle events has a parameter that no event can fill; `claim` says why."""


class InvalidFieldType(UnsupportedAnnotation):
    """An annotation that Pydantic cannot make a validator of."""


class OldPydanticModel(UnsupportedAnnotation):
    """A model of `pydantic.v1`."""


class DependencyCycle(_WrongDefinition):
    """A dependency needs itself, directly or through others."""


class ScopeMismatch(_WrongDefinition):
    """A dependency of scope "request" needs one of scope "function", which is closed before the response."""


class NotARouter(_WrongDefinition, AttributeError):
    """Something was given to `include_router` that is no router; also an AttributeError, which FastAPI raises."""

    def __init__(self, given: object) -> None:
        self.name, self.obj = "routes", given
        name = getattr(given, "__name__", "other")
        advice = f"write app.include_router({name}.router)"
        if hasattr(given, "mount"):
            advice += f"; to serve an application with all that it has, write app.mount('/prefix', {name})"
        super().__init__(f"include_router takes an APIRouter, not {given!r}", None, advice)


NO_FORM_PARSER = 'Forms need the package "python-multipart", which is not installed'
OTHER_FORM_PARSER = 'Forms need the package "python-multipart"; "multipart", which is installed, is another one'


class FormParserMissing(_WrongDefinition, RuntimeError):
    """An endpoint asks for a form, and nothing can read forms; also the `RuntimeError` that FastAPI raises.

    `other` is the package that was found instead, or None.
    """

    def __init__(self, other: str | None, origin: Any) -> None:
        self.other = other
        remedy = f"pip uninstall {other} && pip install --force-reinstall python-multipart"
        super().__init__(
            OTHER_FORM_PARSER if other else NO_FORM_PARSER, origin, remedy if other else "pip install python-multipart"
        )


class DuplicatePathParameter(_WrongDefinition, ValueError):
    """A path has each of `names` more than once."""

    def __init__(self, path: str, names: tuple[str, ...]) -> None:
        self.names = names
        claim = f"Duplicated param name{'s' if len(names) > 1 else ''} {', '.join(names)} at path {path}"
        super().__init__(claim, None, "give each {parameter} of the path a name of its own")


class InvalidPath(_WrongDefinition, ValueError):
    """A path that no request can match."""

    def __init__(self, path: str, claim: str, advice: str) -> None:
        super().__init__(f"{claim}: {path!r}", None, advice)


class NotAResponse(_ExplainedError, TypeError):
    """A function that must return a response has returned something else; `role` says which function it is."""

    def __init__(self, role: str, origin: Any, returned: object) -> None:
        shown = type(returned).__name__ if returned is not None else "nothing"
        advice = "return a response, such as JSONResponse({...})"
        super().__init__(f"{role} returned no response, but {shown}", origin, advice)


class NotALifespan(_ExplainedError, TypeError):
    """A `lifespan=` that is no async context manager."""

    def __init__(self, origin: Any) -> None:
        advice = "decorate it with @contextlib.asynccontextmanager and `yield` once, between start-up and shut-down"
        super().__init__("a lifespan has to return an async context manager", origin, advice)


class NotAwaited(_ExplainedError, ValueError):
    """An endpoint's result is a coroutine or the like; also a ValueError, which FastAPI raises."""

    def __init__(self, origin: Any) -> None:
        super().__init__("the endpoint returned something that nobody awaits", origin, AWAIT)


AWAIT = "write `return await ...`, in an `async def`"


class DidNotYield(_ExplainedError, RuntimeError):
    """A `yield` dependency returned before its first `yield`; also a `RuntimeError`, which is what FastAPI raises."""

    def __init__(self, name: str, origin: str) -> None:
        advice = "let every way through it reach a `yield` or raise an exception; for no value, write `yield None`"
        super().__init__(f"the dependency `{name}` did not yield for this request", origin, advice)
