"""Command lines as people write them down for QEMU and gdb, word for word."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

from images import prebuilt
from tests.gdbstub.gdb import GDB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]
PYKERN = [sys.executable, "-m", "pykern"]
# They are run in another folder: a tree that is tested uninstalled has to be found from there.
ENVIRONMENT = dict(os.environ)
if "PYTHONPATH" in ENVIRONMENT:
    paths = ENVIRONMENT["PYTHONPATH"].split(os.pathsep)
    ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths))
MULTIBOOT = r"""
__asm__(".align 4\n.long 0x1BADB002, 0, -0x1BADB002\n"
        ".globl _start\n_start: movl $stack + 4096, %esp\n call kernel_main\n");
volatile unsigned counted;
char stack[4096];
void kernel_main(void) {
    for (;;)
        counted++;
}
"""
PLAIN = r"""
static void out(unsigned short port, unsigned char value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}
void kernel_main(void) {
    for (const char *text = "hello from 64 bits\n"; *text; text++)
        out(0x3F8, *text);
    __asm__ volatile("outw %0, %1" : : "a"((unsigned short)0x2000), "d"((unsigned short)0x604));
    for (;;)
        ;
}
"""


@pytest.fixture(autouse=True)
def port_1234():
    """What is written down says 1234."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 1234)) == 0:
            pytest.skip("somebody listens at port 1234 of this host")


@pytest.fixture
def boot(tmp_path):
    processes = []

    def start(words):
        processes.append(
            subprocess.Popen(
                [*PYKERN, *words.split()[1:]], cwd=tmp_path, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=ENVIRONMENT, text=True,
            )
        )  # fmt: skip
        assert "127.0.0.1:1234" in processes[-1].stderr.readline()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def compiled(folder, name, source, *flags):
    (folder / "kernel.c").write_text(source)
    common = ("-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie")
    more = ("-fno-stack-protector", "-fcf-protection=none", "-Wl,--build-id=none")
    subprocess.run(["gcc", *common, *more, *flags, "-o", name, "kernel.c"], cwd=folder, check=True)


def gdb(folder, *arguments, commands=()):
    """Run gdb as in a terminal; return what it prints."""
    words = [w for command in commands for w in ("-ex", command)]
    quiet = ("-nx", "-q", "-batch", "-iex", "set debuginfod enabled off")
    done = subprocess.run(
        [GDB, *quiet, *arguments, *words], cwd=folder, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=100, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_mic_14(boot, tmp_path):
    """MIC-14: pykern boot … -s -S, then target remote and symbol-file."""
    compiled(tmp_path, "kernel.elf", MULTIBOOT, "-m32", "-Wl,-m,elf_i386,-Ttext=0x100000")
    shutil.copy(tmp_path / "kernel.elf", tmp_path / "kernel.bin")
    subprocess.run(["strip", "kernel.bin"], cwd=tmp_path, check=True)
    (tmp_path / "initrd.img").write_bytes(b"an initrd")
    boot("pykern boot kernel.bin --initrd initrd.img -nographic -m 512M -s -S")
    said = gdb(
        tmp_path, "-ex", "target remote :1234", "-ex", "symbol-file kernel.elf",
        commands=("hbreak kernel_main", "continue", "info symbol $pc", "kill"),
    )  # fmt: skip
    assert "Breakpoint 1, kernel_main ()" in said
    assert "kernel_main in section .text" in said


def test_myr_19(boot, tmp_path):
    """MYR-19: gdb build/kernel/kernel.elf, target remote :1234, continue."""
    (tmp_path / "build" / "kernel").mkdir(parents=True)
    shutil.copy(prebuilt.kernel(), tmp_path / "build" / "kernel" / "kernel.elf")
    boot(f"pykern boot {prebuilt.default_image()} -s -S")
    said = gdb(
        tmp_path, "build/kernel/kernel.elf",
        commands=("target remote :1234", "break sys_getpid", "continue", "backtrace 1", "kill"),
    )  # fmt: skip
    assert "hit Breakpoint 1, sys_getpid ()" in said
    assert "#0  sys_getpid ()" in said


def test_sca_17(tmp_path):
    """SCA-17: pykern boot kernel.elf -m 512M --serial stdio, a plain 64-bit ELF file."""
    compiled(tmp_path, "kernel.elf", PLAIN, "-mno-red-zone", "-mgeneral-regs-only",
             "-Wl,-e,kernel_main,-Ttext=0x100000")  # fmt: skip
    done = subprocess.run(
        [*PYKERN, *"boot kernel.elf -m 512M --serial stdio".split()], cwd=tmp_path,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.stdout == b"hello from 64 bits\n"
    assert done.returncode == 0
