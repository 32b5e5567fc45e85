"""Opening a file below a folder and nowhere else: the file that is checked is the file that is opened.

Linux does it in one step (openat2, since 5.6). Elsewhere, and where a container's rules refuse that call, the
path is walked, each folder opened within the one before and no link followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

#: The same number on all of Linux's architectures but one that is gone (linux/uapi/asm-generic/unistd.h).
_OPENAT2: Final = 437
#: From linux/openat2.h: no way out; no /proc/N/fd and the like; no links at all.
_BENEATH, _NO_MAGIC_LINKS, _NO_LINKS = 0x08, 0x02, 0x04
#: Linux calls off what a renaming nearby has made doubtful.
_TRIES: Final = 8
_O_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER: Final = _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: should it become a pipe this moment, it must not hang us. To a file it means nothing.
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
#: File systems in which "files" are the kernel's own words and switches (linux/magic.h): proc, sysfs, cgroup
#: (two), debugfs, tracefs, securityfs, selinuxfs, efivarfs, bpf, pstore, configfs, fusectl, devpts, mqueue.
_KERNELS: Final = frozenset(
    (
        *(0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xF97CFF8C),
        *(0xDE5E81E4, 0xCAFE4A11, 0x6165676C, 0x62656570, 0x65735543, 0x1CD1, 0x19800202),
    )
)
#: More than any system's `struct statfs` has.
_STATFS_BYTES: Final = 512


class LeadsOut(OSError):
    """A link, or a `..`, leads out of the folder; or there is a link where none was to be followed."""


class NotRegular(OSError):
    """What is there is no file; the text says what it is."""


class NotReadable(PermissionError):
    """The file is there, and Greenroom's user may not read it."""


class OfTheKernel(OSError):
    """A "file" of /proc, /sys and the like."""


class _How(ctypes.Structure):
    """What openat2 is told."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW_WITH_LINKS: Final = _How(_O_PATH | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGIC_LINKS)
_HOW_WITHOUT: Final = _How(_O_PATH | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGIC_LINKS | _NO_LINKS)


def open_beneath(folder: str, relative: str, *, links: bool) -> tuple[int, os.stat_result]:
    """A handle to read a regular file below a folder, and what the system says of that file.

    Args:
        folder: absolute, the operator's own word: links on the way to it are followed.
        relative: the file's path below it.
        links: whether links are followed that stay below the folder; where the system cannot see to that by
            itself, none is.

    Raises:
        LeadsOut: the path leads out, or over a link.
        NotRegular: there is a folder, a pipe, a socket or a device.
        NotReadable: it may not be read.
        OfTheKernel: it lies in /proc, /sys or the like.
        OSError: it is not there, or cannot be opened just now.
    """
    within = os.open(folder, _FOLDER)
    try:
        return _at_once(within, relative, links=links) if has_openat2() else _step_by_step(within, relative)
    finally:
        os.close(within)


@cache
def has_openat2() -> bool:
    """Whether this system opens below a folder by itself; some containers' rules refuse it as unknown."""
    try:
        within = os.open("/", _FOLDER)
        try:
            os.close(_openat2(within, ".", _HOW_WITH_LINKS))
        finally:
            os.close(within)
        return Path("/proc/self/fd").is_dir()
    except (OSError, AttributeError):
        return False


def _at_once(within: int, relative: str, *, links: bool) -> tuple[int, os.stat_result]:
    place = _openat2(within, relative, _HOW_WITH_LINKS if links else _HOW_WITHOUT)
    try:
        found = os.fstat(place)
        _require_regular(found)
        _require_no_kernel(place, found)
        # The place is held and known to be a file; only now is it opened.
        try:
            return os.open(f"/proc/self/fd/{place}", _FILE), found
        except PermissionError as error:
            raise NotReadable(error.errno, error.strerror) from None
    finally:
        os.close(place)


def _openat2(within: int, relative: str, how: _How) -> int:
    path = os.fsencode(relative)
    for _ in range(_TRIES):
        handle: int = _libc().syscall(_OPENAT2, within, path, ctypes.byref(how), ctypes.sizeof(how))
        if handle >= 0:
            return handle
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    if number in (errno.EXDEV, errno.ELOOP, errno.EAGAIN):
        raise LeadsOut(number, os.strerror(number))
    raise OSError(number, os.strerror(number))


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.syscall.argtypes = [
        *(ctypes.c_long, ctypes.c_long, ctypes.c_char_p),
        *(ctypes.POINTER(_How), ctypes.c_size_t),
    ]
    return libc


def _step_by_step(within: int, relative: str) -> tuple[int, os.stat_result]:
    *folders, name = [part for part in relative.split("/") if part not in ("", ".")] or ["."]
    with _walked(within, folders) as place:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)
        _require_no_link(found)
        _require_regular(found)
        try:
            handle = os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=place)
        except PermissionError as error:
            raise NotReadable(error.errno, error.strerror) from None
    try:
        _require_same(found, os.fstat(handle))
        _require_no_kernel(handle, found)
    except BaseException:
        os.close(handle)
        raise
    return handle, found


@contextmanager
def _walked(within: int, folders: list[str]) -> Iterator[int]:
    place = os.dup(within)
    try:
        for name in folders:
            place = _step(place, name)
        yield place
    finally:
        os.close(place)


def _step(place: int, name: str) -> int:
    """The handle of a folder within another, which is closed."""
    if name == "..":
        raise LeadsOut(errno.EXDEV, "a path that goes back")
    # Asked for first: what is said where a link is in the way differs from system to system.
    _require_no_link(os.stat(name, dir_fd=place, follow_symlinks=False))
    following = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=place)
    os.close(place)
    return following


def _require_no_link(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise LeadsOut(errno.ELOOP, os.strerror(errno.ELOOP))


def _require_same(found: os.stat_result, opened: os.stat_result) -> None:
    if not os.path.samestat(found, opened):
        raise LeadsOut(errno.ELOOP, "it has changed this moment")


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular(errno.EINVAL, _kind(found.st_mode))


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _require_no_kernel(handle: int, found: os.stat_result) -> None:
    """Refuse /proc and its like by their file system: they may be mounted anywhere."""
    # Their files lie on no disk. Of a file that does, nothing is asked: NFS would ask its server.
    if found.st_blocks == 0 and hasattr(os, "O_PATH"):  # Linux, whose numbers these are
        answer = ctypes.create_string_buffer(_STATFS_BYTES)
        if _libc().fstatfs(handle, answer) == 0 and ctypes.c_long.from_buffer(answer).value in _KERNELS:
            raise OfTheKernel(errno.EACCES, "a file of the kernel's")
