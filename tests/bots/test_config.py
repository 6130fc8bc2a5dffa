"""Where settings come from, and what is made of them."""

import json
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slipstream.bots.config import Config, Env, parse_env
from slipstream.bots.drivers import fastapi
from slipstream.bots.exception import WrongSetting


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    for name in ("ENVIRONMENT", "HOST", "PORT", "DRIVER", "SECRET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def load(**values: Any) -> Config:
    return Config.load(**values)


def test_without_any_source_the_defaults_hold() -> None:
    """Those that programs rely on."""
    config = load()

    assert config.model_dump() == {
        "driver": "slipstream.bots.drivers.fastapi",
        "host": IPv4Address("127.0.0.1"),
        "port": 8080,
        "debug": False,
        "log_level": None,
        "api_root": {},
        "api_timeout": 30.0,
        "access_token": None,
        "secret": None,
        "superusers": set(),
        "nickname": set(),
        "command_start": {"/"},
        "command_sep": {"."},
        "session_expire_timeout": timedelta(minutes=2),
        "environment": "prod",
    }


def test_init_beats_the_environment_beats_the_environments_file_beats_the_common_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the document."""
    (folder / ".env").write_text("ENVIRONMENT=dev\nA=env\nB=env\nC=env\nD=env\nPORT=1")
    (folder / ".env.dev").write_text("B=dev\nC=dev\nD=dev\nPORT=2")
    monkeypatch.setenv("C", "os")
    monkeypatch.setenv("D", "os")

    found: Any = load(d="init")

    assert (found.environment, found.a, found.b, found.c, found.d, found.port) == ("dev", "env", "dev", "os", "init", 2)


def test_the_environment_is_named_by_init_the_variable_or_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is "prod" otherwise."""
    (folder / ".env.test").write_text("PORT=3")

    assert Env().environment == "prod"
    (folder / ".env").write_text("environment=dev")
    assert Env().environment == "dev"
    monkeypatch.setenv("Environment", "test")
    assert (Env().environment, load().port) == ("test", 3)
    assert load(ENVIRONMENT="prod").port == 8080


def test_another_file_can_stand_for_that_of_the_environment(folder: Path) -> None:
    """`.env` is read before it."""
    (folder / ".env").write_text("A=1\nB=1")
    (folder / "mine").write_text("B=2")

    found: Any = Config.load("mine")

    assert (found.a, found.b) == (1, 2)


def test_names_are_case_insensitive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In files, in the environment, in init arguments."""
    (folder / ".env").write_text('Nickname=["a"]\nMyKey=1')
    monkeypatch.setenv("mYkEY", "2")

    found: Any = load(PORT=5)

    assert (found.nickname, found.mykey, found.port) == ({"a"}, 2, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("true", True),
        ("yes", "yes"),
        ("007", "007"),
        ("NaN", "NaN"),
    ],
)
def test_settings_that_nobody_declared_are_kept_and_read_as_json_where_they_are(
    folder: Path, text: str, value: Any
) -> None:
    """Adapters and plugins look for theirs."""
    (folder / ".env").write_text(f"MINE={text}")

    assert load().model_dump()["mine"] == value


def test_a_declared_text_is_not_read_as_json(folder: Path) -> None:
    """A token of digits stays as it is."""
    (folder / ".env").write_text('ACCESS_TOKEN=0123\nSECRET=true\nSUPERUSERS=[1, "2"]\nSESSION_EXPIRE_TIMEOUT=90')

    found = load()

    assert (found.access_token, found.secret, found.superusers) == ("0123", "true", {"1", "2"})
    assert found.session_expire_timeout == timedelta(seconds=90)


def test_a_declared_list_that_is_no_json_is_an_error_that_names_file_and_key(folder: Path) -> None:
    """And not the value, which may be secret."""
    (folder / ".env.prod").write_text("SUPERUSERS=[hunter2")

    with pytest.raises(WrongSetting) as wrong:
        load()

    assert (wrong.value.source, wrong.value.key) == (".env.prod", "SUPERUSERS")
    assert "it should be JSON" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_a_list_in_the_environment_that_is_no_json_names_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody looks for it in a file."""
    monkeypatch.setenv("COMMAND_START", "/")

    with pytest.raises(WrongSetting, match="'COMMAND_START' of the environment"):
        load()


def test_a_wrong_value_is_an_error_that_does_not_show_it() -> None:
    """Of any kind."""
    with pytest.raises(ValidationError) as wrong:
        load(port="hunter2")

    assert "port" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_toml_and_json_files_are_read(folder: Path) -> None:
    """Beside `.env`, which comes after those of the same standing."""
    (folder / "slipstream.toml").write_text('port = 1\nA = 1\nb = "toml"\nnickname = ["x"]\n[nested]\nc = 1\n')
    (folder / "slipstream.prod.json").write_text(json.dumps({"B": "json", "port": 2}))
    (folder / ".env.prod").write_text("PORT=3")

    found: Any = load()

    assert (found.a, found.b, found.port, found.nickname, found.nested) == (1, "json", 3, {"x"}, {"c": 1})


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.json", "{", "expecting property name"),
        ("x.json", "[1]", "one object"),
        ("x.json", '{"a": NaN}', "NaN is no JSON"),
        ("x.toml", "a =", "Invalid value"),
        ("x.env", "A=1\nno key here", "line 2 is no KEY=value"),
        ("x.env", 'A="open', "line 1 is no KEY=value"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(folder: Path, name: str, text: str, problem: str) -> None:
    """And the place in it."""
    (folder / name).write_text(text)

    with pytest.raises(WrongSetting, match=problem) as wrong:
        Config.load(name)

    assert wrong.value.source == name


def test_a_file_in_another_encoding_is_read_where_one_says_so(folder: Path) -> None:
    """And an error otherwise."""
    (folder / "x").write_bytes("A=ü".encode("latin-1"))
    build: Any = Config

    assert build("x", "latin-1").a == "ü"
    with pytest.raises(WrongSetting, match="it is not utf-8"):
        build("x")


def test_secrets_may_stand_in_a_folder_of_files(folder: Path) -> None:
    """One file for each; everything else beats them."""
    (folder / "secrets").mkdir()
    (folder / "secrets" / "ACCESS_TOKEN").write_text("t\n")
    (folder / "secrets" / "port").write_text("1")
    (folder / "secrets" / "unknown").write_text("1")
    build: Any = Config

    found = build(None, _secrets_dir=folder / "secrets", port=2)

    assert (found.access_token, found.port) == ("t", 2)
    assert "unknown" not in found.model_dump()


def test_a_config_alone_reads_the_default_files(folder: Path) -> None:
    """The driver's settings do so too."""
    (folder / ".env").write_text('PORT=4\nFASTAPI_DOCS_URL=/docs\nFASTAPI_RELOAD_DIRS=["src"]')

    own = fastapi.Config()

    assert Config().port == 4
    assert (own.fastapi_docs_url, own.fastapi_reload_dirs) == ("/docs", ["src"])


def test_a_file_of_settings_may_have_comments_quotes_and_exports() -> None:
    """As shells and other programs write it."""
    text = (
        '\ufeff# comment\n\nexport A = 1 # one\nB=\'x # y\'\nC="a\\nb \\" \\q"\nD=a#b\nE=\nF\n'
        'G="two\nlines" # x\nH=\'{"a": 1}\'\r\nI=http://a/?b=c#d\n'
    )

    assert parse_env(text) == {
        "A": "1",
        "B": "x # y",
        "C": 'a\nb " \\q',
        "D": "a#b",
        "E": "",
        "F": None,
        "G": "two\nlines",
        "H": '{"a": 1}',
        "I": "http://a/?b=c#d",
    }
