"""What strangers send: archives, JSON, XML, RLE and tables that were made to do harm (hardening rows 26 to 35)."""

from __future__ import annotations

import io
import json
import os
import random
import re
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geolabel.errors import GeolabelError, InvalidInput
from geolabel.formats import rle
from geolabel.formats.archive import Limits, is_archive, unpacked
from geolabel.formats.cells import csv_lines, safe, unsafe
from geolabel.formats.coco_reader import read_coco
from geolabel.formats.cvat_reader import read_cvat
from geolabel.formats.labelme_reader import read_labelme
from geolabel.formats.pictures import Guide
from geolabel.formats.places import Places
from geolabel.formats.strict import read_json, read_xml
from geolabel.formats.voc_reader import read_voc

if TYPE_CHECKING:
    from collections.abc import Callable

REPO = Path(__file__).resolve().parents[2]
NAMES = (
    "../evil", "../../evil", "a/../../evil", "/evil", "//evil", "/etc/cron.d/evil", "..", ".", "a/..", "C:evil", "C:/evil",
    "C:\\evil", "..\\evil", "a\\..\\..\\evil", "\\\\host\\share\\evil", "a\0b", "evil\n", "con", "aux.txt", "a/NUL.json",
    "com1", "\u202eevil", "a/" * 40 + "evil", "x" * 300, "./../evil", "a/./../../evil", "~/../../evil:stream",
)  # fmt: skip


def zipped(path: Path, members: list[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            info = zipfile.ZipInfo("x") if isinstance(member, str) else member
            if isinstance(member, str):
                info.filename = member
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def tarred(path: Path, change: Callable[[tarfile.TarInfo], object], name: str = "evil") -> Path:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        change(info)
        archive.addfile(info, io.BytesIO(b"evil") if info.isreg() else None)
    return path


def refused(path: Path, tmp_path: Path, limits: Limits | None = None) -> str:
    """The sentence; nothing was written beside the archive, in or above the folder."""
    before = sorted(p for p in tmp_path.rglob("*"))
    with pytest.raises(InvalidInput) as raised, unpacked(path, limits or Limits()):
        pass
    assert sorted(p for p in tmp_path.rglob("*")) == before
    assert not Path("/evil").exists()
    assert path.name in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", NAMES)
def test_no_member_leaves_the_folder(name: str, tmp_path: Path) -> None:
    assert "member" in refused(zipped(tmp_path / "a.zip", [(name, b"evil")]), tmp_path)
    if "\0" not in name:  # tar ends a name there
        assert "member" in refused(tarred(tmp_path / "a.tar", bool, name), tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_no_link_and_no_device_comes_out_of_a_zip(kind: int, tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    assert "is a link or a device" in refused(zipped(tmp_path / "a.zip", [(info, b"/etc/passwd")]), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE])
def test_no_link_and_no_device_comes_out_of_a_tar(kind: bytes, tmp_path: Path) -> None:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    assert "is a link or a device" in refused(tarred(tmp_path / "a.tar", change), tmp_path)


@pytest.mark.parametrize("other", ["A.JSON", "a.json", "\uff41.json"])
def test_two_names_that_are_one_on_some_systems(other: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_a, **_k: None)
        path = zipped(tmp_path / "a.zip", [("a.json", b"1"), (other, b"2")])
    assert "has the name of another one" in refused(path, tmp_path)


def test_a_file_that_is_a_folder_too(tmp_path: Path) -> None:
    assert "a file and a folder" in refused(zipped(tmp_path / "a.zip", [("a", b"1"), ("a/b", b"2")]), tmp_path)


def test_bombs_stop_at_the_limit(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "bomb.zip", [(f"{n}.json", bytes(20_000_000)) for n in range(4)])
    assert bomb.stat().st_size < 100_000
    assert "unpacks to more than 200 times its size" in refused(bomb, tmp_path)
    assert "more than 1,000,000 bytes" in refused(bomb, tmp_path, Limits(total=1_000_000))
    many = zipped(tmp_path / "many.zip", [(f"{n}.json", b"") for n in range(30)])
    assert "more than 20 members" in refused(many, tmp_path, Limits(members=20))
    with tarfile.open(tmp_path / "bomb.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("zeros")
        info.size = 80_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    assert "as only a bomb does" in refused(tmp_path / "bomb.tgz", tmp_path)


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("a.json", bytes(3_000_000))])
    content = path.read_bytes()
    real, told = (3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(content.replace(real, told))
    refused(path, tmp_path, Limits(total=1_000_000))


def test_broken_and_encrypted_archives(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("a.json", b"hello" * 100)])
    good = path.read_bytes()
    path.write_bytes(good[:40] + b"\xff\xff\xff" + good[43:])
    assert "cannot be unpacked" in refused(path, tmp_path)
    broken = bytearray(good)
    for at in (m.start() for m in re.finditer(b"PK\x01\x02", good)):
        broken[at + 8] |= 1
    path.write_bytes(bytes(broken))
    assert "is encrypted" in refused(path, tmp_path)
    assert not is_archive(REPO / "README.md")


def test_a_good_archive_is_there_and_goes_again(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [("labels/a.txt", b"0 0.5 0.5 1 1"), ("manifest.json", b"{}")])
    with unpacked(path) as folder:
        assert (folder / "labels/a.txt").read_bytes() == b"0 0.5 0.5 1 1"
    assert not folder.exists()


# COCO that is not

GOOD = {
    "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
    "categories": [{"id": 1, "name": "x"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [[1, 1, 5, 1, 5, 5]]},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": [5, 10, 185]}},
        {"id": 4, "image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": "5:i5"}},
        {"id": 5, "image_id": 1, "category_id": 1, "keypoints": [1, 1, 2, 3, 3, 0], "num_keypoints": 1},
    ],
}
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 2**70, "", "x", "\u0000", [], {}, [[]], [None], {"a": 1}, [1, 2, 3], [[1, 2, 3, 4, 5]],
    "9" * 400, -0.5, ["1", "2", "3", "4"], [1e300] * 6, {"size": [10**9, 10**9], "counts": [1]}, {"size": "x"},
)  # fmt: skip


def guide() -> Guide:
    return Guide(Places("The project", (), ((1, "x"),)))


def mutated(seed: int) -> Any:
    """A good file with one or two places changed, taken away or doubled."""
    chance = random.Random(seed)
    value = json.loads(json.dumps(GOOD))
    for _ in range(chance.choice((1, 1, 2))):
        node, key = value, chance.choice(list(value))
        while isinstance(node[key], list | dict) and node[key] and chance.random() < 0.75:
            node = node[key]
            key = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
        match chance.randrange(4):
            case 0:
                del node[key]
            case 1 if isinstance(node, list):
                node.append(node[key])
            case _:
                node[key] = chance.choice(STRANGE)
    return value if chance.random() < 0.8 else value.get("annotations")


def check_mutation(seed: int, tmp_path: Path) -> bool:
    """Whether the file was read; every refusal names file and place."""
    file = tmp_path / "m.json"
    file.write_text(json.dumps(mutated(seed)))
    told = guide()
    try:
        pictures = list(read_coco(file, told))
    except GeolabelError as error:
        said = str(error)
    else:
        assert all(p.startswith("m.json/") for picture in pictures for p in picture.pointers)
        assert all(p.pointer.startswith("m.json/") and p.message for p in told.refused)
        return not told.refused
    assert re.search(r"m\.json/\w+|m\.json.*(\(at /|/\d+ is)", said), said
    return False


def test_mutated_coco_is_read_or_refused_with_its_place(tmp_path: Path) -> None:
    outcomes = [check_mutation(seed, tmp_path) for seed in range(250)]
    assert 10 < sum(outcomes) < 240


@pytest.mark.soak
def test_two_thousand_mutations_of_coco(tmp_path: Path) -> None:
    for seed in range(250, 2250):
        check_mutation(seed, tmp_path)


def test_a_flat_segmentation_is_said_to_be_one(tmp_path: Path) -> None:
    value = json.loads(json.dumps(GOOD))
    value["annotations"][0]["segmentation"] = [1, 1, 5, 1, 5, 5]
    (tmp_path / "a.json").write_text(json.dumps(value))
    told = guide()
    list(read_coco(tmp_path / "a.json", told))
    assert told.refused[0].pointer == "a.json/annotations/0/segmentation/0"
    assert "a flat list must be in a list of its own" in told.refused[0].message


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', "[Infinity]", "[1e999]", '["\\ud800"]', "[1,]", "\xff", '{"a"', "[" * 5000]
)
def test_json_is_strict(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"a\.json is not JSON"):
        read_json(tmp_path / "a.json")


# RLE


def random_counts(chance: random.Random) -> tuple[Any, int]:
    height, width = chance.randint(1, 40), chance.randint(1, 40)
    match chance.randrange(5):
        case 0:
            return "".join(chr(chance.randint(1, 300)) for _ in range(chance.randrange(60))), height * width
        case 1:
            return "".join(chr(chance.randint(48, 111)) for _ in range(chance.randrange(60))), height * width
        case 2:
            return [
                chance.choice((0, 1, 5, -3, 2**40, 2**62, height * width)) for _ in range(chance.randrange(9))
            ], height * width
        case 3:
            mask = np.random.default_rng(chance.randrange(2**32)).integers(0, 2, (height, width), dtype=np.uint8)
            text = list(rle.to_json(mask)["counts"])
            text[chance.randrange(len(text))] = chr(chance.randint(48, 111))
            return "".join(text), height * width
        case _:
            mask = np.random.default_rng(chance.randrange(2**32)).integers(0, 2, (height, width), dtype=np.uint8)
            return rle.to_json(mask)["counts"], height * width


def fuzz_rle(seeds: range) -> int:
    """How many could be decoded; whatever can be has the pixels that it should."""
    good = 0
    for seed in seeds:
        counts, pixels = random_counts(random.Random(seed))
        try:
            runs = rle.counts_of(counts, pixels)
        except InvalidInput:
            continue
        assert rle.decode(runs, pixels, 1).size == pixels
        good += 1
    return good


def test_fuzzed_rle_is_checked_before_it_is_decoded() -> None:
    assert 100 < fuzz_rle(range(1000)) < 900


@pytest.mark.soak
def test_twenty_thousand_fuzzed_rles_in_a_process_of_their_own() -> None:
    code = (
        f"import importlib.util as u, sys; s = u.spec_from_file_location('t', {__file__!r}); m = u.module_from_spec(s); "
        "sys.modules['t'] = m; s.loader.exec_module(m); print(m.fuzz_rle(range(20000)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 2000


def test_runs_whose_sum_comes_round_are_refused() -> None:
    with pytest.raises(InvalidInput, match="pixels"):
        rle.counts_of([2**62, 2**62, 2**62, 2**62, 16], 16)


# XML

HEAD = '<?xml version="1.0"?>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
PAYLOADS = [
    f'{HEAD}<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><{{root}}>&x;</{{root}}>',
    f'{HEAD}<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:1/x">]><{{root}}>&x;</{{root}}>',
    f'{HEAD}<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><{{root}}>&l9;</{{root}}>',
    f'{HEAD}<!DOCTYPE a [<!ENTITY x "{"A" * 5000}">]><{{root}}>{"&x;" * 5000}</{{root}}>',
    f'{HEAD}<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><{{root}}/>',
    f'{HEAD}<!DOCTYPE a PUBLIC "x" "file:///etc/passwd"><{{root}}/>',
    f'{HEAD}<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><{{root}}/>',
]


@pytest.mark.parametrize(
    ("read", "root"), [(read_voc, "annotation"), (read_cvat, "annotations"), (read_labelme, "annotation")]
)
@pytest.mark.parametrize("payload", range(len(PAYLOADS)))
def test_no_entity_is_read(read: Any, root: str, payload: int, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(PAYLOADS[payload].format(root=root))
    with pytest.raises(InvalidInput, match=r"a\.xml is refused: it declares a document type") as raised:
        list(read(tmp_path / "a.xml", guide()))
    assert "root:" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a><b></a>", "line 1, column"),
        ("", "is empty"),
        ("<a>\x01</a>", "line 1"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "a.xml is not XML"),
    ],
)
def test_broken_xml_is_refused_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InvalidInput, match=words):
        read_xml(tmp_path / "a.xml")


# Tables


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "=cmd|' /C calc'!A0", "-2+3+cmd|'x'!A1"],
)
def test_no_cell_is_a_formula(text: str) -> None:
    line = csv_lines([[text, -1, 2.5]]).decode()
    assert line.lstrip('"').startswith("'")
    assert line.rstrip().endswith(",-1,2.5")
    assert unsafe(str(safe(text))) == text


def test_nothing_is_ever_unpickled() -> None:
    """Row 35: no pickle, no torch.load, no yaml.load, no eval of what a file says."""
    forbidden = re.compile(
        r"\b(c?pickle|dill|joblib|shelve|marshal)\b|torch\.load|yaml\.(unsafe_|full_)?load\(|allow_pickle=True|\beval\(|\bexec\("
    )
    found = [
        f"{file.relative_to(REPO)}:{number}: {line.strip()}"
        for folder in ("geolabel", "tiles")
        for file in (REPO / folder).rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if "node_modules" not in file.parts and forbidden.search(line.partition("#")[0])
    ]
    assert found == []
