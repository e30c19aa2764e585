r"""Information criteria, all with one sign: lower is better.

With log-likelihood L, p free parameters and n units (the sum of the weights):
AIC = -2 L + 2 p, BIC = -2 L + p log n, ICL = BIC - 2 sum over units of log of the largest responsibility.

References
----------
.. [1] G. Schwarz (1978), Annals of Statistics 6(2), 461-464.
.. [2] C. Biernacki, G. Celeux and G. Govaert (2000), IEEE PAMI 22(7), 719-725.
"""

from __future__ import annotations

import math

__all__ = ["aic", "bic", "icl"]


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Akaike's criterion; lower is better.

    Examples
    --------
    >>> aic(-10.0, 3)
    26.0
    """
    return -2.0 * log_likelihood + 2.0 * n_parameters


def bic(log_likelihood: float, n_parameters: int, n_units: float) -> float:
    """Schwarz's criterion; lower is better.

    Examples
    --------
    >>> bic(-10.0, 3, 1.0)
    20.0
    """
    return -2.0 * log_likelihood + n_parameters * math.log(n_units)


def icl(log_likelihood: float, n_parameters: int, n_units: float, log_largest_resp: float) -> float:
    """Integrated completed likelihood; lower is better, and never below BIC.

    Parameters
    ----------
    log_likelihood : float
        Total over the units.
    n_parameters : int
        Free parameters.
    n_units : float
        Sum of the units' weights.
    log_largest_resp : float
        Weighted sum over units of the log of their largest responsibility (at most zero).

    Returns
    -------
    float
        The criterion.

    Examples
    --------
    >>> icl(-10.0, 3, 1.0, -0.5)
    21.0
    """
    return bic(log_likelihood, n_parameters, n_units) - 2.0 * log_largest_resp
