"""Settings from arguments, the environment and files (`.env`, TOML, JSON), in that order of priority.

Names are case-insensitive. A setting that no field declares is kept, and its text is read as JSON if it is JSON.
"""

import io
import json
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError as ValidationError

from slipstream.bots.exception import WrongSetting

EnvFile = str | os.PathLike[str]
EnvFiles = EnvFile | Iterable[EnvFile]

_DEFAULT: Any = type("Default", (), {"__repr__": lambda self: "<object object>"})()
_JSON_TYPES = (dict, list, set, frozenset, tuple, Mapping, BaseModel, timedelta)


class _Found(NamedTuple):
    """A setting as a source has it: `key` as it is written there, `source` as an error names it."""

    key: str
    value: Any
    source: str


class Settings(BaseModel):
    """Fields that are filled from arguments, the environment and files.

    Args:
        _env_file: Files to read, the last with the highest priority: TOML or JSON by suffix, `.env` otherwise. Files
            that do not exist are skipped. Default: `default_files()`; None: no file.
        _env_file_encoding: Encoding of `.env` files. Default: UTF-8.
        _secrets_dir: Folder with one file for each setting, named as the setting; its priority is the lowest.
        values: Settings of the highest priority.

    Raises:
        WrongSetting: A file cannot be read, or a list or object of the environment or of a `.env` file is not JSON.
        ValidationError: A field does not take its value.
    """

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, hide_input_in_errors=True)

    def __init__(
        __pydantic_self__,  # noqa: N805 - a setting may have any other name, "self" too
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
        names = {*cls.model_fields, *found}
        of_process = {key: value for key, value in os.environ.items() if key.lower() in names}
        found |= {key.lower(): _Found(key, value, "the environment") for key, value in of_process.items()}
        merged = {key: _decoded(cls, each) for key, each in found.items() if key not in given}
        super().__init__(**merged, **given)

    @classmethod
    def default_files(cls) -> list[Path]:
        """List the files to read if none are given, the last with the highest priority."""
        return files_of(Env().environment)


class Env(Settings):
    """Which environment this is, from `.env` and the environment variable ENVIRONMENT."""

    environment: str = "prod"
    """Name of the environment; the settings are in `.env.{environment}`."""

    @classmethod
    def default_files(cls) -> list[Path]:
        """`.env`, in the folder where the program runs."""
        return [Path(".env")]


class Config(Settings):
    """Settings of a program of bots.

    Args:
        driver: Driver: "module" or "module:Class"; "~name" is short for "slipstream.bots.drivers.name".
        host: Address to listen on.
        port: Port to listen on; 0 lets the system choose.
        debug: Whether more is logged, and tracebacks are sent to clients.
        log_level: Lowest level that is logged. Default: DEBUG with `debug`, INFO without.
        api_root: Addresses of the platforms' HTTP APIs, by bot id.
        api_timeout: Seconds that an API call waits for its answer; None: no limit.
        access_token: Token that a peer has to send.
        secret: Key with which peers sign what they POST.
        superusers: Ids of the users with every permission.
        nickname: Names by which users address the bots.
        command_start: Prefixes of commands.
        command_sep: Separators of the parts of a command.
        session_expire_timeout: How long a session waits for its user; a number means seconds.
    """

    driver: str = "slipstream.bots.drivers.fastapi"
    host: IPvAnyAddress = IPv4Address("127.0.0.1")
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    debug: bool = False
    log_level: int | str | None = None
    api_root: dict[str, str] = {}
    api_timeout: float | None = 30.0
    access_token: str | None = None
    secret: str | None = None
    superusers: set[str] = set()
    nickname: set[str] = set()
    command_start: set[str] = {"/"}
    command_sep: set[str] = {"."}
    session_expire_timeout: timedelta = timedelta(minutes=2)

    @classmethod
    def load(cls, _env_file: EnvFiles | None = None, **values: Any) -> Self:
        """Read the settings as `init()` does; `.env` is read before the files that are given."""
        values = {key.lower(): value for key, value in values.items()}
        values["environment"] = Env(**{key: values[key] for key in values if key == "environment"}).environment
        files = files_of(values["environment"]) if _env_file is None else [Path(".env"), *_as_paths(_env_file)]
        build: Any = cls  # type checkers see the fields as its only parameters
        built: Self = build(files, **values)
        return built


def files_of(environment: str) -> list[Path]:
    """List the files that are read for an environment, the last with the highest priority.

    A `.env` file comes after the TOML and JSON files for the same environment, so that it can override them.
    """
    return [
        *(Path(f"slipstream.{suffix}") for suffix in ("toml", "json")),
        Path(".env"),
        *(Path(f"slipstream.{environment}.{suffix}") for suffix in ("toml", "json")),
        Path(f".env.{environment}"),
    ]


def read_file(path: Path, encoding: str = "utf-8") -> dict[str, _Found]:
    """Read a file of settings: TOML or JSON by suffix, `.env` otherwise. A file that does not exist has no settings.

    Raises:
        WrongSetting: The file cannot be read or parsed.
    """
    if not path.is_file():
        return {}
    try:
        if path.suffix == ".toml":
            values: Any = tomllib.loads(path.read_text("utf-8"))
        elif path.suffix == ".json":
            values = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
        else:
            values = parse_env(path.read_text(encoding))
    except (OSError, ValueError) as error:
        raise WrongSetting(str(path), "(the whole file)", _describe(error)) from None
    if not isinstance(values, dict):
        raise WrongSetting(str(path), "(the whole file)", "it should be one object")
    return {key.lower(): _Found(key, value, str(path)) for key, value in values.items()}


def parse_env(text: str) -> dict[str, str | None]:
    """Read the text of a `.env` file as python-dotenv does, but with no variables replaced.

    A key without `=` has the value None.

    Raises:
        ValueError: A line is not `KEY=value`.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - loads the whole package, which programs without a file need not

    values: dict[str, str | None] = {}
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff").replace("\r\n", "\n"))):
        if binding.error:
            written, line = binding.original
            blank_lines = written[: -len(written.lstrip())].count("\n")
            raise ValueError(f"line {line + blank_lines} is no KEY=value")
        if binding.key is not None:
            values[binding.key] = binding.value
    return values


def _as_paths(files: EnvFiles | None) -> list[Path]:
    several = [files] if isinstance(files, str | os.PathLike) else files or ()
    return [Path(each) for each in several]


def _read_secrets(folder: Path, names: Iterable[str]) -> dict[str, _Found]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        path.name.lower(): _Found(path.name, path.read_text("utf-8").strip(), str(path))
        for path in files
        if path.name.lower() in names and path.is_file()
    }


def _decoded(cls: type[BaseModel], found: _Found) -> Any:
    """Read a text as JSON where its field has to be one, or may be one and the text is JSON."""
    if not isinstance(found.value, str):
        return found.value
    field = cls.model_fields.get(found.key.lower())
    members = [Any] if field is None else _members(field.annotation)
    if field is not None and not any(_is_json(each) for each in members):
        return found.value
    try:
        return json.loads(found.value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if any(each in (str, Any, timedelta) for each in members):
            return found.value
        raise WrongSetting(found.source, found.key, f"it should be JSON, and {_describe(error)}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _describe(error: Exception) -> str:
    """Describe an error without the text that it is about, which may be secret."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding}"
    return str(error)


def _members(annotation: Any) -> list[Any]:
    """List the types that a union has, or the one type."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for each in get_args(annotation) for member in _members(each)]
    return [annotation]


def _is_json(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, _JSON_TYPES)
