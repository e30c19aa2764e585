"""The parameters of a linear dynamical system, and what the recursions read of them for the rows of a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from mixtura.chains.kalman import Steps
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array, Batch, Memory
from mixtura.structures.grouped import offsets_of

__all__ = ["Patterns", "System"]


class Patterns(NamedTuple):
    """Which cells are missing, by pattern.

    Parameters
    ----------
    missing : ndarray of bool, shape (P, D)
        Patterns in which something is seen.
    look : ndarray of int, shape (T,)
        Pattern of every row; -1 where nothing is seen.
    """

    missing: Array
    look: Array

    @classmethod
    def of(cls, batch: Batch, memory: Memory) -> Self:
        """Those of a batch; the batch's memory keeps them."""
        if "look" not in memory:
            missing = np.isnan(batch.x)
            if batch.seen is not None:
                missing = missing | ~batch.seen
            memory["missing"], memory["look"] = cls._found(missing.T)
        return cls(memory["missing"], memory["look"])

    @staticmethod
    def _found(missing: Array) -> tuple[Array, Array]:
        rows, n_features = missing.shape
        if not missing.any():
            return np.zeros((1, n_features), dtype=bool), np.zeros(rows, dtype=np.intp)
        packed = np.packbits(missing, axis=1)
        codes = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
        _, first, number = np.unique(codes, return_index=True, return_inverse=True)
        patterns = missing[first]
        some = ~patterns.all(axis=1)
        if not some.any():
            return np.zeros((1, n_features), dtype=bool), np.full(rows, -1, dtype=np.intp)
        return patterns[some], np.where(some, np.cumsum(some) - 1, -1)[number]


@dataclass(frozen=True)
class System:
    r"""Parameters of z_t = A z_{t-1} + B u_t + b + w, x_t = C z_t + D u_t + d + v.

    Parameters
    ----------
    transition : ndarray, shape (S, S)
        A.
    state_inputs : ndarray, shape (S, Q)
        B.
    state_bias : ndarray, shape (S,)
        b.
    state_noise : ndarray, shape (S, S)
        Gamma, covariance of w; may be singular.
    observation : ndarray, shape (D, S)
        C.
    observation_inputs : ndarray, shape (D, Q)
        The observations' D.
    observation_bias : ndarray, shape (D,)
        d.
    observation_noise : ndarray, shape (D, D)
        Sigma, covariance of v.
    initial_mean : ndarray, shape (S,)
        m0, of the first state.
    initial_covariance : ndarray, shape (S, S)
        V0; may be singular.

    Examples
    --------
    >>> level = System.of(np.eye(1), np.eye(1), 0.1 * np.eye(1), np.eye(1))
    >>> level.n_states, level.n_features, level.spectral_radius
    (1, 1, 1.0)
    """

    transition: Array
    state_inputs: Array
    state_bias: Array
    state_noise: Array
    observation: Array
    observation_inputs: Array
    observation_bias: Array
    observation_noise: Array
    initial_mean: Array
    initial_covariance: Array

    @classmethod
    def of(
        cls,
        transition: Array,
        observation: Array,
        state_noise: Array,
        observation_noise: Array,
        *,
        initial_mean: Array | None = None,
        initial_covariance: Array | None = None,
        state_bias: Array | None = None,
        observation_bias: Array | None = None,
        state_inputs: Array | None = None,
        observation_inputs: Array | None = None,
    ) -> Self:
        """The system with zeros for what is not given, and a first state of covariance one.

        Raises
        ------
        InvalidParameterError
            Naming the parameter whose shape does not fit, is not finite, or is no covariance.
        """
        n_features, n_states = np.shape(observation)
        given = [inputs for inputs in (state_inputs, observation_inputs) if inputs is not None]
        n_inputs = np.shape(given[0])[1] if given else 0
        shapes = {
            "transition": (transition, (n_states, n_states)),
            "state_inputs": (state_inputs, (n_states, n_inputs)),
            "state_bias": (state_bias, (n_states,)),
            "state_noise": (state_noise, (n_states, n_states)),
            "observation": (observation, (n_features, n_states)),
            "observation_inputs": (observation_inputs, (n_features, n_inputs)),
            "observation_bias": (observation_bias, (n_features,)),
            "observation_noise": (observation_noise, (n_features, n_features)),
            "initial_mean": (initial_mean, (n_states,)),
            "initial_covariance": (
                np.eye(n_states) if initial_covariance is None else initial_covariance,
                (n_states, n_states),
            ),
        }
        checked = {name: _checked(name, value, shape) for name, (value, shape) in shapes.items()}
        for name in ("state_noise", "observation_noise", "initial_covariance"):
            _check_covariance(name, checked[name])
        return cls(**checked)

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.transition)

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.observation)

    @property
    def n_inputs(self) -> int:
        """Q."""
        return int(self.state_inputs.shape[1])

    @property
    def spectral_radius(self) -> float:
        """Size of the largest eigenvalue of A; the system is stable where it is below 1."""
        return float(np.abs(np.linalg.eigvals(self.transition)).max())

    @property
    def moves(self) -> Array:
        """[A, B, b], the coefficients of state on state before, inputs and one, shape (S, S + Q + 1)."""
        return np.column_stack([self.transition, self.state_inputs, self.state_bias])

    @property
    def looks(self) -> Array:
        """[C, D, d], the coefficients of rows on state, inputs and one, shape (D, S + Q + 1)."""
        return np.column_stack([self.observation, self.observation_inputs, self.observation_bias])

    def replace(self, **changes: Array) -> Self:
        """The same with some parameters changed."""
        return replace(self, **changes)

    def with_moves(self, moves: Array, noise: Array) -> Self:
        """Other [A, B, b] and Gamma."""
        n = self.n_states
        return replace(
            self,
            transition=np.ascontiguousarray(moves[:, :n]),
            state_inputs=moves[:, n:-1],
            state_bias=moves[:, -1],
            state_noise=noise,
        )

    def with_looks(self, looks: Array, noise: Array) -> Self:
        """Other [C, D, d] and Sigma."""
        n = self.n_states
        return replace(
            self,
            observation=np.ascontiguousarray(looks[:, :n]),
            observation_inputs=looks[:, n:-1],
            observation_bias=looks[:, -1],
            observation_noise=noise,
        )

    def take(self, states: Array) -> Self:
        """The system of some of the states."""
        both = np.ix_(states, states)
        return replace(
            self,
            transition=self.transition[both],
            state_inputs=self.state_inputs[states],
            state_bias=self.state_bias[states],
            state_noise=self.state_noise[both],
            observation=self.observation[:, states],
            initial_mean=self.initial_mean[states],
            initial_covariance=self.initial_covariance[both],
        )

    def transformed(self, matrix: Array) -> Self:
        """The same law of the rows with states M z in the place of z, for any M that has an inverse.

        Parameters
        ----------
        matrix : ndarray, shape (S, S)
            M.
        """
        back = np.linalg.inv(matrix)
        return replace(
            self,
            transition=matrix @ self.transition @ back,
            state_inputs=matrix @ self.state_inputs,
            state_bias=matrix @ self.state_bias,
            state_noise=matrix @ self.state_noise @ matrix.T,
            observation=self.observation @ back,
            initial_mean=matrix @ self.initial_mean,
            initial_covariance=matrix @ self.initial_covariance @ matrix.T,
        )

    def steps(self, batch: Batch, memory: Memory) -> Steps:
        """What the recursions read for the rows of a batch.

        Parameters
        ----------
        batch : Batch
            `x` of shape (D, T), NaN where a cell is missing; `covariates`, (Q, T), are the inputs.
        memory : dict
            Keeps the patterns of missing cells.
        """
        found = Patterns.of(batch, memory)
        rows = np.ascontiguousarray(batch.x.T, dtype=np.float64)
        n_rows = len(rows)
        drift = np.tile(self.state_bias, (n_rows, 1))
        rest = rows - self.observation_bias
        if batch.covariates is not None:
            inputs = batch.covariates.T
            drift += inputs @ self.state_inputs.T
            rest -= inputs @ self.observation_inputs.T
        seen = np.where(found.look >= 0, self.n_features, 0)
        loading, error = self.observation[None], self.observation_noise[None]
        if found.missing.any() or (found.look < 0).any():
            loading = np.where(found.missing[:, :, None], 0.0, loading)
            error = np.where(
                found.missing[:, :, None] | found.missing[:, None], np.eye(self.n_features), error
            )
            seen = np.where(found.look >= 0, (~found.missing).sum(axis=1)[found.look], 0)
            rest[(found.look < 0)[:, None] | found.missing[found.look]] = 0.0
        return Steps(
            self.transition[None],
            np.ascontiguousarray(self.state_noise)[None],
            np.zeros(n_rows, dtype=np.intp),
            drift,
            np.ascontiguousarray(loading),
            np.ascontiguousarray(error),
            found.look,
            rest,
            seen,
            np.asarray(offsets_of(batch, n_rows), dtype=np.intp),
            self.initial_mean[None],
            np.ascontiguousarray(self.initial_covariance)[None],
        )


def _checked(name: str, value: Array | None, shape: tuple[int, ...]) -> Array:
    """A parameter as floats of the right shape; zeros where it is not given."""
    if value is None:
        return np.zeros(shape)
    array = np.array(value, dtype=np.float64, order="C")
    if array.shape != shape:
        msg = f"{name} has shape {array.shape}; expected {shape}, to fit the other parameters."
        raise InvalidParameterError(msg)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        msg = f"{name}{list(where)} is {array[where]}; expected finite numbers."
        raise InvalidParameterError(msg)
    return array


def _check_covariance(name: str, matrix: Array) -> None:
    """Refuse what is not symmetric and positive semidefinite."""
    size = max(float(np.abs(matrix).max(initial=0.0)), 1e-300)
    if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-8 * size:
        msg = f"{name} is not symmetric; expected a covariance matrix. Take (M + M') / 2 if that is what you mean."
        raise InvalidParameterError(msg)
    lowest = float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[0])
    if lowest < -1e-10 * size:
        msg = f"{name} has an eigenvalue of {lowest:.6g}; expected a covariance matrix, of which none is below 0."
        raise InvalidParameterError(msg)
