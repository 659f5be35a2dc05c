"""Groups of chips dealt out to splits: the shares asked for, and in each split the same mixture of classes. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LOOKS = 2_000_000
"""Exchanges of two groups that are looked at to even out the classes: about a second's worth."""

_SHARES = 10.0
"""How much a point of the shares weighs against one of the classes: people ask for the shares."""


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
    total = weights.sum(axis=0)
    cost = float(_cost(sums, total, shares))
    every, splits = np.arange(len(split)), np.arange(len(shares))
    for _ in range(max(_LOOKS // len(order) ** 2, 1)):
        before = cost
        for one in order:
            home = split[one]
            # Alone to another split, unless it is the last one at home; or in exchange for a group of another split.
            lone = splits[splits != home] if (split == home).sum() > 1 else splits[:0]
            others = every[split != home]
            target = np.concatenate((lone, split[others]))
            given = np.vstack((np.zeros((len(lone), weights.shape[1])), weights[others])) - weights[one]
            moved = np.repeat(sums[np.newaxis], len(target), axis=0)
            moved[:, home] += given
            moved[np.arange(len(target)), target] -= given
            costs = _cost(moved, total, shares)
            best = int(np.argmin(costs))
            if costs[best] < cost - 1e-12:
                if best >= len(lone):
                    split[others[best - len(lone)]] = home
                split[one], sums, cost = target[best], moved[best], float(costs[best])
        if cost >= before - 1e-9:
            break


def _cost(sums: NDArray[np.float64], total: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far splits (..., splits, 1 + classes) are from their shares of chips and from the mixture of all: squares of differences."""
    chips = sums[..., 0] / max(float(total[0]), 1.0)
    mixture = sums[..., 1:] / np.maximum(sums[..., 1:].sum(axis=-1, keepdims=True), 1e-9)
    apart = mixture - total[1:] / max(float(total[1:].sum()), 1e-9)
    return np.asarray(_SHARES * ((chips - shares) ** 2).sum(axis=-1) + (apart**2).sum(axis=(-2, -1)))
