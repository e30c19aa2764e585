r"""How many parameters of a linear dynamical system the rows cannot tell.

States are seen through C only, so z can be replaced by M z + s; and where there are more states than columns, the uncertainty of the
first state can move to where it is not seen at first. Infinitesimally, with M = I + E and a symmetric X of which X C' = 0,

.. math::

    \delta A = EA - AE,\quad \delta B = EB,\quad \delta b = Eb + (I - A)s,\quad \delta C = -CE,\quad \delta d = -Cs,

    \delta\Gamma = E\Gamma + \Gamma E^T + X - AXA^T,\quad \delta m_0 = E m_0 + s,\quad \delta V_0 = E V_0 + V_0 E^T + X

leave the law of the rows as it is. Those among them that the laws of the parameters allow (known entries do not change, diagonal
covariances stay diagonal) form a space, and its dimension is the number of parameters too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.protocols import Array
from mixtura.statistics import unpack_symmetric

if TYPE_CHECKING:
    from mixtura.chains.linear_gaussian import LinearGaussianChain
    from mixtura.chains.linear_gaussian_system import System

__all__ = ["redundant"]

_ZERO = 1e-9


def _generic(chain: LinearGaussianChain) -> System:
    """A system of the same laws, without the zeros and coincidences of a certain one."""
    rng = np.random.default_rng(0)
    vector = rng.uniform(0.2, 0.8, len(chain.coordinates())) * rng.choice(
        [-1.0, 1.0], len(chain.coordinates())
    )
    return chain.from_coordinates(vector).system


def redundant(chain: LinearGaussianChain) -> int:
    """Dimension of the changes of free parameters that leave the law of the rows as it is.

    Parameters
    ----------
    chain : LinearGaussianChain
        Its laws matter, its parameters only where they are known.

    Examples
    --------
    >>> from mixtura.chains import KnownInitial, KnownNoise, LinearGaussianChain, System
    >>> two = LinearGaussianChain(System.of(np.eye(2), np.eye(3, 2), np.eye(2), np.eye(3)))
    >>> redundant(two)  # M and s
    6
    >>> redundant(two.replace(noise=KnownNoise(), initial=KnownInitial()))  # rotations
    1
    """
    system = _generic(chain)
    n = system.n_states
    sizes = (n * n, n, n * (n + 1) // 2)
    directions = np.eye(sum(sizes))
    columns = [_forbidden(chain, system, *np.split(one, np.cumsum(sizes)[:-1])) for one in directions]
    values = np.linalg.svd(np.column_stack(columns), compute_uv=False)
    return int(sum(sizes) - np.count_nonzero(values > _ZERO * values[0]))


def _forbidden(chain: LinearGaussianChain, system: System, e: Array, s: Array, x: Array) -> Array:
    """What of one such change the laws do not allow."""
    n = system.n_states
    e, x = e.reshape(n, n), unpack_symmetric(x, n)
    a, c = system.transition, system.observation

    def turned(covariance: Array) -> Array:
        return np.asarray(e @ covariance + covariance @ e.T)

    moves = np.column_stack(
        [e @ a - a @ e, e @ system.state_inputs, e @ system.state_bias + s - a @ s],
    )
    looks = np.column_stack([-c @ e, np.zeros_like(system.observation_inputs), -c @ s])
    return np.concatenate(
        [
            moves[~chain.moves.free(moves)],
            looks[~chain.looks.free(looks)],
            chain.noise.forbidden(turned(system.state_noise) + x - a @ x @ a.T),
            chain.initial.forbidden(e @ system.initial_mean + s, turned(system.initial_covariance) + x),
            (x @ c.T).ravel(),
        ]
    )
