"""MIC-17: what is not signed does not run, where that is asked for."""

from __future__ import annotations

import subprocess

import pytest

from pykern.cli import main
from pykern.cli.errors import UsageError
from pykern.cli.image_inputs import find_key
from pykern.exit_status import ExitStatus
from pykern.kernel.binfmt import ed25519, signature
from tests import booting
from tests.pykern.kernel import hosted

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
PUBLIC = ed25519.public_key(SECRET)
TRUST = f"trust={PUBLIC.hex()}"


def test_a_signature_stands_behind_the_program():
    made = signature.signed(b"program", SECRET)
    assert made.startswith(b"program" + PUBLIC)
    signature.check(made, frozenset({PUBLIC}), "p")
    assert signature.signed(made, SECRET) == made


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda made: b"program", "p: not signed"),
        (lambda made: made[:-1], "p: not signed"),
        (lambda made: b"Program" + made[7:], "p: its signature is not that of these bytes"),
        (lambda made: signature.signed(b"program", OTHER), "p: signed by .*, whom nobody trusts"),
    ],
)
def test_anything_else_is_refused(change, reason):
    changed = change(signature.signed(b"program", SECRET))
    with pytest.raises(signature.NotSigned, match=reason):
        signature.check(changed, frozenset({PUBLIC}), "p")


def test_keys_of_the_command_line():
    assert signature.parse_keys("") == frozenset()
    assert signature.parse_keys(f"{PUBLIC.hex()},{'00' * 32}") == {PUBLIC, bytes(32)}
    with pytest.raises(ValueError, match="expected 64 hexadecimal digits"):
        signature.parse_keys("aabbcc")


@pytest.mark.parametrize("secret", [None, OTHER])
def test_a_kernel_that_trusts_nobody_else_panics(kernel_image, secret):
    program = hosted.compiled("start.c").read_bytes()
    if secret is not None:
        program = signature.signed(program, secret)
    system = hosted.make(kernel_image, files={"/sbin/init": program}, command_line=TRUST).run()
    assert system.outcome.status == ExitStatus.PANIC
    assert "cannot run /sbin/init: /sbin/init: " in system.log
    assert ("not signed" if secret is None else "whom nobody trusts") in system.log


def test_a_signed_program_runs_and_can_start_no_other(kernel_image):
    """MIC-17: execve fails with EACCES, and the caller goes on."""
    init, child = (hosted.compiled(name).read_bytes() for name in ("init.c", "checksum.c"))
    both = {"/sbin/init": signature.signed(init, SECRET)}
    commands = "/good\x1f\x1e/bad\x1f\x1e"
    files = {
        **both,
        "/good": signature.signed(child, SECRET),
        "/bad": child,
        "/commands": commands.encode(),
        "/work/.keep": b"",
        "/out/.keep": b"",
    }
    system = hosted.make(kernel_image, files=files, command_line=TRUST).run()
    assert (system.outcome.status, system.outcome.lines) == (0, ()), system.log
    good, bad = hosted.results(system, 2)
    assert good.stdout
    assert (bad.stdout, bad.status != 0) == (b"", True)


def test_an_image_is_signed_as_a_whole(tmp_path, capfdbinary):
    """MIC-17: --sign, with a key of openssl's."""
    booting.packaged()
    key = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no openssl with Ed25519 on this host")
    iso = tmp_path / "signed.iso"
    assert main(["image", "build", "rmp", "-o", str(iso), "--sign", str(key)]) == 0
    public = ed25519.public_key(find_key(key)).hex()
    assert main(["image", "verify", str(iso), "--trust", public]) == 0
    assert b"ok: its signature\n" in capfdbinary.readouterr().out
    assert main(["image", "verify", str(iso), "--trust", PUBLIC.hex()]) == ExitStatus.BAD_IMAGE
    assert b"whom nobody trusts" in capfdbinary.readouterr().out
    assert main(["boot", str(iso), "-m", "64M"]) == 0
    assert b"[TEST] \xe2\x9c\x93 Process and thread creation" in capfdbinary.readouterr().out
    booted = booting.boot(iso.read_bytes(), append=TRUST)  # trusts somebody else
    assert booted.outcome.status == ExitStatus.PANIC
    assert "whom nobody trusts" in booted.log


def test_another_file_is_no_key(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    with pytest.raises(UsageError, match="expected an Ed25519 private key"):
        find_key(tmp_path / "key")
    with pytest.raises(UsageError, match="No such file"):
        find_key(tmp_path / "none")
