"""The grammar of the command line: our spellings, and QEMU's of the common options."""

from __future__ import annotations

import argparse
import importlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import gdbstub
from pykern import config, exit_status
from pykern.cli import migration_options, qemu_options
from pykern.kernel.binfmt import signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

GDB_ADDRESS = gdbstub.parse_address(":1234")
GDB_OS_ADDRESS = gdbstub.parse_address(":1235")
_PROLOGUE = "An x86-64 computer: boots kernels, disassembles them, measures itself."


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; `command` is the function to call with them.

    Raises
    ------
    SystemExit : with status 2 and a message, or 0 behind --help and --version
    """
    if argv[:1] == ["bench"]:
        # The benchmark has a grammar of its own; argparse would claim its options.
        return argparse.Namespace(command=_run_bench, arguments=list(argv[1:]))
    return _parser().parse_args(argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pykern", description=_PROLOGUE, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"pykern {version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_boot(commands)
    _add_image(commands)
    _add_profiles(commands)
    _add_report(commands)
    _add_disasm(commands)
    _add_bench(commands)
    return parser


def version() -> str:
    """Return the version of the package that is installed."""
    try:
        return metadata.version("pykern")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _command(module: str) -> Callable[[argparse.Namespace], int]:
    """Return a function that imports its module when called, so that --help needs no machine."""

    def run(args: argparse.Namespace) -> int:
        return int(importlib.import_module(module).run(args))

    return run


def _checked(parse_value: Callable[[str], T]) -> Callable[[str], T]:
    """Make argparse show the parser's own message."""

    def convert(text: str) -> T:
        try:
            return parse_value(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_boot(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "boot",
        usage="pykern boot [OPTION ...] [FILE]",  # --help has all of them in groups
        allow_abbrev=False,
        help="boot an ISO image, a kernel, a boot sector or a firmware ROM",
        description="Boot FILE: an ISO image with a Limine configuration; a Linux, Limine, "
        "Multiboot or ELF kernel; a boot sector.",
        epilog=f"exit status:\n{exit_status.table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_command("pykern.cli.boot"), keeper=None)
    _add_image_options(parser)
    _add_disk_options(parser)
    _add_machine_options(parser)
    _add_console_options(parser)
    _add_run_options(parser)
    migration_options.add(parser, _checked)
    _add_debugger_options(parser)
    qemu_options.add(parser)


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("image")
    group.add_argument(
        "image",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="what to boot; without any, the default image: a shell on the serial console",
    )
    group.add_argument(
        "--kernel", "-kernel", type=Path, metavar="FILE", help="the same, as QEMU has it"
    )
    group.add_argument(
        "--cdrom", "-cdrom", type=Path, metavar="ISO", help="the same, for an ISO 9660 image"
    )
    group.add_argument(
        "--entry",
        default="",
        metavar="NAME",
        help="entry of the ISO's boot menu, by name, Directory/Name or number (default: its own)",
    )
    group.add_argument(
        "--firmware",
        "--bios",
        "-bios",
        type=Path,
        metavar="FILE",
        help="a ROM, which is entered at its reset vector; bios: built-in BIOS services, which "
        "start the boot record of FILE",
    )
    group.add_argument(
        "--initrd",
        "-initrd",
        action="append",
        default=[],
        metavar="FILE",
        help="initial RAM disk or boot module; may be repeated",
    )
    group.add_argument(
        "--append", "-append", default="", metavar="STRING", help="the kernel's command line"
    )
    group.add_argument(
        "--protocol",
        metavar="NAME",
        help="iso, linux, limine, multiboot, elf, bootsector; default: what FILE says",
    )


def _add_disk_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("disks")
    group.add_argument(
        "--write-back",
        action="store_true",
        help="when the run ends, write to the files of --disk, and with --firmware bios to FILE, "
        "what the guest has written",
    )
    group.add_argument(
        "--disk",
        "-hda",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a raw image in an IDE drive, /dev/sda; may be repeated, up to four; what the guest "
        "writes stays in memory unless --write-back says otherwise",
    )


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    group.add_argument(
        "--smp",
        "-smp",
        type=_checked(config.parse_cpus),
        metavar="N",
        help=f"processors, 1 to {config.MAX_CPUS} (default: the preset's)",
    )
    group.add_argument(
        "--preset",
        choices=config.PRESETS,
        help="number of processors by name: "
        + ", ".join(f"{name} {cpus}" for name, cpus in config.PRESETS.items())
        + " (default smp4 for the default image, else single)",
    )
    group.add_argument(
        "-m",
        "--memory",
        type=_checked(config.parse_size),
        default=512 * config.MIB,
        metavar="SIZE",
        help="RAM: 512M, 4G; a bare number is MiB (default 512M)",
    )
    group.add_argument(
        "--cpu",
        "-cpu",
        choices=config.CPU_MODELS,
        default="max",
        help="x86-64-v1, x86-64-v2, or all there is (default)",
    )
    group.add_argument(
        "--numa",
        type=_checked(config.parse_cpus),
        default=1,
        metavar="N",
        help="divide processors and RAM into N nodes (ACPI SRAT and SLIT; default 1)",
    )
    group.add_argument(
        "--seed",
        type=_checked(config.parse_number),
        default=0,
        metavar="N",
        help="another order of the processors' turns",
    )


def _add_console_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("console")
    group.add_argument(
        "--serial",
        "-serial",
        type=_checked(config.parse_serial),
        default=config.SerialSpec(),
        metavar="WHERE",
        help="first serial port: stdio (default), null, file:PATH",
    )
    group.add_argument(
        "--nographic",
        "-nographic",
        action="store_const",
        dest="serial",
        const=config.SerialSpec(),
        help="--serial stdio",
    )
    group.add_argument(
        "--debugcon",
        "-debugcon",
        type=_checked(config.parse_serial),
        default=config.SerialSpec("null"),
        metavar="WHERE",
        help="output of the debug ports 0xE9 and 0x402: stdio, null (default), file:PATH",
    )
    group.add_argument(
        "--framebuffer",
        type=_checked(config.parse_resolution),
        default=argparse.SUPPRESS,
        metavar="WxH",
        help="a linear framebuffer, or none (default: 1024x768 for a Limine kernel and the "
        "built-in BIOS, else none)",
    )
    group.add_argument(
        "--screenshot", type=Path, metavar="PNG", help="picture of the screen when the run ends"
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "--timeout",
        type=_checked(config.parse_seconds),
        metavar="SECONDS",
        help="end at this virtual time",
    )
    group.add_argument(
        "--clock",
        choices=config.CLOCKS,
        help="as fast as possible (virtual), or not faster than the wall clock (host); default: "
        "host where a terminal is typed on, else virtual",
    )
    group.add_argument(
        "--no-reboot", "-no-reboot", action="store_true", help="end when the guest resets"
    )
    group.add_argument(
        "--trace",
        type=_checked(config.parse_traces),
        default=frozenset(),
        metavar="LIST",
        help="write to stderr what happens: insn, int, mmio",
    )
    group.add_argument(
        "-d",
        type=_checked(config.parse_qemu_log),
        dest="trace",
        metavar="LIST",
        help="--trace in QEMU's words: int, in_asm, exec",
    )
    group.add_argument(
        "--metrics",
        type=Path,
        metavar="JSON",
        help="write what pykern's kernel has counted, when the run ends",
    )
    group.add_argument(
        "--timeline",
        type=Path,
        metavar="JSON",
        help="write what pykern's kernel does when: tasks, system calls, interrupts, faults, "
        "messages, run queues, memory by owner; pykern report, ui.perfetto.dev and "
        "chrome://tracing show it",
    )
    group.add_argument(
        "--page-trace",
        type=Path,
        metavar="JSON",
        help="write which pages of memory programs use, in order, up to a million references; "
        "pykern report draws what each page replacement would make of them",
    )
    group.add_argument(
        "--state-hash-every",
        type=_checked(config.parse_hashing),
        metavar="NS[:FILE]",
        help="write a hash of the whole state every NS of virtual time, to FILE or stderr",
    )


def _add_debugger_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("debugger")
    group.add_argument(
        "--gdb",
        "-gdb",
        nargs="?",
        type=_checked(gdbstub.parse_address),
        const=GDB_ADDRESS,
        metavar="ADDRESS",
        help="let gdb in at HOST:PORT, :PORT (this host only) or unix:PATH (default :1234); it "
        "sees processors",
    )
    group.add_argument(
        "--gdb-os",
        nargs="?",
        type=_checked(gdbstub.parse_address),
        const=GDB_OS_ADDRESS,
        metavar="ADDRESS",
        help="let gdb in there; it sees the processes and threads of pykern's kernel (default "
        ":1235)",
    )
    group.add_argument(
        "-s",
        dest="gdb",
        action="store_const",
        const=GDB_ADDRESS,
        help="--gdb :1234 --gdb-os :1235; the first is QEMU's",
    )
    group.add_argument(
        "-S",
        dest="wait_for_gdb",
        action="store_true",
        help="do not begin before gdb says so; without --gdb it is asked for at :1234",
    )
    group.add_argument(
        "--gdb-observer",
        type=_checked(gdbstub.parse_address),
        metavar="ADDRESS",
        help="beside --gdb: let a second gdb in that may look and change nothing",
    )
    group.add_argument(
        "--history",
        type=_checked(config.parse_history),
        default=config.DEFAULT_HISTORY,
        metavar="SIZE",
        help="memory for going back in time while gdb is there (default 1G; 0: none); not with "
        "--gdb-observer",
    )

    group.add_argument(
        "--load",
        type=Path,
        metavar="FILE",
        help="go on from what gdb's `monitor save FILE` has written: the machine is started as it "
        "was then, executes the same again, and waits for gdb; without --gdb at :1234",
    )


def _add_image(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "image",
        allow_abbrev=False,
        help="build a bootable image, look into one, check one",
        description="Bootable ISO 9660 images: build, ls, extract, verify.",
    )
    parser.set_defaults(command=_command("pykern.cli.image"))
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    _add_image_build(verbs)
    ls = verbs.add_parser("ls", help="list names and boot catalog of an image")
    ls.add_argument("iso", type=Path, metavar="ISO")
    extract = verbs.add_parser("extract", help="copy files out of an image")
    extract.add_argument("iso", type=Path, metavar="ISO")
    extract.add_argument("path", nargs="?", default="/", help="file or directory (default /)")
    extract.add_argument("-o", "--output", type=Path, metavar="FILE", help="file or directory")
    verify = verbs.add_parser("verify", help="check that an image is whole and can be booted")
    verify.add_argument("iso", type=Path, metavar="ISO")
    verify.add_argument("manifest", nargs="?", help="what it is to contain: name or TOML file")
    verify.add_argument(
        "--trust",
        type=_checked(signature.parse_keys),
        metavar="KEYS",
        help="public keys in hexadecimal, commas between: the image must be signed by one of them",
    )


def _add_image_build(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "build",
        allow_abbrev=False,
        help="write an image; the same inputs give the same bytes",
        description="Write the bootable image that a manifest describes.",
    )
    parser.add_argument(
        "manifest", metavar="NAME|MANIFEST.toml", help="the name of a profile, or a file"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="ISO", help="default: the manifest's name, .iso"
    )
    parser.add_argument(
        "--parts",
        type=Path,
        metavar="FOLDER",
        help="write kernel.bin, initrd.img and kernel.elf there too: for -kernel, -initrd and gdb",
    )
    parser.add_argument(
        "--kernel", type=Path, metavar="FILE", help="instead of the kernel that the manifest names"
    )
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="instead of the programs that come with pykern; may be repeated",
    )
    parser.add_argument(
        "--sign",
        type=Path,
        metavar="KEY",
        help="sign the programs with an Ed25519 key (PEM, as openssl genpkey writes it), and let "
        "the kernel run no others",
    )
    parser.add_argument(
        "--loader", type=Path, metavar="FILE", help="instead of pykern's El Torito boot loader"
    )


def _add_report(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "report",
        allow_abbrev=False,
        help="draw a run: schedule, memory by owner, page replacement, NUMA traffic",
        description="Draw what pykern boot has written by --timeline, --metrics and --page-trace. "
        "The same files give the same report. Needs matplotlib: pip install 'pykern[report]'.",
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="RUN.json", help="files of one run or of several"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report"),
        metavar="FOLDER|FILE",
        help="FILE.html: one page with everything in it; FILE.png: all pictures below each other; "
        "else a folder for index.html and a PNG each (default report)",
    )
    parser.set_defaults(command=_command("pykern.cli.report"))


def _add_profiles(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "profiles",
        help="list the kernels that can be made of this one, and what each is made of",
        description="Without NAME a line for each profile; with it all that it chooses. The "
        "kernel's command line says which one to boot: --append profile=NAME.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of them")
    parser.set_defaults(command=_command("pykern.cli.profiles"))


def _add_disasm(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "disasm",
        allow_abbrev=False,
        help="disassemble an ELF file or raw code",
        description="Disassemble the executable sections of an ELF file, or a file of raw code.",
    )
    parser.set_defaults(command=_command("pykern.cli.disasm"))
    parser.add_argument("file", type=Path, metavar="FILE")
    number = _checked(config.parse_number)
    parser.add_argument("--start", type=number, metavar="ADDRESS", help="first address")
    parser.add_argument("--stop", type=number, metavar="ADDRESS", help="address to stop before")
    parser.add_argument("--section", metavar="NAME", help="only this section")
    parser.add_argument(
        "--bits",
        type=int,
        choices=(16, 32, 64),
        help="mode of the code; default: what the ELF header says, 64 for raw code",
    )
    parser.add_argument(
        "--base", type=number, default=0, metavar="ADDRESS", help="address of raw code (default 0)"
    )


def _add_bench(commands: Subparsers) -> None:
    commands.add_parser("bench", help="measure the speed of this machine, beside QEMU and Bochs")


def _run_bench(args: argparse.Namespace) -> int:
    return int(importlib.import_module("pykern.bench").main(args.arguments) or 0)
