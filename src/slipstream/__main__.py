"""`python -m slipstream` is the `slipstream` command; under the alias, `python -m fastapi` is fastapi-cli's."""

from slipstream.cli import main

if __name__ == "__main__":
    main(__spec__.parent if __spec__ else None)
