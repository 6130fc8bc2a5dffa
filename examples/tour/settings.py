"""What can be set from outside, by environment variables that begin with `TOUR_`."""

import os
import secrets
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything has a default: with nothing set, all data lives in `.tour/` where the server was started."""

    model_config = SettingsConfigDict(env_prefix="TOUR_", hide_input_in_errors=True)

    data_dir: Path = Path(".tour")
    database_url: str = ""
    """SQLAlchemy URL with an async driver. Empty: an SQLite file in `data_dir`."""
    upload_dir: Path | None = None
    """Folder for uploaded files. None: `uploads` in `data_dir`."""
    secret: SecretStr | None = Field(default=None, min_length=32)
    """Key that signs tokens. None: random, made once and kept in `data_dir`."""
    token_minutes: int = Field(default=30, ge=1, le=24 * 60)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'tour.sqlite3'}"

    @property
    def uploads(self) -> Path:
        return self.upload_dir or self.data_dir / "uploads"

    @cached_property
    def signing_key(self) -> str:
        if self.secret is not None:
            return self.secret.get_secret_value()
        return _kept_secret(self.data_dir / "secret")

    def make_folders(self) -> None:
        for folder in (self.data_dir, self.uploads):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _kept_secret(path: Path) -> str:
    """Read the secret, or write a new one that only its owner may read."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # all or nothing: of two workers that start together, one wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


@lru_cache
def get_settings() -> Settings:
    return Settings()
