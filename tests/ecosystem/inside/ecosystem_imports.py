"""Tests for a package whose source distribution has none: each of its modules can be imported.

$ECOSYSTEM_IMPORTS has the distribution's name and then the modules that are meant, with all below them.
"""

import importlib
import importlib.metadata
import os

import pytest

DISTRIBUTION, *PREFIXES = os.environ["ECOSYSTEM_IMPORTS"].split()


def modules():
    """Names of the distribution's modules, from its list of files."""
    for file in importlib.metadata.files(DISTRIBUTION) or ():
        parts = file.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if file.suffix == ".py" and parts[-1] != "__main__" and any(f"{name}.".startswith(f"{p}.") for p in PREFIXES):
            yield name


@pytest.mark.parametrize("name", sorted(modules()))
def test_module_can_be_imported(name):
    importlib.import_module(name)
