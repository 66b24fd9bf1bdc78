"""From the kernel to its first program: files, console, environment."""

from __future__ import annotations

import pytest

from tests.pykern.kernel import hosted


def test_the_first_program_has_console_and_environment(system):
    files = {"/sbin/init": hosted.compiled("start.c").read_bytes()}
    log = system(files=files).run().log
    assert "argv[0] '/sbin/init'" in log
    assert "environment 'PATH=/bin:/sbin:/usr/bin'" in log
    assert "environment 'HOME=/root'" in log


def test_a_module_that_is_no_archive_is_kept_as_a_file(system):
    files = {"/sbin/init": hosted.compiled("waiting.c").read_bytes()}
    made = system(files=files, modules=[("/boot/notes.txt", b"a note\n")])
    made.run_until("waiting")
    assert made.file("/notes.txt") == b"a note\n"
    assert "kept as a file" in made.log


def test_what_is_typed_reaches_the_program_line_by_line(system):
    """MEL-31, MEL-53: echo, editing with DEL, lines."""
    files = {"/sbin/init": hosted.compiled("waiting.c").read_bytes()}
    made = system(files=files).run_until("waiting")
    made.keyboard.typed.append((0, b"hallo\x7f\x7flo\r"))
    made.run_until("read 6: hallo")
    assert "hallo" in made.log


@pytest.mark.parametrize("path", ["/dev/null", "/proc/version"])
def test_device_and_process_files_are_there(system, path):
    files = {"/sbin/init": hosted.compiled("waiting.c").read_bytes()}
    made = system(files=files).run_until("waiting")
    assert isinstance(made.file(path), bytes)
