"""The few bytes around what the compiled loops write: fields of the tile format that appear once in a layer."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int) -> bytes:
    """A field that is a whole number."""
    return varint(number << 3) + varint(value)


def text(number: int, value: bytes) -> bytes:
    """A field that is text, or a message in itself."""
    return varint(number << 3 | 2) + varint(len(value)) + value
