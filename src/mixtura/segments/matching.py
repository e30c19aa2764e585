"""Which new mission is which old one: optimal pairs of profiles, and an order that does not depend on the fit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.exceptions import InvalidDataError, InvalidParameterError

__all__ = ["DRIFTED", "MATCHED", "Match", "canonical_order", "match", "profile_distances"]

# Levels of the L1 distance between two profiles, which runs from 0 to 2 and is twice the share of lines that
# would have to move from one category to another. Two fits of one mission to different baskets differ by
# chance; two missions differ by what they are for. A simulation in the tests shows both sides of the first.
MATCHED = 0.5  # a quarter of the lines: more, and it is another mission
DRIFTED = 0.25  # an eighth of the lines: the same mission, but look at it again
SUM_TOLERANCE = 1e-3  # profiles may have been rounded on their way through a file
DIGITS = 9  # sizes that agree this far are equal: the rest is the order of a summation


@dataclass(frozen=True)
class Match:
    """New components and what they were before.

    Parameters
    ----------
    old : ndarray of int, shape (K_new,)
        Index of the old component, or -1.
    distance : ndarray, shape (K_new,)
        L1 distance to that one, 0 to 2; NaN without one.
    drifted : ndarray of bool, shape (K_new,)
        Matched, though at a distance.
    gone : ndarray of int
        Old components that no new one continues, ascending.
    """

    old: np.ndarray
    distance: np.ndarray
    drifted: np.ndarray
    gone: np.ndarray

    @property
    def n_matched(self) -> int:
        """Number of pairs."""
        return int((self.old >= 0).sum())


def match(
    old_profiles: Any,
    old_features: Sequence[Hashable],
    new_profiles: Any,
    new_features: Sequence[Hashable],
    *,
    threshold: float = MATCHED,
    drift: float = DRIFTED,
) -> Match:
    """Pair the components of two mixtures by their profiles.

    Parameters
    ----------
    old_profiles : array_like, shape (K_old, C_old)
        Shares; rows sum to one.
    old_features : sequence, length C_old
        What the columns are: names of categories, numbers of missions.
    new_profiles : array_like, shape (K_new, C_new)
        Shares of the new mixture, which may have another size.
    new_features : sequence, length C_new
        Its columns. A feature of one side only counts as share 0 on the other.
    threshold : float, default 0.5
        Pairs at this distance or above are no match, 0 to 2.
    drift : float, default 0.25
        Matches above this distance have drifted.

    Returns
    -------
    Match
        Per new component its old one, the distance, and whether it drifted.

    Raises
    ------
    InvalidDataError
        If profiles are no shares, or do not fit their features.
    InvalidParameterError
        If a level is outside 0 to 2.

    Notes
    -----
    The pairs minimise the sum of ``min(distance, threshold)``: staying alone costs as much as the worst pair
    that would be accepted, so no good pair is broken up to bring two strangers below the mean.

    References
    ----------
    .. [1] H. W. Kuhn (1955), "The Hungarian method for the assignment problem", Naval Research Logistics
       Quarterly 2, 83-97.

    Examples
    --------
    >>> old = [[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]]
    >>> new = [[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]
    >>> found = match(old, ["milk", "bread", "beer"], new, ["milk", "beer"])
    >>> found.old.tolist(), found.distance.round(1).tolist(), found.gone.tolist()
    ([1, 0, -1], [0.4, 0.4, nan], [])
    >>> found.drifted.tolist()
    [True, True, False]
    """
    for name, level in (("threshold", threshold), ("drift", drift)):
        if not 0 <= level <= 2:
            message = f"{name}: found {level!r}. Expected an L1 distance of profiles, 0 to 2, such as 0.5."
            raise InvalidParameterError(message)
    distances = profile_distances(old_profiles, old_features, new_profiles, new_features)
    rows, columns = linear_sum_assignment(np.minimum(distances, threshold))
    accepted = distances[rows, columns] < threshold
    rows, columns = rows[accepted], columns[accepted]
    old = np.full(distances.shape[1], -1, dtype=np.int64)
    distance = np.full(distances.shape[1], np.nan)
    old[columns] = rows
    distance[columns] = distances[rows, columns]
    return Match(old, distance, distance > drift, np.setdiff1d(np.arange(len(distances)), rows))


def profile_distances(
    old_profiles: Any,
    old_features: Sequence[Hashable],
    new_profiles: Any,
    new_features: Sequence[Hashable],
) -> np.ndarray:
    """L1 distances of all pairs, over the union of the features.

    Parameters
    ----------
    old_profiles, old_features, new_profiles, new_features
        As for `match`.

    Returns
    -------
    ndarray, shape (K_old, K_new)
        0 to 2.

    Raises
    ------
    InvalidDataError
        As `match`.

    Examples
    --------
    >>> profile_distances([[1.0]], ["tea"], [[0.75, 0.25], [0.0, 1.0]], ["tea", "milk"]).tolist()
    [[0.5, 2.0]]
    """
    old = _checked("old", old_profiles, old_features)
    new = _checked("new", new_profiles, new_features)
    place = {feature: column for column, feature in enumerate(old_features)}
    width = len(place)
    for feature in new_features:
        if feature not in place:
            place[feature] = width
            width += 1
    left = np.zeros((len(old), width))
    left[:, : old.shape[1]] = old
    right = np.zeros((len(new), width))
    right[:, [place[feature] for feature in new_features]] = new
    return np.stack([np.abs(row - right).sum(axis=1) for row in left])


def canonical_order(sizes: Any, profiles: Any) -> np.ndarray:
    """Order of the components that is the same however the fit numbered them.

    Parameters
    ----------
    sizes : array_like, shape (K,)
        Expected baskets or customers of each component.
    profiles : array_like, shape (K, C)
        Their shares.

    Returns
    -------
    ndarray of int, shape (K,)
        New position to old index: the largest first; equal sizes by the profile, larger shares of the first
        columns first.

    Raises
    ------
    InvalidDataError
        If the two do not have the same length, or are not numbers.

    Notes
    -----
    Sizes (as shares of the total) and shares are compared after rounding to nine decimals, since the same
    sum in another order differs in its last digits.

    Examples
    --------
    >>> canonical_order([2.0, 5.0, 2.0], [[0.1, 0.9], [0.5, 0.5], [0.7, 0.3]]).tolist()
    [1, 2, 0]
    """
    sizes = np.asarray(sizes, dtype=float)
    profiles = np.asarray(profiles, dtype=float)
    if sizes.ndim != 1 or profiles.ndim != 2 or len(sizes) != len(profiles):
        message = (
            f"sizes have shape {sizes.shape} and profiles {profiles.shape}. Expected (K,) and (K, C) with one "
            "size per profile; give both from the same mixture."
        )
        raise InvalidDataError(message)
    if not (np.isfinite(sizes).all() and np.isfinite(profiles).all()):
        message = "sizes or profiles hold NaN or infinity. Expected numbers; give those of a fitted mixture."
        raise InvalidDataError(message)
    total = sizes.sum()
    size = np.round(sizes / (total if total > 0 else 1.0), DIGITS)
    keys = [*(-np.round(profiles, DIGITS)).T[::-1], -size]  # the last key decides first
    return np.lexsort(keys)


def _checked(which: str, profiles: Any, features: Sequence[Hashable]) -> np.ndarray:
    array = np.asarray(profiles, dtype=float)
    if array.ndim != 2 or not array.size or array.shape[1] != len(features):
        message = (
            f"{which} profiles have shape {array.shape} and there are {len(features)} {which} features. "
            "Expected (components, features); give the features in the order of the columns."
        )
        raise InvalidDataError(message)
    if len(set(features)) != len(features):
        double = next(name for index, name in enumerate(features) if name in features[:index])
        message = f"the {which} features name {double!r} twice. Expected different names; merge its columns."
        raise InvalidDataError(message)
    sums = array.sum(axis=1)
    bad = np.flatnonzero(
        ~np.isfinite(array).all(axis=1) | (array < 0).any(axis=1) | (np.abs(sums - 1) > SUM_TOLERANCE)
    )
    if bad.size:
        message = (
            f"{which} profile {bad[0]} (of {len(array)}) is no share of the features: it sums to "
            f"{sums[bad[0]]:.6g}, its smallest entry is {array[bad[0]].min():.6g}. Expected entries of at least 0 "
            "that sum to 1; divide counts by their sum."
        )
        raise InvalidDataError(message)
    return array
