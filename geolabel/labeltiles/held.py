"""The labels of a project in memory, in one CRS of tiles, and the numbers of the words that they carry."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geolabel.batches import LabelsState
    from geolabel.labeltiles.layer import Layer


class Words:
    """Numbers of names, in the order in which they were first met.

    Args:
        known: names that have numbers already, in their order.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known: dict[str, int] = {word: number for number, word in enumerate(known)}

    @property
    def names(self) -> list[str]:
        """The words by their numbers."""
        return list(self.known)

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """The number of each word, int32 (n,); a new word gets the next one."""
        known = self.known
        return np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int32)


@dataclass(slots=True)
class Held:
    """The labels of a project in one CRS of tiles.

    Attributes:
        state: of the labels in `layer`.
        layer: done when they are in memory; whether these are all, or the largest that there was room for.
        classes: names by number.
        statuses: names by number.
        lock: for changing it.
    """

    state: LabelsState
    layer: Future[tuple[Layer, bool]] = field(default_factory=Future)
    classes: Words = field(default_factory=Words)
    statuses: Words = field(default_factory=Words)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.layer.result()[0].nbytes if self.layer.done() and not self.layer.exception() else 0
