"""COCO's run-length encoding of masks, compressed and not, in numpy.

The mask is read column by column; the counts are lengths of runs of 0, 1, 0, 1..., beginning with 0. The compressed
form is a string of 6-bit characters from '0' on: five bits of a number, lowest first, and one that says that more
follow; from the fourth count on the number is the difference to the count two before. Source: rleToString in
cocoapi's common/maskApi.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 13  # 5 bits each: more than 64 bits


def encode(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts of a mask.

    Args:
        mask: (height, width), 0 where it is not.
    """
    flat = (np.asarray(mask) != 0).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate(([0], edges, [len(flat)]))
    counts = np.diff(starts)
    return np.concatenate(([0], counts)) if len(flat) and flat[0] else counts


def decode(counts: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """The mask of the counts, (height, width), 0 and 1.

    Raises:
        InvalidInput: the runs do not add up to the mask.
    """
    if (counts < 0).any() or int(counts.sum()) != height * width:
        raise InvalidInput(f"The runs of an RLE add up to {int(counts.sum())} pixels; expected {width} x {height}.")
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    return np.repeat(values, counts).reshape((height, width), order="F")


def compress(counts: NDArray[np.int64]) -> str:
    """Counts as COCO's string."""
    rest = counts.astype(np.int64, copy=True)
    rest[3:] -= counts[1:-2]
    characters = np.zeros((len(rest), _ROUNDS), dtype=np.uint8)
    present = np.zeros((len(rest), _ROUNDS), dtype=bool)
    going = np.ones(len(rest), dtype=bool)
    for turn in range(_ROUNDS):
        bits = rest & 0x1F
        rest = rest >> 5
        present[:, turn] = going
        more = going & np.where(bits & 0x10, rest != -1, rest != 0)
        characters[:, turn] = bits + np.where(more, 0x20, 0) + 48
        going = more
        if not going.any():
            break
    return characters[present].tobytes().decode("ascii")


def decompress(text: str) -> NDArray[np.int64]:
    """COCO's string as counts.

    Raises:
        InvalidInput: a character that no encoder writes, or a number that does not end.
    """
    codes = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8).astype(np.int64) - 48
    if ((codes < 0) | (codes > 63)).any():
        raise InvalidInput("The counts of an RLE have a character that is none of COCO's 64.")
    more = (codes & 0x20) != 0
    if len(codes) and more[-1]:
        raise InvalidInput("The counts of an RLE end in the middle of a number.")
    ends = np.flatnonzero(~more)
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    numbers = np.repeat(np.arange(len(ends)), ends - starts + 1)
    turn = np.arange(len(codes)) - starts[numbers] if len(codes) else codes
    if len(turn) and int(turn.max()) >= _ROUNDS - 1:
        raise InvalidInput("The counts of an RLE have a number of more than 60 bits.")
    values = np.zeros(len(ends), dtype=np.int64)
    np.add.at(values, numbers, (codes & 0x1F) << (5 * turn))
    negative = (codes[ends] & 0x10) != 0 if len(ends) else np.zeros(0, dtype=bool)
    values -= np.where(negative, np.int64(1) << (5 * (ends - starts + 1)), 0)
    for odd in (1, 2):  # counts 1, 3, 5... and 2, 4, 6... are running sums; count 0 stands alone
        values[odd::2] = np.cumsum(values[odd::2])
    return values


def counts_of(value: Any, pixels: int) -> NDArray[np.int64]:
    """The counts of an RLE as a file has them, checked before anything is decoded.

    Args:
        value: COCO's string, or a list of whole numbers.
        pixels: of the mask, which the runs must add up to.

    Raises:
        InvalidInput: neither of the two, or runs that cannot be.
    """
    if isinstance(value, str):
        if len(value) > _ROUNDS * (pixels + 1):
            raise InvalidInput(f"The counts of an RLE have {len(value)} characters for {pixels} pixels.")
        counts = decompress(value)
    elif isinstance(value, list) and all(type(v) is int and 0 <= v <= pixels for v in value):
        counts = np.array(value, dtype=np.int64)
    else:
        raise InvalidInput(
            "The counts of an RLE are a string, or a list of whole numbers from 0 to the pixels of the mask."
        )
    # Each by itself first: a sum of huge ones may come round to what is expected.
    if len(counts) and (int(counts.min()) < 0 or int(counts.max()) > pixels):
        raise InvalidInput(
            f"A run of an RLE is {int(counts.min())} to {int(counts.max())} pixels long; expected 0 to {pixels}."
        )
    if int(counts.sum()) != pixels:
        raise InvalidInput(f"The runs of an RLE add up to {int(counts.sum())} pixels; expected {pixels}.")
    return counts


def to_json(mask: NDArray[np.uint8]) -> dict[str, Any]:
    """What COCO's `segmentation` holds for a mask: `{"size": [height, width], "counts": str}`."""
    return {"size": [mask.shape[0], mask.shape[1]], "counts": compress(encode(mask))}
