"""Confidence intervals of shares, 95 %."""

from __future__ import annotations

from math import sqrt

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share observed in `n` trials; (0, 1) when there were none.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if n <= 0:
        return 0.0, 1.0
    square = _Z * _Z / n
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * sqrt(max(0.0, share * (1 - share) / n + square / (4 * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(share: float, n: int, base: float, base_n: int) -> tuple[float, float]:
    """Return the 95 % interval of `share - base`, two shares measured independently.

    R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison
    of eleven methods, Statistics in Medicine 17 (1998), method 10.
    """
    low, high = wilson(share, n)
    base_low, base_high = wilson(base, base_n)
    delta = share - base
    return (
        delta - sqrt((share - low) ** 2 + (base_high - base) ** 2),
        delta + sqrt((high - share) ** 2 + (base - base_low) ** 2),
    )
