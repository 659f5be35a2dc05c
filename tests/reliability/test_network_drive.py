"""A workspace on a network drive is refused before anything is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from geolabel.errors import NotAllowed
from geolabel.store import mounts, open_store
from geolabel.store.mounts import network_file_system

# As Linux writes them: id, parent, device, root, mount point, options, optional fields, -, type, source, options.
MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /proc rw - proc proc rw
30 22 0:40 / /mnt/team rw,relatime shared:20 - nfs4 files:/team rw,vers=4.2,addr=10.0.0.7
31 30 8:1 / /mnt/team/scratch rw - xfs /dev/sda1 rw
32 22 0:41 /share /mnt/office\040files rw master:3 propagate_from:2 - cifs //nas/share rw,vers=3.1.1
33 22 0:42 / /home/ann/remote rw,nosuid - fuse.sshfs ann@host:/ rw,user_id=1000
34 22 8:17 / /media/stick rw - fuseblk /dev/sdb1 rw
35 22 0:43 / /data/bucket rw - fuse.rclone bucket: rw
36 22 0:44 / /data/pool rw - fuse.mergerfs a:b rw
37 22 0:45 / /mnt/host rw - 9p hostshare rw,trans=virtio,version=9p2000.L
38 22 0:46 / /mnt/plan9 rw - 9p server rw,trans=tcp,port=564
39 22 0:47 / /mnt/over rw - ext4 /dev/vdb rw
40 39 0:48 / /mnt/over rw - nfs server:/x rw
41 22 0:49 / /srv/ceph rw - ceph 10.0.0.1:6789:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/ws", None),
        ("/mnt/team/ws", "nfs4"),
        ("/mnt/team", "nfs4"),
        ("/mnt/teamwork/ws", None),
        ("/mnt/team/scratch/ws", None),
        ("/mnt/office files/ws", "cifs"),
        ("/home/ann/remote/a/b", "fuse.sshfs"),
        ("/media/stick/ws", None),
        ("/data/bucket/ws", "fuse.rclone"),
        ("/data/pool/ws", None),
        ("/mnt/host/ws", None),
        ("/mnt/plan9/ws", "9p"),
        ("/mnt/over/ws", "nfs"),
        ("/srv/ceph/ws", "ceph"),
        (r"\\server\share\ws", "smb"),
    ],
)
def test_where_a_path_lies(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("text", ["", "\n", "x", "a - b", "1 2 3 4 5 6 - ", "22 1 254:0 / / rw - "])
def test_lines_that_are_none_are_left_out(text: str) -> None:
    assert network_file_system(Path("/ws"), text) is None


def test_this_machine_can_be_read() -> None:
    assert network_file_system(Path("/proc"), Path("/proc/self/mountinfo").read_text(encoding="utf-8")) is None


@pytest.fixture
def on_a_network_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which the kernel says that it is on NFS."""
    escaped = str(tmp_path.resolve()).replace(" ", r"\040")
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:40 / {escaped} rw - nfs4 files:/team rw\n")
    monkeypatch.setattr(mounts, "_MOUNTINFO", mountinfo)
    return tmp_path


def test_it_is_refused_with_what_to_do(on_a_network_drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = on_a_network_drive / "ws"
    sentence = (
        r"is on a network drive \(nfs4\).*keep it on a local disk.*PostGIS.*GEOLABEL_NETWORK_DRIVE=true allows it"
    )
    for create in (True, False):
        with pytest.raises(NotAllowed, match=sentence):
            open_store(place, create=create)
    assert not place.exists(), "nothing was written there"
    monkeypatch.setenv("GEOLABEL_NETWORK_DRIVE", "true")
    with open_store(place, create=True) as store:
        assert store.projects() == []


def test_a_link_does_not_hide_it(on_a_network_drive: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("local") / "link"
    link.symlink_to(on_a_network_drive, target_is_directory=True)
    with pytest.raises(NotAllowed, match="is on a network drive"):
        open_store(link / "ws", create=True)


def test_the_workspace_can_allow_it_itself(on_a_network_drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOLABEL_NETWORK_DRIVE", raising=False)
    place = on_a_network_drive / "ws"
    place.mkdir()
    (place / "geolabel.toml").write_text("network_drive = true\n")
    open_store(place, create=True).close()
