"""Decimal text to the nearest double, in compiled code: every digit that a file gives counts.

Source: D. Lemire, Number parsing at a gigabyte per second, 2021; the steps are those of Go's `strconv` (`eiselLemire64`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from geolabel.compiled import compiled

Table: TypeAlias = NDArray[np.uint64]

LOWEST, HIGHEST = -330, 300
"""Powers of ten in the table; a number outside is left to Python."""

MALFORMED, EXACT, DOUBTFUL = -1, 0, 1
"""What came of a number: not one as JSON has it; a double; one that Python's own `float` must decide."""

_MOST_DIGITS = 19
_LARGEST_EXACT = np.uint64(1 << 53)
_EXACT_POWERS = np.array([10.0**i for i in range(23)])

_M32 = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_TEN = np.uint64(10)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_NINE_BITS = np.uint64(0x1FF)


def powers_of_ten() -> Table:
    """The leading 128 bits of 10^LOWEST .. 10^HIGHEST, rounded down: (n, 2) as low and high half."""
    table = np.empty((HIGHEST - LOWEST + 1, 2), dtype=np.uint64)
    for row, power in enumerate(range(LOWEST, HIGHEST + 1)):
        below = 10**-power if power < 0 else 1
        bits = (10 ** max(power, 0) << (128 + 2 * below.bit_length())) // below
        bits >>= bits.bit_length() - 128
        table[row] = bits & (2**64 - 1), bits >> 64
    return table


@compiled
def _multiply(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The 128 bits of a product, as low and high half."""
    a0, a1 = a & _M32, a >> _S32
    b0, b1 = b & _M32, b >> _S32
    low = a0 * b0
    middle = a1 * b0 + (low >> _S32)
    other = a0 * b1 + (middle & _M32)
    return a * b, a1 * b1 + (middle >> _S32) + (other >> _S32)


@compiled
def _leading_zeros(value: np.uint64) -> int:
    count = 0
    for step in (32, 16, 8, 4, 2, 1):
        if value >> np.uint64(64 - step) == _ZERO:
            value <<= np.uint64(step)
            count += step
    return count


@compiled
def nearest_double(digits: np.uint64, power: int, powers: Table) -> float:
    """The double nearest to digits x 10^power.

    Args:
        digits: all of them, exactly; not 0.
        power: of ten.
        powers: `powers_of_ten()`.

    Returns:
        NaN when this is too close to the middle between two doubles, or outside of the table or of the normal doubles.
    """
    if power < LOWEST or power > HIGHEST:
        return np.nan
    zeros = _leading_zeros(digits)
    digits <<= np.uint64(zeros)
    low, high = _multiply(digits, powers[power - LOWEST, 1])
    if high & _NINE_BITS == _NINE_BITS and low + digits < digits:
        finer_low, finer_high = _multiply(digits, powers[power - LOWEST, 0])
        merged = low + finer_high
        if merged < low:
            high += _ONE
        if high & _NINE_BITS == _NINE_BITS and merged + _ONE == _ZERO and finer_low + digits < digits:
            return np.nan
        low = merged
    top = high >> np.uint64(63)
    mantissa = high >> (top + np.uint64(9))
    exponent = ((217706 * power) >> 16) + 64 + 1023 - zeros - (1 - np.int64(top))
    if low == _ZERO and high & _NINE_BITS == _ZERO and mantissa & np.uint64(3) == _ONE:
        return np.nan
    mantissa += mantissa & _ONE
    mantissa >>= _ONE
    if mantissa >> np.uint64(53) > _ZERO:
        mantissa >>= _ONE
        exponent += 1
    if exponent < 1 or exponent > 2046:
        return np.nan
    bits = (np.uint64(exponent) << np.uint64(52)) | (mantissa & np.uint64(0xFFFFFFFFFFFFF))
    return np.uint64(bits).view(np.float64)


@compiled
def read_number(text: NDArray[np.uint8], at: int, powers: Table) -> tuple[int, int, float]:
    """Read a number of JSON.

    Args:
        text: bytes, ending with one that belongs to no number.
        at: where the number begins.
        powers: `powers_of_ten()`.

    Returns:
        Where it ends; MALFORMED, EXACT or DOUBTFUL; its value when EXACT.
    """
    negative = text[at] == 45
    if negative:
        at += 1
    digits, count, power = _ZERO, 0, 0
    start = at
    while 48 <= text[at] <= 57:
        digits = digits * _TEN + np.uint64(text[at] - 48)
        at += 1
    count = at - start
    if count == 0 or (text[start] == 48 and count > 1):
        return at, MALFORMED, 0.0
    if digits == _ZERO:
        count = 0
    if text[at] == 46:
        at += 1
        start = at
        while 48 <= text[at] <= 57:
            digits = digits * _TEN + np.uint64(text[at] - 48)
            at += 1
        if at == start:
            return at, MALFORMED, 0.0
        power = start - at
        count += at - start
    if text[at] in (69, 101):
        at += 1
        below = text[at] == 45
        if text[at] in (43, 45):
            at += 1
        start, exponent = at, 0
        while 48 <= text[at] <= 57:
            exponent = min(exponent * 10 + (text[at] - 48), 100_000)
            at += 1
        if at == start:
            return at, MALFORMED, 0.0
        power += -exponent if below else exponent
    if count > _MOST_DIGITS:
        return at, DOUBTFUL, 0.0
    value = 0.0
    if digits <= _LARGEST_EXACT and -22 <= power <= 22:
        # Both are exact as doubles, so that the one operation rounds once.
        value = np.float64(digits)
        value = value / _EXACT_POWERS[-power] if power < 0 else value * _EXACT_POWERS[power]
    elif digits != _ZERO:
        value = nearest_double(digits, power, powers)
        if np.isnan(value):
            return at, DOUBTFUL, 0.0
    return at, EXACT, -value if negative else value
