"""What the checks share: the comparison of arrays and sums, tolerances with their reasons, directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from mixtura.protocols import Array
from mixtura.statistics import Statistics

__all__ = ["ROUNDING", "SINGLE", "STANDARD_ERRORS", "STEP", "directions", "fail", "same", "same_sums"]

# Two ways of computing the same sum in float64: rounding grows with the number of terms, a few hundred here.
ROUNDING = 1e-10
# One unit in the last place of float32 is 6e-8; sums and exponents of a few hundred terms lose some of it.
SINGLE = 1e-4
# Central differences with this step: truncation about h^2 = 1e-10, rounding about 1e-16 / h = 1e-11.
STEP = 1e-5
# Standard errors a sample average may be off: chance alone does this once in two million.
STANDARD_ERRORS = 5.0


def fail(message: str) -> NoReturn:
    """Say what was found, what was expected and where to look."""
    raise AssertionError(message)


def same(found: Any, expected: Any, tol: float, what: str, because: str) -> None:
    """Equal up to `tol` times the largest expected number."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != expected.shape:
        fail(f"{what}: shape {found.shape}; expected {expected.shape} ({because}).")
    finite = np.isfinite(expected)
    size = float(np.max(np.abs(expected[finite]), initial=1.0))
    bad = ~(np.isclose(found, expected, rtol=0.0, atol=tol * size))
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        fail(
            f"{what}: {found[index]:.12g} at {list(index)}; expected {expected[index]:.12g} up to {tol:g} of the largest "
            f"({because})."
        )


def same_sums(
    found: Statistics, expected: Statistics, what: str, because: str, tol: float = ROUNDING
) -> None:
    """Equal sums, about the origin of `found`; those of parts, too."""
    if found.parts.keys() != expected.parts.keys():
        fail(f"{what}: parts {sorted(found.parts)}; expected {sorted(expected.parts)} ({because}).")
    for name, part in expected.parts.items():
        same_sums(found.parts[name], part, f"{what}, part '{name}'", because, tol)
    if found.sums.keys() != expected.sums.keys():
        fail(f"{what}: sums {sorted(found.sums)}; expected {sorted(expected.sums)} ({because}).")
    expected = expected.about(found.origin)
    for name, value in expected.sums.items():
        same(found[name], value, tol, f"{what}, '{name}'", because)


def directions(size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Every coordinate up and down, and twenty random directions."""
    for c in range(size):
        for sign in (1.0, -1.0):
            axis = np.zeros(size)
            axis[c] = sign
            yield axis
    for _ in range(20):
        direction = rng.standard_normal(size)
        yield direction / np.linalg.norm(direction)
