"""Groups of chips dealt out to splits: the shares asked for, and in each split the same mixture of classes. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOVES = 6_000
"""Moves that are looked at to even out the classes, for every split: about a second's worth."""

_SHARES = 10.0
"""How much a point of the shares weighs against one of the classes: people ask for the shares."""

_ALL_PAIRS = 48
"""With at most so many groups every exchange of two is looked at, too."""


def lot(seed: int, name: str) -> bytes:
    """A number by lot for a name: the same on every machine and in every version of every library."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def draw(names: Sequence[str], count: int, seed: int) -> set[str]:
    """`count` of the names, by lot."""
    return set(sorted(names, key=lambda name: lot(seed, name))[:count])


def deal(
    names: Sequence[str], weights: NDArray[np.float64], shares: NDArray[np.float64], *, seed: int, stratify: bool
) -> NDArray[np.int64]:
    """Deal groups out to splits.

    In an order drawn by lot, each goes to the split that lacks the most chips; a split that was asked for gets a group
    as long as there are groups enough. Then, to even out the classes, groups are moved and exchanged while that
    brings the splits nearer to the shares and to one mixture.

    Args:
        names: of the groups, which decide the order.
        weights: (groups, 1 + classes): chips, and annotations by class.
        shares: (splits,) fractions that sum to 1.
        seed: of the lot.
        stratify: even out the classes.

    Returns:
        int64 (groups,) number of the split.
    """
    order = sorted(range(len(names)), key=lambda i: lot(seed, names[i]))
    wanted = shares * weights[:, 0].sum()
    empty = set(range(len(shares)))
    split = np.zeros(len(names), dtype=np.int64)
    for dealt, group in enumerate(order):
        open_to = sorted(empty) if len(order) - dealt <= len(empty) else range(len(shares))
        best = max(open_to, key=lambda s: wanted[s])
        split[group] = best
        wanted[best] -= weights[group, 0]
        empty.discard(best)
    if stratify and len(shares) > 1 and len(names) > len(shares) and weights.shape[1] > 2 and weights[:, 1:].any():
        _even_out(order, split, weights, shares)
    return split


def _even_out(
    order: Sequence[int], split: NDArray[np.int64], weights: NDArray[np.float64], shares: NDArray[np.float64]
) -> None:
    """Move and exchange groups in place while the splits come nearer to what they should be."""
    sums = np.zeros((len(shares), weights.shape[1]))
    np.add.at(sums, split, weights)
    count = np.bincount(split, minlength=len(shares))
    cost = _cost(sums, weights, shares)
    for _ in range(max(_MOVES // len(order), 1)):
        before = cost
        for group in order:
            home = split[group]
            if count[home] == 1:
                continue
            for other in range(len(shares)):
                if other == split[group]:
                    continue
                moved = sums.copy()
                moved[split[group]] -= weights[group]
                moved[other] += weights[group]
                now = _cost(moved, weights, shares)
                if now < cost - 1e-12:
                    count[split[group]] -= 1
                    count[other] += 1
                    split[group], sums, cost = other, moved, now
        if len(order) <= _ALL_PAIRS:
            cost, sums = _exchange(order, split, sums, cost, (weights, shares))
        if cost >= before - 1e-9:
            break


def _exchange(
    order: Sequence[int],
    split: NDArray[np.int64],
    sums: NDArray[np.float64],
    cost: float,
    given: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[float, NDArray[np.float64]]:
    weights, shares = given
    for index, one in enumerate(order):
        for other in order[index + 1 :]:
            if split[one] == split[other]:
                continue
            moved = sums.copy()
            moved[split[one]] += weights[other] - weights[one]
            moved[split[other]] += weights[one] - weights[other]
            now = _cost(moved, weights, shares)
            if now < cost - 1e-12:
                split[one], split[other] = split[other], split[one]
                sums, cost = moved, now
    return cost, sums


def _cost(sums: NDArray[np.float64], weights: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """How far splits are from their shares of chips and from the mixture of all: squares of differences."""
    chips = sums[:, 0] / max(float(weights[:, 0].sum()), 1.0)
    classes = weights[:, 1:].sum(axis=0)
    mixture = sums[:, 1:] / np.maximum(sums[:, 1:].sum(axis=1, keepdims=True), 1e-9)
    apart = mixture - classes / max(float(classes.sum()), 1e-9)
    return float(_SHARES * ((chips - shares) ** 2).sum() + (apart**2).sum())
