"""What a shared library says of itself: its form and machine, what it exports, and what it needs of the system.

Reads ELF, PE and Mach-O of 64 bits, without a tool of the platform that they are for. Used by the build of the wheel, which
refuses a tag that a library contradicts, and by ``tools/natives.py``. Depends on nothing.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_PE_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}
_MACH_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}


class NativeFileError(Exception):
    """The file is no library that can be read here."""


@dataclass
class NativeFile:
    """What is known of a library."""

    #: ``elf``, ``pe`` or ``macho``.
    form: str
    #: ``x86_64`` or ``aarch64``.
    machine: str
    #: The name that programs record, if there is one.
    name: str = ""
    #: What is exported, sorted.
    exports: list[str] = field(default_factory=list)
    #: The libraries that are loaded with it, in their order.
    needed: list[str] = field(default_factory=list)
    #: Versions of symbols that it needs of each library.
    versions: dict[str, list[str]] = field(default_factory=dict)
    #: The lowest version of macOS that it is for.
    system: tuple[int, int] = (0, 0)
    #: The names of its sections.
    sections: set[str] = field(default_factory=set)

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The highest version of glibc that a symbol needs; ``None`` when it needs none."""
        found = [re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", one) for all_of in self.versions.values() for one in all_of]
        return max(((int(one[1]), int(one[2])) for one in found if one), default=None)

    @property
    def libc(self) -> str:
        """``glibc``, ``musl``, or nothing where it is for another system than Linux."""
        if self.form != "elf":
            return ""
        return "glibc" if "libc.so.6" in self.needed or self.glibc else "musl"


def read(path: Path) -> NativeFile:
    """:raises NativeFileError: when it is no library of a known form, or is damaged."""
    content = path.read_bytes()
    try:
        if content.startswith(b"\x7fELF\x02\x01"):
            return _elf(content)
        if content.startswith(b"MZ"):
            return _pe(content)
        if content.startswith(b"\xcf\xfa\xed\xfe"):
            return _macho(content)
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise NativeFileError(f"{path} is damaged, or for a machine that is not known here: {error!r}") from error
    raise NativeFileError(f"{path} is no library of 64 bits for Linux, Windows or macOS")


def _text(content: bytes, at: int) -> str:
    return content[at : content.index(b"\0", at)].decode()


def _padded(content: bytes, at: int, length: int) -> str:
    return content[at : at + length].rstrip(b"\0").decode()


def _elf(content: bytes) -> NativeFile:
    file = NativeFile("elf", _ELF_MACHINES[struct.unpack_from("<H", content, 18)[0]])
    start, size, count = struct.unpack_from("<Q", content, 40)[0], *struct.unpack_from("<HH", content, 58)
    # Name, kind, address, place, size, link, info: of each section.
    sections: list[tuple[int, ...]] = [
        struct.unpack_from("<II8xQQQII16x", content, start + size * number) for number in range(count)
    ]

    def strings(section: tuple[int, ...]) -> int:
        return sections[section[5]][3]

    (named,) = struct.unpack_from("<H", content, 62)
    for section in sections:
        kind, place, length = section[1], section[3], section[4]
        file.sections.add(_text(content, sections[named][3] + section[0]))
        if kind == 11:  # dynamic symbols
            for at in range(place, place + length, 24):
                name, info, _, index = struct.unpack_from("<IBBH", content, at)
                if index != 0 and info >> 4 in (1, 2):
                    file.exports.append(_text(content, strings(section) + name))
        elif kind == 6:  # dynamic section
            for at in range(place, place + length, 16):
                tag, value = struct.unpack_from("<QQ", content, at)
                if tag == 1:
                    file.needed.append(_text(content, strings(section) + value))
                elif tag == 14:
                    file.name = _text(content, strings(section) + value)
        elif kind == 0x6FFFFFFE:  # versions that are needed
            at = place
            for _ in range(section[6]):
                versions, library, first, following = struct.unpack_from("<2xHIII", content, at)
                found = file.versions.setdefault(_text(content, strings(section) + library), [])
                one = at + first
                for _ in range(versions):
                    name, after = struct.unpack_from("<8xII", content, one)
                    found.append(_text(content, strings(section) + name))
                    one += after
                at += following
    file.exports.sort()
    return file


def _pe(content: bytes) -> NativeFile:
    head = struct.unpack_from("<I", content, 0x3C)[0]
    machine, sections, optional = struct.unpack_from("<HH12xH", content, head + 4)
    file = NativeFile("pe", _PE_MACHINES[machine])
    first = head + 24 + optional
    # Of the sections: size in memory, address, size in the file, place there.
    table: list[tuple[int, ...]] = [
        struct.unpack_from("<8xIIII", content, first + 40 * number) for number in range(sections)
    ]
    for number in range(sections):
        file.sections.add(_padded(content, first + 40 * number, 8))

    def place(address: int) -> int:
        for size, start, raw, at in table:
            if start <= address < start + max(size, raw):
                return address - start + at
        raise ValueError(f"address {address:#x} is in no section")

    directories = head + 24 + 112
    exports, imports = struct.unpack_from("<I4xI", content, directories)
    if exports:
        name, count, names = struct.unpack_from("<12xI8xI4xI", content, place(exports))
        file.name = _text(content, place(name))
        for address in struct.unpack_from(f"<{count}I", content, place(names)):
            file.exports.append(_text(content, place(address)))
    at = place(imports) if imports else 0
    while at and (library := struct.unpack_from("<12xI", content, at)[0]):
        file.needed.append(_text(content, place(library)))
        at += 20
    file.exports.sort()
    return file


def _macho(content: bytes) -> NativeFile:
    machine, commands = struct.unpack_from("<4xI8xI", content)
    file = NativeFile("macho", _MACH_MACHINES[machine])
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", content, at)
        if command in (0xC, 0xD, 0x80000018):  # a library, the name of this one, a library that may be missing
            name = _text(content, at + struct.unpack_from("<I", content, at + 8)[0])
            if command == 0xD:
                file.name = name
            else:
                file.needed.append(name)
        elif command in (0x24, 0x32):  # the lowest version of the system, in its old and its new form
            version = struct.unpack_from("<I", content, at + (8 if command == 0x24 else 12))[0]
            file.system = (version >> 16, version >> 8 & 0xFF)
        elif command == 0x19:  # a part of it in memory
            (count,) = struct.unpack_from("<I", content, at + 64)
            file.sections |= {_padded(content, at + 72 + 80 * number, 16) for number in range(count)}
        elif command == 2:  # symbols
            symbols, count, strings = struct.unpack_from("<III", content, at + 8)
            for number in range(count):
                name, kind = struct.unpack_from("<IB", content, symbols + 16 * number)
                # External, neither undefined nor for debuggers, nor private to the library.
                if kind & 0xE0 == 0 and kind & 0x11 == 1 and kind & 0x0E:
                    file.exports.append(_text(content, strings + name).removeprefix("_"))
        at += size
    file.exports.sort()
    return file
