"""The host's end of a serial port: files, pipes and a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import termios

from pykern.cli import terminal
from pykern.cli.terminal import FileInput, NoInput, opened_input, opened_output
from pykern.config import SerialSpec


def test_a_regular_file_enters_whole(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(bytes(10_000))
    with path.open("rb") as stream:
        source = FileInput(stream.fileno())
        assert source.read() == bytes(10_000)
        assert source.read() == b""
        assert source.wait(0) is False
        assert source.wait(None) is False


def test_a_pipe_enters_as_it_arrives():
    reader, writer = os.pipe()
    source = FileInput(reader)
    assert source.read() == b""
    assert source.wait(0) is False
    os.write(writer, b"key")
    assert source.wait(None) is True
    assert source.read() == b"key"
    os.close(writer)
    assert source.read() == b""
    assert source.wait(None) is False
    os.close(reader)


def test_a_terminal_is_raw_but_for_ctrl_c_and_restored(monkeypatch):
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    monkeypatch.setattr(terminal, "_standard_input", lambda: slave)
    with opened_input(SerialSpec("stdio")) as source:
        lflag = termios.tcgetattr(slave)[3]
        assert not lflag & (termios.ICANON | termios.ECHO)
        assert lflag & termios.ISIG
        os.write(master, b"\r")
        assert source.wait(None)
        assert source.read() == b"\r"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_terminal_is_restored_after_a_failure(monkeypatch):
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    monkeypatch.setattr(terminal, "_standard_input", lambda: slave)
    with contextlib.suppress(KeyboardInterrupt), opened_input(SerialSpec("stdio")):
        raise KeyboardInterrupt
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_null_has_no_input():
    with opened_input(SerialSpec("null")) as source:
        assert isinstance(source, NoInput)
        assert source.read() == b""
        assert source.wait(None) is False


def test_output_to_a_file_is_there_at_once(tmp_path):
    path = tmp_path / "serial"
    with opened_output(SerialSpec("file", path)) as out:
        out.write(b"boot")
        assert path.read_bytes() == b"boot"


def test_output_to_stdout_and_to_nothing(capfdbinary):
    with opened_output(SerialSpec("stdio")) as out:
        out.write(b"\x00\xff")
    with opened_output(SerialSpec("null")) as out:
        out.write(b"lost")
    assert capfdbinary.readouterr().out == b"\x00\xff"
