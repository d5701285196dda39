"""Quantiles of Student's t and of the gamma distribution, for what runs without scipy.

By halving an interval on the incomplete beta and gamma functions. Source of both expansions: Press
et al. (2007), Numerical Recipes, 3rd edition, sections 6.2 and 6.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

_TERMS: Final = 10_000
_SMALL: Final = 1e-16
_TINY: Final = 1e-300


@lru_cache
def student_isf(alpha: float, freedom: float) -> float:
    """The t above which Student's distribution has ``alpha`` of its mass, in (0, 0.5]."""
    if not (0 < alpha <= 0.5 and freedom > 0):
        raise ValueError(f"no quantile for {alpha} at {freedom} degrees of freedom")

    def above(t: float) -> float:
        return _beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2

    return _where(lambda t: above(t) < alpha)


@lru_cache
def gamma_ppf(share: float, shape: float) -> float:
    """The x below which the gamma distribution of scale 1 has ``share`` of its mass, in (0, 1)."""
    if not (0 < share < 1 and shape > 0):
        raise ValueError(f"no quantile for {share} at shape {shape}")
    return _where(lambda x: _gamma(x, shape) > share)


def _where(is_beyond: Callable[[float], bool]) -> float:
    """The point from 0 on where ``is_beyond`` begins to hold."""
    low, high = 0.0, 1.0
    while not is_beyond(high):
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


def _gamma(x: float, shape: float) -> float:
    """The regularized lower incomplete gamma function P(shape, x)."""
    if x <= 0:
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        total = term = 1 / shape
        for n in range(1, _TERMS):
            term *= x / (shape + n)
            total += term
            if term < total * _SMALL:
                break
        return front * total
    terms = ((-n * (n - shape), x + 1 - shape + 2 * n) for n in range(1, _TERMS))
    return 1 - front / _fraction(x + 1 - shape, terms)


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b)."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges slowly there
        return 1 - _beta(1 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x)) / a

    def part(n: int) -> float:
        m = n // 2
        if n % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))

    return front / _fraction(1.0, ((part(n), 1.0) for n in range(1, _TERMS)))


def _fraction(first: float, parts: Iterable[tuple[float, float]]) -> float:
    """The continued fraction first + a1 / (b1 + a2 / (b2 + …)), by Lentz's method."""
    value = above = first or _TINY
    below = 0.0
    for a, b in parts:
        below = 1 / (b + a * below or _TINY)
        above = b + a / above or _TINY
        change = above * below
        value *= change
        if abs(change - 1) < _SMALL:
            break
    return value
