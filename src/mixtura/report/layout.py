"""Positions on a plane for profiles, so that similar ones lie close together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["positions"]

_STEPS = 500
_SETTLED = 1e-7  # relative fall of the stress below which a step no longer shows on the page


def positions(profiles: Sequence[Sequence[float]]) -> tuple[list[tuple[float, float]], float]:
    r"""Place profiles on a plane by their L1 distances.

    Classical scaling gives the start, majorization of the stress (SMACOF) improves it: no eigenvector that
    is not among the first two is lost for good, and the result has no random part.

    Parameters
    ----------
    profiles : sequence of K sequences of F floats
        Shares; the distance of two of them is :math:`\sum_f |p_f - q_f|`, between 0 and 2.

    Returns
    -------
    coordinates : list of K pairs of float
        In the unit of the distances, centred; the first axis is the one along which they differ most.
    error : float
        The mean of ``|distance on the plane - distance| / distance``: 0 if the plane tells the truth.

    Notes
    -----
    Each step is the Guttman transform with equal weights, :math:`X \leftarrow K^{-1} B(X) X`, which never
    raises the stress.

    References
    ----------
    .. [1] I. Borg and P. J. F. Groenen (2005), "Modern Multidimensional Scaling", chapters 8 and 12.

    Examples
    --------
    >>> places, error = positions([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> [round(abs(x), 6) for x, _ in places], round(error, 6)
    ([1.0, 0.0, 1.0], 0.0)
    """
    shares = np.asarray(profiles, dtype=float)
    size = len(shares)
    if size < 2:
        return [(0.0, 0.0)] * size, 0.0
    distance = np.abs(shares[:, None, :] - shares[None, :, :]).sum(axis=2)
    place = _classical(distance)
    stress = np.inf
    for _ in range(_STEPS):
        found = _between(place)
        latest = float(((found - distance) ** 2).sum())
        if not stress - latest > _SETTLED * stress and np.isfinite(stress):
            break
        stress = latest
        ratio = np.divide(distance, found, out=np.zeros_like(distance), where=found > 1e-12)
        transform = -ratio
        transform[np.diag_indices(size)] = ratio.sum(axis=1)
        place = transform @ place / size
    place = _canonical(place)
    apart = distance > 1e-12
    error = np.abs(_between(place) - distance)[apart] / distance[apart]
    return [(float(x), float(y)) for x, y in place], float(error.mean()) if error.size else 0.0


def _classical(distance: np.ndarray) -> np.ndarray:
    squared = distance**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-0.5 * centred)
    axes = np.argsort(-values, kind="stable")[:2]
    return np.asarray(vectors[:, axes] * np.sqrt(np.maximum(values[axes], 0.0)))


def _between(place: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(place[:, None, :] - place[None, :, :], axis=2))


def _canonical(place: np.ndarray) -> np.ndarray:
    """Turned to the axes of largest spread, the first point (the largest) to the left and below."""
    place = place - place.mean(axis=0)
    _, _, axes = np.linalg.svd(place, full_matrices=False)
    place = place @ axes.T
    return np.asarray(np.where(place[0] > 0, -1.0, 1.0) * place)
