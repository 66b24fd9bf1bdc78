"""Functions to trace, and the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

import pykern
from pykern.debug.python_source.functions import Functions

ROOT = Path(pykern.__file__).parents[1]


@pytest.fixture(scope="session")
def kernel_functions():
    """Return the functions of the kernel."""
    return Functions(ROOT / "pykern" / "kernel", ROOT)


@pytest.fixture(scope="session")
def sample_functions():
    """Return the functions of `samples.py`, among others."""
    folder = Path(__file__).parent
    return Functions(folder, folder.parents[3])
