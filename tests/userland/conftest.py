"""The user programs, built once, and their oracle."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from userland import build


@pytest.fixture(scope="session")
def build_directory(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this host")
    return tmp_path_factory.mktemp("userland")


@pytest.fixture(scope="session")
def programs(build_directory):
    """Return the path of every program by its name, those of the tests included."""
    return build.build(build_directory, build.sources())


@pytest.fixture(scope="session")
def bin_directory(programs):
    return programs["sh"].parent


@pytest.fixture(scope="session")
def busybox_directory(tmp_path_factory):
    """Return a folder with a link for each command that busybox has."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    directory = tmp_path_factory.mktemp("busybox")
    for name in listed.stdout.split():
        (directory / name).symlink_to(busybox)
    return directory
