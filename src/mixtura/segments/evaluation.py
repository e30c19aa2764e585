"""Does knowing the household help? Its later baskets, predicted three ways, with paired standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["clustered_mean", "held_out", "household_shares", "profile_distances"]


def clustered_mean(differences: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    r"""Mean of paired differences, and its standard error when those of one group belong together.

    Parameters
    ----------
    differences : ndarray, shape (N,)
        One value per basket.
    groups : ndarray, shape (N,)
        The household of each basket.

    Returns
    -------
    mean : float
        Average over baskets.
    standard_error : float
        NaN with fewer than two groups.

    Notes
    -----
    With residual sums :math:`e_h = \sum_{i \in h} (d_i - \bar d)` over G groups the error is
    :math:`\sqrt{G/(G-1) \sum_h e_h^2} / N`: the baskets of one household are not independent witnesses.
    With one basket per group it is the usual standard error of the mean.

    References
    ----------
    .. [1] K.-Y. Liang and S. L. Zeger (1986), Biometrika 73(1), 13-22.

    Examples
    --------
    >>> clustered_mean(np.array([1.0, 2.0, 3.0]), np.array(["a", "b", "c"]))
    (2.0, 0.5773...)
    """
    mean = float(differences.mean())
    _, index = np.unique(groups, return_inverse=True)
    sums = np.bincount(index, weights=differences - mean)
    if len(sums) < 2:
        return mean, float("nan")
    return mean, float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(differences))


def household_shares(counts: sparse.csr_array, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each household bought, as shares of categories.

    Parameters
    ----------
    counts : scipy.sparse.csr_array, shape (N, C)
        Baskets.
    groups : ndarray, shape (N,)
        Household of each basket.

    Returns
    -------
    households : ndarray, shape (H,)
        Sorted, unique.
    shares : ndarray, shape (H, C)
        Rows sum to one.
    """
    households, index = np.unique(groups, return_inverse=True)
    gather = sparse.csr_array(
        (np.ones(len(index)), (index, np.arange(len(index)))), shape=(len(households), len(index))
    )
    totals = (gather @ counts).toarray().astype(float)
    return households, totals / totals.sum(axis=1, keepdims=True)


def profile_distances(predicted: np.ndarray, bought: np.ndarray) -> np.ndarray:
    """L1 distance between predicted and bought shares, in [0, 2].

    Examples
    --------
    >>> profile_distances(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).tolist()
    [2.0]
    """
    return np.asarray(np.abs(predicted - bought).sum(axis=1))


def held_out(
    global_model: Any,
    unshrunk: Any,
    household: Any,
    later: sparse.csr_array,
    customers: np.ndarray,
) -> dict[str, Any] | None:
    """Compare three predictions of the later baskets of customers that were seen before.

    Parameters
    ----------
    global_model : MultinomialMixture
        One set of weights for everybody.
    unshrunk : GroupedMultinomialMixture
        Weights of each household from its own baskets alone.
    household : GroupedMultinomialMixture
        Weights of each household, shrunk to the population as far as the data ask for it.
    later : scipy.sparse.csr_array, shape (M, C)
        Baskets after the split.
    customers : ndarray, shape (M,)
        Their households.

    Returns
    -------
    dict or None
        As ``"held_out"`` in missions.json; None if no later basket has a customer seen before.
    """
    seen = np.isin(customers, household.groups_)
    if not seen.any():
        return None
    baskets, owners = later[np.flatnonzero(seen)], customers[seen]
    scores = {
        "global": global_model.score_samples(baskets),
        "household_no_shrinkage": unshrunk.score_samples(baskets, groups=owners),
        "household": household.score_samples(baskets, groups=owners),
    }
    gain, gain_se = clustered_mean(scores["household"] - scores["global"], owners)
    over, over_se = clustered_mean(scores["household"] - scores["household_no_shrinkage"], owners)
    households, bought = household_shares(baskets, owners)
    place = np.searchsorted(household.groups_, households)
    predicted = household.group_weights_[place] @ household.profiles_
    everybody = np.broadcast_to(global_model.weights_ @ global_model.profiles_, predicted.shape)
    distance = {
        "global": profile_distances(everybody, bought),
        "household": profile_distances(predicted, bought),
    }
    return {
        **{name: float(values.mean()) for name, values in scores.items()},
        "gain": gain,
        "gain_se": gain_se,
        "gain_over_no_shrinkage": over,
        "gain_over_no_shrinkage_se": over_se,
        "n_baskets": len(owners),
        "share_households_better_l1": float(np.mean(distance["household"] < distance["global"])),
        "n_households_compared": len(households),
        "concentration": float(household.concentration_),
        "l1": {name: values.round(6).tolist() for name, values in distance.items()},
    }
