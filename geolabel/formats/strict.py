"""Texts that strangers wrote, read strictly: JSON without NaN, XML without entities, lines of numbers. Errors name file and place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import orjson
from defusedxml import ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from geolabel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES = 4_000_000_000
_MOST_XML = 500_000_000


def read_bytes(file: Path, most: int = _MOST_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        InvalidInput: it is not there, cannot be read, is empty or too large.
    """
    try:
        size = file.stat().st_size
        if size > most:
            raise InvalidInput(f"{file.name} has {size:,} bytes; expected at most {most:,}. Split it.")
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file.name:.80} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not content.strip():
        raise InvalidInput(f"{file.name} is empty.")
    return content


def read_json(file: Path) -> Any:
    """The value in a JSON file: strict, so neither NaN nor Infinity.

    Raises:
        InvalidInput: not JSON; the message says in which line.
    """
    content = read_bytes(file)
    try:
        return orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"{file.name} is not JSON at line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise InvalidInput(f"{file.name} is not JSON that anybody can read: it is nested too deep.") from error


def read_xml(file: Path) -> ET.Element:
    """The root of an XML file; a document type or an entity is refused, so nothing outside the file is ever read.

    Raises:
        InvalidInput: not XML; the message says in which line.
    """
    content = read_bytes(file, _MOST_XML)
    try:
        root = SafeTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise InvalidInput(
            f"{file.name} is refused: it declares a document type or entities ({type(error).__name__}), which labels do not need."
        ) from error
    except ET.ParseError as error:
        line, column = error.position
        raise InvalidInput(f"{file.name} is not XML at line {line}, column {column + 1}: {error.msg}.") from error
    except (ValueError, LookupError) as error:
        raise InvalidInput(f"{file.name} is not XML: its encoding cannot be read ({error}).") from error
    assert isinstance(root, ET.Element)
    return root


def read_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a text file that hold something: their number from 1, and their words.

    Raises:
        InvalidInput: not UTF-8.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not text in UTF-8: byte {error.start} is no part of it.") from error
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if words:
            yield number, words


def number(text: str | None) -> float | None:
    """A finite number as people write it; None when it is none."""
    try:
        value = float(text) if text is not None and "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
