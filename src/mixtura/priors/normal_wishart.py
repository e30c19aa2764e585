r"""The Normal-Wishart prior of means and precision matrices, and its log partition functions for four covariance structures.

.. math:: \mu\mid\Lambda\sim N(m, (\kappa\Lambda)^{-1}),\qquad \Lambda\sim W(V^{-1}, \nu),

written with :math:`V = W^{-1}` (a scatter, in squared units of the data), so that posteriors are sums. Diagonal structures have a
one-dimensional Wishart law, that is Gamma(nu / 2, v / 2), in every column; spherical ones Gamma(nu D / 2, v D / 2) for all columns
together. With these the bound is exact for every structure.

References
----------
.. [1] C. M. Bishop (2006), Pattern Recognition and Machine Learning, equations 2.155, B.78 to B.82 and 10.59 to 10.77.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.priors.base import Prior
from mixtura.protocols import Array

__all__ = ["NormalWishartPrior", "WishartTerms", "gamma_terms", "wishart_terms"]

_LOG_TWO = float(np.log(2.0))


@dataclass(frozen=True)
class NormalWishartPrior(Prior):
    """Normal-Wishart law of every component's mean and precision matrix (names as in scikit-learn, without ``_prior``).

    Parameters
    ----------
    mean : array_like, shape (D,), optional
        m, in units of the data. None: the mean of all rows.
    mean_precision : float, optional
        kappa, above 0: how many rows the prior mean is worth. None: 0.01 for posterior laws, 1 for a mode.
    degrees_of_freedom : float, optional
        nu, above D - 1 (above 0 for diagonal and spherical structures): how many rows the prior covariance is worth. None: D for
        posterior laws, D + 2 for a mode.
    covariance : array_like, optional
        V, in the shape of one component's covariance, in squared units of the data; the expected precision is nu V^-1. None: the
        covariance of all rows, for posterior laws times D / 50.

    Notes
    -----
    The defaults of posterior laws say little of where components lie, and that they are narrower than all rows together: with the
    covariance of all rows itself and a mean precision of 1, scikit-learn's numbers, narrow components are held back until they have
    thousands of rows (docs/bayesian.md, benchmarks/small_samples.py). They do not depend on the number of components, so that
    bounds compare. A mode has no spread that would stand for what is not known, and is held by the wider law.

    Examples
    --------
    >>> NormalWishartPrior(mean=[0.0, 0.0], degrees_of_freedom=2.0)
    NormalWishartPrior(mean=[0.0, 0.0], mean_precision=None, degrees_of_freedom=2.0, covariance=None)
    """

    mean: Any = None
    mean_precision: Any = None
    degrees_of_freedom: Any = None
    covariance: Any = None


class WishartTerms(NamedTuple):
    """What a law of precisions says of itself.

    Parameters
    ----------
    log_partition : ndarray, shape (K,)
        Logarithm of the normalising constant.
    expected_log_det : ndarray, shape (K,)
        E[log |precision matrix|] over all D columns.
    """

    log_partition: Array
    expected_log_det: Array


def wishart_terms(degrees: Array, log_det_scatter: Array, n_features: int) -> WishartTerms:
    """Of Wishart laws with degrees of freedom (K,) and log |V| (K,).

    Examples
    --------
    >>> terms = wishart_terms(np.array([3.0]), np.array([0.0]), 1)  # Gamma(3 / 2, 1 / 2)
    >>> bool(np.isclose(terms.log_partition[0], gammaln(1.5) + 1.5 * np.log(2.0)))
    True
    """
    halves = 0.5 * (degrees[:, None] - np.arange(n_features))
    log_gamma = gammaln(halves).sum(axis=1) + 0.25 * n_features * (n_features - 1) * np.log(np.pi)
    partition = 0.5 * degrees * (n_features * _LOG_TWO - log_det_scatter) + log_gamma
    expected = digamma(halves).sum(axis=1) + n_features * _LOG_TWO - log_det_scatter
    return WishartTerms(partition, expected)


def gamma_terms(shape: Array, rate: Array) -> WishartTerms:
    """Of gamma laws with shape and rate (K,): one precision.

    Examples
    --------
    >>> gamma_terms(np.array([1.0]), np.array([2.0])).log_partition.round(4)
    array([-0.6931])
    """
    log_rate = np.log(rate)
    return WishartTerms(np.asarray(gammaln(shape) - shape * log_rate), np.asarray(digamma(shape) - log_rate))
