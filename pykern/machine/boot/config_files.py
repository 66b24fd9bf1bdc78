"""Read Limine's configuration files: which kernel to boot, with what.

Two spellings of the same thing::

    # limine.conf, since version 8          # limine.cfg, before it
    timeout: 3                              TIMEOUT=3
    ${ROOT}=boot():/boot                    ${ROOT}=boot:///boot
    /+Kernels                               :+Kernels
    //pykern                                ::pykern
        protocol: limine                        PROTOCOL=limine
        path: ${ROOT}/pykern.elf                KERNEL_PATH=${ROOT}/pykern.elf
        cmdline: quiet                          CMDLINE=quiet
        module_path: boot():/boot/initrd        MODULE_PATH=boot:///boot/initrd
        module_string: root                     MODULE_CMDLINE=root
        resolution: 1024x768x32                 RESOLUTION=1024x768x32

Each is read in either file, as there is nothing that could mean both. What is wrong with one entry
is told when that entry is selected, so that it does not spoil the others.

References
----------
Limine, CONFIG.md, Structure of the config file, Options, Paths, Macros; version 7 for limine.cfg.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Where a loader looks, in this order.
CONFIG_PATHS = (
    "/boot/limine/limine.conf",
    "/boot/limine.conf",
    "/limine/limine.conf",
    "/limine.conf",
    "/EFI/BOOT/limine.conf",
    "/limine.cfg",
    "/limine/limine.cfg",
    "/boot/limine.cfg",
    "/boot/limine/limine.cfg",
    "/EFI/BOOT/limine.cfg",
)

BUILT_IN_MACROS = {"ARCH": "x86-64", "FW_TYPE": "BIOS"}

_LONGEST_VALUE = 4095
_LONGEST_TIMEOUT = 9999
_MOST_EXPANSIONS = 64
_OPTION = re.compile(r"([A-Za-z_][\w-]*)\s*([:=])(.*)", re.DOTALL)
_MACRO_DEFINITION = re.compile(r"\$\{([^}]*)\}=(.*)", re.DOTALL)
_MACRO = re.compile(r"\$\{([^}]*)\}")
_RESOLUTION = re.compile(r"(\d{1,5})x(\d{1,5})(?:x(\d{1,2}))?")
_PATH = re.compile(r"(\w+)\(([^)]*)\):(/.*)", re.DOTALL)
_URI = re.compile(r"(\w+)://([^/]*)(/.*)", re.DOTALL)
_HASH = re.compile(r"#[0-9a-fA-F]{64,256}$")

_ALIASES = {
    "kernel_path": "path",
    "image_path": "path",
    "kernel_cmdline": "cmdline",
    "module_cmdline": "module_string",
}
_LOCAL = frozenset({
    "comment", "protocol", "cmdline", "path", "module_path", "module_string", "resolution",
    "textmode", "kaslr", "randomise_hhdm_base", "randomize_hhdm_base", "max_paging_mode",
    "min_paging_mode", "paging_mode", "dtb_path", "drive", "partition", "mbr_id", "gpt_uuid",
    "gpt_guid", "entry", "if_fw_type", "if_arch",
})  # fmt: skip


class ConfigError(BootError):
    """A configuration file, or the entry that was asked for, cannot be used."""


class Medium(Protocol):
    """What files are read from."""

    @property
    def name(self) -> str:
        """Return what messages call it."""

    def find(self, path: str) -> object | None:
        """Return something if there is such a path."""

    def read(self, path: str) -> bytes:
        """Return the contents of a file."""


class Resolution(NamedTuple):
    """A video mode, in pixels and bits for each."""

    width: int
    height: int
    bpp: int = 32


class ModulePath(NamedTuple):
    """A file to hand to the kernel: its absolute path on the boot medium, and a string with it."""

    path: str
    command_line: str


@dataclass(frozen=True)
class BootEntry:
    """One entry of the menu that can be booted.

    Attributes
    ----------
    name : title, without those of the directories around it
    protocol : in lower case: limine, linux, multiboot1, multiboot2, …
    kernel_path : absolute path on the boot medium
    resolution : None where the entry does not say
    location : titles from the outermost directory inward
    options : every local option, by its modern name, in the order of the file
    problems : what is wrong with it
    """

    name: str
    protocol: str = ""
    kernel_path: str = ""
    command_line: str = ""
    modules: tuple[ModulePath, ...] = ()
    resolution: Resolution | None = None
    location: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class BootConfig:
    """A configuration file.

    Attributes
    ----------
    name : of the file, for messages
    entries : those that can be booted, in the order of the file
    options : global ones, by their lower-case name; of several of a name the first
    timeout : seconds before the default entry is booted; None: wait for the user
    default : the entry to boot unasked
    """

    name: str
    entries: tuple[BootEntry, ...]
    options: dict[str, str]
    timeout: float | None
    default: BootEntry

    def select(self, wanted: str = "") -> BootEntry:
        """Return the default entry, or one by its name, its path `Dir/Name` or its number.

        Raises
        ------
        ConfigError : there is no such entry, or it cannot be booted
        """
        entry = self._find(wanted) if wanted else self.default
        if entry.problems:
            raise ConfigError(f"{self.name}: entry {entry.name!r}: {entry.problems[0]}")
        return entry

    def _find(self, wanted: str) -> BootEntry:
        for entry in self.entries:
            if wanted in {entry.name, "/".join(entry.location)}:
                return entry
        by_number = {str(number): entry for number, entry in enumerate(self.entries, 1)}
        if wanted in by_number:
            return by_number[wanted]
        names = ", ".join("/".join(entry.location) for entry in self.entries)
        raise ConfigError(f"{self.name}: no entry {wanted!r}; there are {names}")


@dataclass
class _Node:
    """A title of the menu and what stands below it."""

    name: str
    depth: int
    expanded: bool
    line: int
    options: list[tuple[int, str, str]] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)


def find_config(medium: Medium) -> str:
    """Return the path of the configuration file of a medium.

    Raises
    ------
    ConfigError : it has none
    """
    for path in CONFIG_PATHS:
        if medium.find(path) is not None:
            return path
    raise ConfigError(f"{medium.name}: no boot configuration; looked for {', '.join(CONFIG_PATHS)}")


def read_config(medium: Medium) -> BootConfig:
    """Find and parse the configuration file of a medium."""
    path = find_config(medium)
    return parse(medium.read(path), f"{medium.name}: {path}")


def parse(data: bytes | str, name: str) -> BootConfig:
    """Parse a configuration file of either spelling.

    Raises
    ------
    ConfigError : a line is neither comment, title, macro nor option; no entry can be booted
    """
    text = data if isinstance(data, str) else _decoded(data, name)
    options, roots = _parse_lines(text, name)
    visible: list[_Node] = []
    entries: dict[int, BootEntry] = {}
    for node, titles, shown in _flattened(roots, (), shown=True):
        if shown:
            visible.append(node)
        if not node.children:
            entries[id(node)] = _boot_entry(node, titles)
    if not entries:
        raise ConfigError(f"{name}: no entry, expected at least one line such as /Name")
    return BootConfig(
        name,
        tuple(entries.values()),
        options,
        _timeout(options.get("timeout", "5")),
        _default(options.get("default_entry", "1"), visible, entries, name),
    )


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ConfigError(
            f"{name}: byte {byte:#x} at offset {error.start}, expected UTF-8 text"
        ) from None


# --- lines ---------------------------------------------------------------------------------------


def _parse_lines(text: str, name: str) -> tuple[dict[str, str], list[_Node]]:
    options: dict[str, str] = {}
    roots: list[_Node] = []
    stack: list[_Node] = []
    macros = dict(BUILT_IN_MACROS)
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line, where = raw.strip().rstrip("\0"), f"{name}, line {number}"
        if not line or line.startswith("#"):
            continue
        if definition := _MACRO_DEFINITION.fullmatch(line):
            macros[definition[1]] = definition[2]
            continue
        line = _expanded(line, macros, where)
        if line[0] in "/:":
            _open_node(line, number, where, roots, stack)
            continue
        key, value = _option(line, where)
        if stack and key in _LOCAL:
            stack[-1].options.append((number, key, value))
        else:
            options.setdefault(key, value)
    return options, roots


def _expanded(line: str, macros: dict[str, str], where: str) -> str:
    """Replace macros; one may expand to text that names another."""
    for _ in range(_MOST_EXPANSIONS):
        found = _MACRO.search(line)
        if found is None:
            return line
        if found[1] not in macros:
            known = ", ".join(macros)
            raise ConfigError(f"{where}: macro {found[0]} is not defined; there are {known}")
        line = line[: found.start()] + macros[found[1]] + line[found.end() :]
        if len(line) > _MOST_EXPANSIONS * _LONGEST_VALUE:
            break
    raise ConfigError(f"{where}: macros expand to each other without end")


def _open_node(line: str, number: int, where: str, roots: list[_Node], stack: list[_Node]) -> None:
    title = line.lstrip(line[0])
    depth = len(line) - len(title)
    expanded = title.startswith("+")
    node = _Node(title.removeprefix("+").strip(), depth, expanded, number)
    if not node.name:
        raise ConfigError(f"{where}: an entry without a title: {line!r}")
    if depth > len(stack) + 1:
        raise ConfigError(
            f"{where}: entry {node.name!r} is at depth {depth}, expected at most {len(stack) + 1}"
        )
    del stack[depth - 1 :]
    (stack[-1].children if stack else roots).append(node)
    stack.append(node)


def _option(line: str, where: str) -> tuple[str, str]:
    match = _OPTION.fullmatch(line)
    if match is None:
        raise ConfigError(
            f"{where}: {line[:60]!r}, expected a comment, an entry such as /Name or an option "
            f"such as timeout: 5"
        )
    key, value = match[1].lower(), match[3].strip()
    if len(value) > _LONGEST_VALUE:
        raise ConfigError(
            f"{where}: value of {key} has {len(value)} characters, at most {_LONGEST_VALUE} fit"
        )
    return _ALIASES.get(key, key), value


# --- entries -------------------------------------------------------------------------------------


def _flattened(
    nodes: Iterable[_Node], titles: tuple[str, ...], *, shown: bool
) -> Iterator[tuple[_Node, tuple[str, ...], bool]]:
    for node in nodes:
        here = (*titles, node.name)
        yield node, here, shown
        yield from _flattened(node.children, here, shown=shown and node.expanded)


def _boot_entry(node: _Node, titles: tuple[str, ...]) -> BootEntry:
    problems: list[str] = []
    first: dict[str, str] = {}
    modules: list[ModulePath] = []
    for number, key, value in node.options:
        if key == "module_path":
            modules.append(ModulePath(_path(value, f"line {number}: {key}", problems), ""))
        elif key == "module_string" and modules:
            modules[-1] = modules[-1]._replace(command_line=value)
        elif key == "path":
            first.setdefault(key, _path(value, f"line {number}: {key}", problems))
        else:
            first.setdefault(key, value)
    if not first.get("protocol"):
        problems.append("no protocol, expected one such as protocol: limine")
    if not first.get("path") and not problems:
        problems.append("no path, expected one such as path: boot():/boot/kernel.elf")
    return BootEntry(
        name=node.name,
        protocol=_protocol(first.get("protocol", "")),
        kernel_path=first.get("path", ""),
        command_line=first.get("cmdline", ""),
        modules=tuple(modules),
        resolution=_resolution(first.get("resolution"), problems),
        location=titles,
        options=tuple((key, value) for _, key, value in node.options),
        problems=tuple(problems),
    )


def _protocol(text: str) -> str:
    name = text.lower()
    return "multiboot1" if name == "multiboot" else name


def _resolution(text: str | None, problems: list[str]) -> Resolution | None:
    if text is None:
        return None
    match = _RESOLUTION.fullmatch(text)
    if match is None:
        problems.append(f"resolution {text!r}, expected WIDTHxHEIGHT or WIDTHxHEIGHTxBITS")
        return None
    return Resolution(int(match[1]), int(match[2]), int(match[3] or 32))


def _path(text: str, where: str, problems: list[str]) -> str:
    """Return the absolute path on the boot medium that a Limine path or URI names."""
    if text.startswith("$"):
        problems.append(f"{where} is {text!r}: compressed files are not supported")
        return text
    match = _PATH.fullmatch(text) or _URI.fullmatch(text)
    if match is None or match[1].lower() != "boot" or match[2] not in {"", "1"}:
        problems.append(
            f"{where} is {text!r}, expected a path on the boot medium such as boot():/boot/file"
        )
        return text
    return "/" + _HASH.sub("", match[3]).lstrip("/")


# --- global options ------------------------------------------------------------------------------


def _timeout(text: str) -> float | None:
    if text.lower() == "no":
        return None
    if not re.fullmatch(r"\d+(\.\d*)?", text, re.ASCII):
        return 0.0
    return min(float(text[:32]), float(_LONGEST_TIMEOUT))


def _default(
    text: str, visible: list[_Node], entries: dict[int, BootEntry], name: str
) -> BootEntry:
    """Return the entry of a number, which counts the lines of the menu, or of a path."""
    if text.isascii() and text.isdigit() and len(text) < 9:
        number = int(text)
        if not 1 <= number <= len(visible):
            raise ConfigError(f"{name}: default_entry is {number}, expected 1 to {len(visible)}")
        return entries[id(_first_leaf(visible[number - 1]))]
    wanted = tuple(re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\)/", text))
    for entry in entries.values():
        if entry.location == wanted:
            return entry
    names = ", ".join("/".join(entry.location) for entry in entries.values())
    raise ConfigError(f"{name}: default_entry is {text!r}; there are {names}")


def _first_leaf(node: _Node) -> _Node:
    while node.children:
        node = node.children[0]
    return node
