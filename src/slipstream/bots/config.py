"""Settings from init arguments, the environment and files, in that order of priority.

Knows `.env`, TOML and JSON files; knows no driver. Names are case-insensitive. A setting that no field declares is
kept, read as JSON where it is JSON.
"""

import json
import os
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError

from slipstream.bots.exception import WrongSetting

EnvFile = str | os.PathLike[str]
EnvFiles = EnvFile | Iterable[EnvFile]

_DEFAULT: Any = type("Default", (), {"__repr__": lambda self: "<object object>"})()

_LINE = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?(?P<key>[^\s=#'"]+)[ \t]*
    (?:=[ \t]*(?:
        "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)' | (?P<bare>(?!["'])[^\r\n]*?)
    )[ \t]*)?
    (?:(?<=[ \t=])\#[^\r\n]*|(?<=["'])\#[^\r\n]*)?$
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}


@dataclass(frozen=True, slots=True)
class _Found:
    """A setting as it was found, and where."""

    key: str
    value: Any
    source: str


class Settings(BaseModel):
    """Fields that are filled from arguments, the environment and files.

    Args:
        _env_file: File, or files of rising priority, to read: TOML or JSON by their suffix, `.env` else. Those that
            do not exist are passed over. Default: `default_files()`; None: none.
        _env_file_encoding: Encoding of `.env` files. Default: UTF-8.
        _secrets_dir: Folder with one file per setting, named as the setting; its priority is the lowest.
        values: Settings; they come before all others.

    Raises:
        WrongSetting: A file cannot be read, or a list or object of the environment or of a `.env` file is no JSON.
        ValidationError: A value is none that the field takes.
    """

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, hide_input_in_errors=True)

    def __init__(
        __pydantic_self__,  # noqa: N805 - the name leaves every other to the settings, "self" too
        _env_file: EnvFiles | None = _DEFAULT,
        _env_file_encoding: str | None = None,
        _secrets_dir: EnvFile | None = None,
        **values: Any,
    ) -> None:
        cls = type(__pydantic_self__)
        given = {key.lower(): value for key, value in values.items()}
        files = cls.default_files() if _env_file is _DEFAULT else _as_paths(_env_file)
        found: dict[str, _Found] = {}
        if _secrets_dir is not None:
            found |= _read_secrets(Path(_secrets_dir), cls.model_fields)
        for path in files:
            found |= read_file(path, _env_file_encoding or "utf-8")
        found |= _read_environment({*cls.model_fields, *found})
        merged = {key: _decoded(cls, each) for key, each in found.items() if key not in given}
        super().__init__(**merged, **given)

    @classmethod
    def default_files(cls) -> list[Path]:
        """List the files to read where none are given, those of higher priority last."""
        return []


class Env(Settings):
    """Which environment this is, from `.env` and the environment variable ENVIRONMENT."""

    environment: str = "prod"
    """Name of the environment; the settings are in `.env.{environment}`."""

    @classmethod
    def default_files(cls) -> list[Path]:
        """`.env`, in the folder where the program runs."""
        return [Path(".env")]


class Config(Settings):
    """Settings of a program of bots."""

    driver: str = "slipstream.bots.drivers.fastapi"
    """Driver: "module" or "module:Class"; "~name" is short for "slipstream.bots.drivers.name"."""

    host: IPvAnyAddress = IPv4Address("127.0.0.1")
    """Address to listen on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 lets the system choose."""

    debug: bool = False
    """Whether this is a machine of a developer: more is logged, tracebacks are shown."""

    log_level: int | str | None = None
    """Least level that is logged. Default: DEBUG with `debug`, INFO without."""

    api_root: dict[str, str] = {}
    """Addresses of the platforms' HTTP APIs, by bot id."""

    api_timeout: float | None = 30.0
    """Seconds that an API call waits for its answer; None: for ever."""

    access_token: str | None = None
    """Token that a peer has to know."""

    secret: str | None = None
    """Key of the signatures on what peers POST."""

    superusers: set[str] = set()
    """Ids of the users that may do everything."""

    nickname: set[str] = set()
    """Names that the bots listen to."""

    command_start: set[str] = {"/"}
    """What commands begin with."""

    command_sep: set[str] = {"."}
    """What parts of commands are separated by."""

    session_expire_timeout: timedelta = timedelta(minutes=2)
    """How long a session waits for its user; a number is in seconds."""

    @classmethod
    def default_files(cls) -> list[Path]:
        """`.env`, then `.env.{environment}`."""
        return files_of(Env().environment)

    @classmethod
    def load(cls, _env_file: EnvFiles | None = None, **values: Any) -> Self:
        """Read the settings as `init()` does.

        Args:
            _env_file: What to read in place of `.env.{environment}`; `.env` is read before it.
            values: Settings that come before all others.
        """
        environment = Env(**{key: value for key, value in values.items() if key.lower() == "environment"}).environment
        files = files_of(environment) if _env_file is None else [Path(".env"), *_as_paths(_env_file)]
        build: Any = cls  # checkers know of the fields alone
        built: Self = build(files, environment=environment, **_without(values, "environment"))
        return built


def files_of(environment: str) -> list[Path]:
    """List the files that are read for an environment, those of higher priority last.

    TOML and JSON files come before the `.env` file of the same standing, which can thus correct them.
    """
    return [
        *(Path(f"slipstream.{suffix}") for suffix in ("toml", "json")),
        Path(".env"),
        *(Path(f"slipstream.{environment}.{suffix}") for suffix in ("toml", "json")),
        Path(f".env.{environment}"),
    ]


def read_file(path: Path, encoding: str = "utf-8") -> dict[str, _Found]:
    """Read a file of settings; one that does not exist has none.

    Raises:
        WrongSetting: It cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        if path.suffix == ".toml":
            values: Any = tomllib.loads(path.read_text("utf-8"))
        elif path.suffix == ".json":
            values = json.loads(path.read_text("utf-8"), parse_constant=_no_constant)
        else:
            values = parse_env(path.read_text(encoding))
    except (OSError, ValueError) as error:
        raise WrongSetting(str(path), "(the whole file)", _place_of(error)) from None
    if not isinstance(values, dict):
        raise WrongSetting(str(path), "(the whole file)", "it should be one object")
    return {key.lower(): _Found(key, value, str(path)) for key, value in values.items()}


def parse_env(text: str) -> dict[str, str | None]:
    r"""Read the text of a `.env` file.

    A line is `KEY=value`, perhaps after `export`. In single quotes a value is as it stands, in double quotes `\n`,
    `\t`, `\"` and `\\` mean what they mean in Python; both may run over lines. `#` begins a comment. A key
    without `=` has the value None.

    Raises:
        ValueError: A line is none of these.
    """
    values: dict[str, str | None] = {}
    position, text = 0, text.removeprefix("\ufeff").replace("\r\n", "\n")
    while position < len(text):
        line_end = text.find("\n", position)
        line_end = len(text) if line_end < 0 else line_end
        line = text[position:line_end].strip()
        if not line or line.startswith("#"):
            position = line_end + 1
            continue
        found = _LINE.match(text, position)
        if found is None:
            raise ValueError(f"line {text.count(chr(10), 0, position) + 1} is no KEY=value")
        double, single, bare = found["double"], found["single"], found["bare"]
        if double is not None:
            values[found["key"]] = re.sub(r"\\(.)", _unescaped, double, flags=re.DOTALL)
        elif single is not None:
            values[found["key"]] = re.sub(r"\\([\\'])", r"\1", single)
        else:
            values[found["key"]] = bare.strip() if bare is not None else None
        position = found.end() + 1
    return values


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[0])


def _as_paths(files: EnvFiles | None) -> list[Path]:
    if files is None:
        return []
    if isinstance(files, str | os.PathLike):
        return [Path(files)]
    return [Path(each) for each in files]


def _read_environment(known: set[str]) -> dict[str, _Found]:
    return {
        key.lower(): _Found(key, value, "the environment") for key, value in os.environ.items() if key.lower() in known
    }


def _read_secrets(folder: Path, known: Iterable[str]) -> dict[str, _Found]:
    wanted = set(known)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        path.name.lower(): _Found(path.name, path.read_text("utf-8").strip(), str(path))
        for path in files
        if path.name.lower() in wanted and path.is_file()
    }


def _decoded(cls: type[BaseModel], found: _Found) -> Any:
    """Make a value of a text: by its field, or as JSON where no field declares it."""
    if not isinstance(found.value, str):
        return found.value
    field = cls.model_fields.get(found.key.lower())
    if field is None:
        return _json_or_text(found.value)
    if timedelta in _arms(field.annotation):
        return _json_or_text(found.value)  # a number of seconds, or a duration in words
    if not _is_complex(field.annotation):
        return found.value
    if _takes_text(field.annotation):
        return _json_or_text(found.value)
    try:
        return json.loads(found.value, parse_constant=_no_constant)
    except ValueError as error:
        raise WrongSetting(found.source, found.key, f"it should be JSON, and {_place_of(error)}") from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _place_of(error: Exception) -> str:
    """Say what is wrong without quoting what may be secret."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding}"
    return str(error)


def _arms(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _arms(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [arm for each in get_args(annotation) for arm in _arms(each)]
    return [annotation]


def _is_complex(annotation: Any) -> bool:
    kinds = (dict, list, set, frozenset, tuple, Mapping, BaseModel)
    return any(
        isinstance(kind, type) and issubclass(kind, kinds)
        for kind in (get_origin(arm) or arm for arm in _arms(annotation))
    )


def _takes_text(annotation: Any) -> bool:
    return any(arm in (str, Any) for arm in _arms(annotation))


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.lower() != name}


__all__ = ["Config", "Env", "Settings", "ValidationError", "WrongSetting", "files_of", "parse_env", "read_file"]
