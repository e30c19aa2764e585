"""Positions on a plane for profiles, so that similar ones lie close together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["apart", "error", "positions"]

_STEPS = 500
_SETTLED = 1e-7  # relative fall of the stress below which a step no longer shows on the page


def positions(profiles: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    r"""Place profiles on a plane by their L1 distances.

    Classical scaling gives the start, majorization of the stress (SMACOF) improves it: no eigenvector that
    is not among the first two is lost for good, and the result has no random part.

    Parameters
    ----------
    profiles : sequence of K sequences of F floats
        Shares; the distance of two of them is :math:`\sum_f |p_f - q_f|`, between 0 and 2.

    Returns
    -------
    list of K pairs of float
        In the unit of the distances, centred; the first axis is the one along which they differ most.

    Notes
    -----
    Each step is the Guttman transform with equal weights, :math:`X \leftarrow K^{-1} B(X) X`, which never
    raises the stress.

    References
    ----------
    .. [1] I. Borg and P. J. F. Groenen (2005), "Modern Multidimensional Scaling", chapters 8 and 12.

    Examples
    --------
    >>> places = positions([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> [round(abs(x), 6) for x, _ in places]
    [1.0, 0.0, 1.0]
    """
    size = len(profiles)
    if size < 2:
        return [(0.0, 0.0)] * size
    distance = _l1(profiles)
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
    return [(float(x), float(y)) for x, y in _canonical(place)]


def error(profiles: Sequence[Sequence[float]], places: Sequence[tuple[float, float]]) -> float:
    """How wrong a map is: the mean of ``|distance on the map - distance| / distance``.

    Parameters
    ----------
    profiles : sequence of K sequences of F floats
        Shares.
    places : sequence of K pairs of float
        Where they are drawn, in any unit: the map is scaled to fit the distances best.

    Returns
    -------
    float
        0 if the map tells the truth.

    Examples
    --------
    >>> error([[1.0, 0.0], [0.0, 1.0]], [(0.0, 0.0), (300.0, 0.0)])
    0.0
    """
    distance = _l1(profiles)
    found = _between(np.asarray(places, dtype=float))
    scale = (found * distance).sum() / max(float((found**2).sum()), 1e-300)
    different = distance > 1e-12
    wrong = np.abs(scale * found - distance)[different] / distance[different]
    return float(wrong.mean()) if wrong.size else 0.0


def apart(
    points: Sequence[tuple[float, float]], sizes: Sequence[float], *, gap: float = 2.0
) -> list[tuple[float, float]]:
    """Push discs off each other until none covers another, each pair as little as needed.

    Parameters
    ----------
    points : sequence of K pairs of float
        Centres.
    sizes : sequence of K floats
        Diameters, in the unit of the centres.
    gap : float, default 2
        What is to remain between two discs.

    Returns
    -------
    list of K pairs of float
        New centres. In a crowd that does not settle within 400 rounds some overlap may remain.

    Examples
    --------
    >>> (a, _), (b, _) = apart([(0.0, 0.0), (4.0, 0.0)], [10.0, 10.0])
    >>> round(b - a, 3)
    12.0
    """
    place = np.array(points, dtype=float).reshape(len(points), 2)
    needed = np.add.outer(sizes, sizes) / 2 + gap
    # Points on one spot have no direction to part in; a spiral gives each its own.
    turn = np.arange(len(place)) * 2.4
    place += 1e-3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for _ in range(400):
        difference = place[:, None, :] - place[None, :, :]
        found = np.linalg.norm(difference, axis=2)
        lacking = np.maximum(needed - found, 0.0)
        np.fill_diagonal(lacking, 0.0)
        if lacking.max(initial=0.0) < 1e-4:
            break
        share = np.divide(lacking, found, out=np.zeros_like(found), where=found > 0)
        place += (
            0.5
            * (share[:, :, None] * difference).sum(axis=1)
            / np.maximum((lacking > 0).sum(axis=1), 1)[:, None]
        )
    return [(float(x), float(y)) for x, y in place]


def _l1(profiles: Sequence[Sequence[float]]) -> np.ndarray:
    shares = np.asarray(profiles, dtype=float)
    return np.asarray(np.abs(shares[:, None, :] - shares[None, :, :]).sum(axis=2))


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
