"""What a structural time series is made of: levels, slopes and seasons, each a few states that move by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from mixtura.protocols import Array

__all__ = ["Assembly", "Part", "assembled", "level", "seasonal_dummies", "seasonal_waves", "trend"]


@dataclass(frozen=True)
class Part:
    """States that belong together.

    Parameters
    ----------
    design : ndarray, shape (m,)
        What each state adds to an observation.
    transition : ndarray, shape (m, m)
        How they move from one step to the next.
    sources : tuple of (str, ndarray of shape (m,))
        Disturbances by name: which states have one, independent of each other and with one variance.
    shown : tuple of (str, ndarray of shape (m,))
        Sums of states that mean something, by name.
    """

    design: Array
    transition: Array
    sources: tuple[tuple[str, Array], ...]
    shown: tuple[tuple[str, Array], ...]


@dataclass(frozen=True)
class Assembly:
    """Parts side by side.

    Parameters
    ----------
    design : ndarray, shape (m,)
        What each state adds to an observation.
    transition : ndarray, shape (m, m)
        Block by block.
    names : tuple of str
        The variances: "noise", that of observations, first.
    loads : ndarray, shape (J, 1 + m)
        loads[j, 0] is one for the noise; loads[j, 1 + i] is one where state i has disturbances of variance j.
    shown : dict of str to ndarray, shape (m,)
        Sums of states by name.
    """

    design: Array
    transition: Array
    names: tuple[str, ...]
    loads: Array
    shown: dict[str, Array]


def level() -> Part:
    """A random walk.

    Examples
    --------
    >>> level().sources
    (('level', array([1.])),)
    """
    one = np.ones(1)
    return Part(one, np.eye(1), (("level", one),), (("level", one),))


def trend() -> Part:
    """A level that moves by a slope, which is a random walk itself.

    Examples
    --------
    >>> trend().transition
    array([[1., 1.],
           [0., 1.]])
    """
    first, second = np.eye(2)
    parts = (("level", first), ("slope", second))
    return Part(first, np.array([[1.0, 1.0], [0.0, 1.0]]), parts, parts)


def seasonal_dummies(period: int) -> Part:
    """Effects of the seasons of which any `period` in a row sum to a disturbance.

    Parameters
    ----------
    period : int
        Steps after which seasons return, at least 2.

    Examples
    --------
    >>> seasonal_dummies(4).transition
    array([[-1., -1., -1.],
           [ 1.,  0.,  0.],
           [ 0.,  1.,  0.]])
    """
    first = np.eye(period - 1)[0]
    transition = np.eye(period - 1, k=-1)
    transition[0] = -1.0
    return Part(first, transition, (("seasonal", first),), (("seasonal", first),))


def seasonal_waves(period: int) -> Part:
    """A sum of waves of all whole frequencies, each turning with disturbances of one variance: smoother than dummies.

    Parameters
    ----------
    period : int
        Steps after which seasons return, at least 2.

    Examples
    --------
    >>> seasonal_waves(4).transition.round(12) + 0.0
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.],
           [ 0.,  0., -1.]])
    """
    blocks, design = [], []
    for harmonic in range(1, period // 2 + 1):
        angle = 2.0 * np.pi * harmonic / period
        if 2 * harmonic == period:
            blocks.append(-np.eye(1))
            design += [1.0]
        else:
            blocks.append(np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))
            design += [1.0, 0.0]
    looks = np.array(design)
    return Part(looks, block_diag(*blocks), (("seasonal", np.ones(period - 1)),), (("seasonal", looks),))


def assembled(parts: Sequence[Part], n_inputs: int = 0) -> Assembly:
    """Parts side by side, and behind them the coefficients of inputs, which do not move.

    Parameters
    ----------
    parts : sequence of Part
        At least one, or inputs.
    n_inputs : int, default 0
        Inputs whose coefficients are states; what they add to an observation differs from row to row, so `design` is 0 there.

    Examples
    --------
    >>> both = assembled([level(), seasonal_dummies(3)])
    >>> both.names, both.loads
    (('noise', 'level', 'seasonal'), array([[1., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 1., 0.]]))
    """
    sizes = [len(part.design) for part in parts] + [n_inputs]
    begins = np.concatenate([[0], np.cumsum(sizes)])
    total = int(begins[-1])

    def placed(vector: Array, begin: int) -> Array:
        whole = np.zeros(total)
        whole[begin : begin + len(vector)] = vector
        return whole

    design, transition, shown = np.zeros(total), np.eye(total), {}
    names, loads = ["noise"], [np.eye(1 + total)[0]]
    for part, begin in zip(parts, begins, strict=False):
        own = slice(begin, begin + len(part.design))
        design[own], transition[own, own] = part.design, part.transition
        shown.update({name: placed(vector, begin) for name, vector in part.shown})
        for name, vector in part.sources:
            names.append(name)
            loads.append(np.append(0.0, placed(vector, begin)))
    return Assembly(design, transition, tuple(names), np.array(loads), shown)
