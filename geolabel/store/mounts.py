"""Whether a folder lies on another machine's disk.

SQLite's log is shared memory between the processes that have the file open, and its locks are only as good as the file
system's: over a network both fail silently and the file is damaged (sqlite.org/wal.html, sqlite.org/useovernet.html).
"""

from __future__ import annotations

import re
from pathlib import Path

from geolabel.errors import NotAllowed

# fmt: off
_NETWORK = frozenset((
    "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf",
))
# Over the kernel's FUSE anything may be behind a mount; these are on this machine.
_LOCAL_FUSE = frozenset((
    "bindfs", "encfs", "exfat", "ext2", "fuse-ext2", "fuse-overlayfs", "fuse-zip", "fuse2fs", "gocryptfs", "lxcfs", "mergerfs",
    "ntfs", "ntfs-3g", "securefs", "snapfuse", "squashfuse", "zfs-fuse",
))
# fmt: on
_MOUNTINFO = Path("/proc/self/mountinfo")


def network_file_system(path: Path, mountinfo: str) -> str | None:
    """Type of the network file system that a path lies on, such as `nfs4`; None on a local disk.

    Args:
        path: absolute, with links followed; need not exist.
        mountinfo: lines of Linux' `/proc/self/mountinfo` (proc(5)).
    """
    if str(path).startswith("\\\\"):
        return "smb"  # \\server\share, on Windows
    found, depth = None, -1
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, kind = head.split(" "), tail.split(" ")
        if len(fields) < 6 or len(kind) < 3:
            continue
        place = Path(_unescaped(fields[4]))
        # The mount nearest to the path holds it, and of two at one place the later one.
        if path.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = (kind[0], kind[2]), len(place.parts)
    return _network(*found) if found else None


def _network(kind: str, options: str) -> str | None:
    family, _, below = kind.partition(".")
    if family in {"fuse", "fuseblk"}:
        return None if family == "fuseblk" or below in _LOCAL_FUSE else kind
    if kind == "9p":  # also how containers and virtual machines see the disk of their own host
        return kind if "trans=tcp" in options.split(",") else None
    return kind if kind in _NETWORK else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def refuse_network(folder: Path) -> None:
    """Refuse to keep a database in a folder on a network drive.

    Args:
        folder: of the workspace; need not exist.

    Raises:
        NotAllowed: it is on one, and GEOLABEL_NETWORK_DRIVE does not allow that; the sentence says what to do.
    """
    try:
        real = folder.resolve()
    except (OSError, ValueError, RuntimeError):
        return  # no place at all: making it says why
    try:
        mountinfo = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        mountinfo = ""  # not Linux, or no /proc
    kind = network_file_system(real, mountinfo)
    if kind is None or _allowed(folder):
        return
    raise NotAllowed(
        f"The workspace {folder} is on a network drive ({kind}), where SQLite's locks cannot be trusted and labels would be lost: "
        "keep it on a local disk and let others work through `geolabel serve`, or use a PostGIS workspace. "
        "If only one machine ever opens it, GEOLABEL_NETWORK_DRIVE=true allows it."
    )


def _allowed(folder: Path) -> bool:
    from geolabel.settings import load_settings  # noqa: PLC0415 (takes long to load and is needed only here)

    return load_settings(workspace=folder).network_drive
