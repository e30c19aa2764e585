"""Settings of a linear dynamical system as laws of its parameters, and where learning begins under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.chains import (
    CoefficientLaw,
    DiagonalNoise,
    DiffuseInitial,
    FilterForm,
    FreeCoefficients,
    FreeInitial,
    FreeNoise,
    InitialLaw,
    Joseph,
    KnownCoefficients,
    KnownInitial,
    KnownNoise,
    LinearGaussianChain,
    NoiseLaw,
    SphericalNoise,
    SquareRoot,
    StationaryInitial,
    System,
)
from mixtura.chains.linear_gaussian_start import neutral_start, subspace_start
from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.protocols import Array

__all__ = ["FORMS", "STARTS", "Restrictions", "as_known", "first_law"]

FORMS: dict[str, FilterForm] = {"joseph": Joseph(), "square_root": SquareRoot()}
STARTS = {"subspace": subspace_start, "neutral": neutral_start}
_FREE = "free"
_NOISES = ("full", "diagonal", "spherical")
_INITIALS = ("free", "stationary", "diffuse")


def first_law(initial: str) -> InitialLaw:
    """The law of the first state when nothing is learnt any more."""
    return DiffuseInitial() if initial == "diffuse" else KnownInitial()


def as_known(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A setting as known values, NaN where a parameter is learnt.

    Raises
    ------
    InvalidParameterError
        If it is neither "free", a number, nor an array of this shape.

    Examples
    --------
    >>> as_known("transition", [[0.5, np.nan], [0.0, 1.0]], (2, 2))
    array([[0.5, nan],
           [0. , 1. ]])
    >>> as_known("state_bias", "free", (2,))
    array([nan, nan])
    """
    if isinstance(value, str):
        if value != _FREE:
            msg = f"{name} is {value!r}; expected 'free', a number for all entries, or an array of shape {shape} with NaN for free entries."
            raise InvalidParameterError(msg)
        return np.full(shape, np.nan)
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full((), np.inf)
    if array.ndim == 0 and not np.isinf(array):
        return np.full(shape, float(array))
    if array.shape != shape or np.isinf(array).any():
        found = f"has shape {array.shape}" if array.ndim else f"is {value!r}"
        msg = f"{name} {found}; expected 'free', a number for all entries, or an array of shape {shape} with NaN for free entries."
        raise InvalidParameterError(msg)
    return array


def _coefficient_law(known: Array) -> CoefficientLaw:
    return FreeCoefficients() if np.isnan(known).all() else KnownCoefficients(known)


def _noise_law(name: str, value: Any, n: int, least: Array | float) -> tuple[NoiseLaw, Array | None]:
    """The law of a covariance, and the known one."""
    if isinstance(value, str):
        if value not in _NOISES:
            msg = f"{name} is {value!r}, which is neither a kind of covariance nor an array. {did_you_mean(value, _NOISES)}"
            raise InvalidParameterError(msg)
        laws: dict[str, NoiseLaw] = {
            "full": FreeNoise(least),
            "diagonal": DiagonalNoise(least=least),
            "spherical": SphericalNoise(float(np.max(least))),
        }
        return laws[value], None
    array = np.asarray(value, dtype=np.float64)
    if array.shape == (n,):
        return DiagonalNoise(array, least), None
    if array.shape != (n, n) or not np.isfinite(array).all():
        msg = (
            f"{name} has shape {array.shape}; expected one of {', '.join(map(repr, _NOISES))}, a known covariance of shape ({n}, {n}), "
            f"or variances of shape ({n},) with NaN where one is learnt."
        )
        raise InvalidParameterError(msg)
    return KnownNoise(), array


@dataclass(frozen=True)
class Restrictions:
    """What is known of every parameter, and how the rest is learnt.

    Parameters
    ----------
    moves, looks : ndarray, shapes (S, S + Q + 1), (D, S + Q + 1)
        Known entries of [A, B, b] and [C, D, d]; NaN where one is learnt.
    noise, error : (NoiseLaw, ndarray or None)
        Laws of Gamma and Sigma, and the known covariance.
    initial : str
        "free", "stationary" or "diffuse".
    initial_mean, initial_covariance : ndarray or None
        Known ones of the first state.
    """

    moves: Array
    looks: Array
    noise: tuple[NoiseLaw, Array | None]
    error: tuple[NoiseLaw, Array | None]
    initial: str
    initial_mean: Array | None
    initial_covariance: Array | None

    @classmethod
    def of(cls, settings: Any, n_features: int, n_inputs: int, least: Array) -> Restrictions:
        """From the settings of an estimator.

        Parameters
        ----------
        settings : LinearDynamicalSystem
            The estimator.
        n_features, n_inputs : int
            D and Q.
        least : ndarray, shape (D,)
            Smallest variances of the observation noise.
        """
        n = settings.n_states
        if settings.initial not in _INITIALS:
            msg = f"initial is {settings.initial!r}. {did_you_mean(str(settings.initial), _INITIALS)}"
            raise InvalidParameterError(msg)

        def known(name: str, *shape: int) -> Array:
            return as_known(name, getattr(settings, name), shape)

        moves = (
            known("transition", n, n),
            known("state_inputs", n, n_inputs),
            known("state_bias", n),
        )
        looks = (
            known("observation", n_features, n),
            known("observation_inputs", n_features, n_inputs),
            known("observation_bias", n_features),
        )
        if settings.initial == "diffuse" and np.isnan(looks[0]).any():
            msg = (
                "initial is 'diffuse', but observation has entries that are learnt; expected a known observation matrix: a flat law of "
                "the first state has no scale, so that of the states must be known. Give observation, or initial='free'."
            )
            raise InvalidParameterError(msg)
        first = {
            name: None if getattr(settings, name) is None else known(name, *shape)
            for name, shape in (("initial_mean", (n,)), ("initial_covariance", (n, n)))
        }
        return cls(
            np.column_stack(moves),
            np.column_stack(looks),
            _noise_law("state_noise", settings.state_noise, n, 0.0),
            _noise_law("observation_noise", settings.observation_noise, n_features, least),
            settings.initial,
            first["initial_mean"],
            first["initial_covariance"],
        )

    def moved(self, origin: Array) -> Restrictions:
        """The same about another origin of the rows: a known bias d is less by it."""
        looks = self.looks.copy()
        looks[:, -1] -= origin
        return replace(self, looks=looks)

    def _initial_law(self) -> InitialLaw:
        if self.initial == "stationary":
            return StationaryInitial()
        if self.initial == "diffuse":
            return DiffuseInitial()
        if self.initial_mean is not None and self.initial_covariance is not None:
            return KnownInitial()
        covariance: NoiseLaw = FreeNoise() if self.initial_covariance is None else KnownNoise()
        return FreeInitial(covariance, known_mean=self.initial_mean is not None)

    def chain(self, system: System, form: FilterForm) -> LinearGaussianChain:
        """A system with what is known in its place, and the laws of the rest."""
        n = system.n_states
        moves = np.where(np.isnan(self.moves), system.moves, self.moves)
        looks = np.where(np.isnan(self.looks), system.looks, self.looks)
        if not np.isnan(self.looks[:, :n]).all():  # states of a known scale: as large as the rows say
            seen = np.sum(looks[:, :n] @ system.initial_covariance * looks[:, :n])
            told = np.sum(system.observation @ system.initial_covariance * system.observation)
            scale = told / seen if seen > 0 else 1.0
            system = system.replace(
                state_noise=scale * system.state_noise, initial_covariance=scale * system.initial_covariance
            )
        noise, error = (
            law.maximize(current, 1.0, current) if known is None else known
            for (law, known), current in (
                (self.noise, system.state_noise),
                (self.error, system.observation_noise),
            )
        )
        told = 0.0 if self.initial == "diffuse" else 1.0  # nothing is known beside what was given
        mean = told * system.initial_mean if self.initial_mean is None else self.initial_mean
        start = told * system.initial_covariance
        covariance = start if self.initial_covariance is None else self.initial_covariance
        checked = System.of(  # says so where a known parameter cannot be one
            moves[:, :n],
            looks[:, :n],
            noise,
            error,
            initial_mean=mean,
            initial_covariance=covariance,
            state_inputs=moves[:, n:-1],
            observation_inputs=looks[:, n:-1],
            state_bias=moves[:, -1],
            observation_bias=looks[:, -1],
        )
        law = self._initial_law()
        if self.initial == "stationary":
            mean, covariance = StationaryInitial.law(checked)
            checked = checked.replace(initial_mean=mean, initial_covariance=covariance)
        return LinearGaussianChain(
            checked,
            moves=_coefficient_law(self.moves),
            noise=self.noise[0],
            looks=_coefficient_law(self.looks),
            error=self.error[0],
            initial=law,
            form=form,
        )
