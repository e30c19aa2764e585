r"""The covariance models of mclust by volume, shape and axes: Sigma_k = lambda_k D_k A_k D_k'.

lambda_k is the volume |Sigma_k|^(1/d), A_k the diagonal shape of determinant one, D_k the orthogonal axes. A code has a
letter for each: E equal in all components, V varying, I the identity. Four of the fourteen are the structures of
:mod:`mixtura.components.covariance` (VVV, EEE, VVI and VII); the others are here. The file is long because the ten stand side by side.

==========  ====================  ==========================================
letter      E, V, I               free parameters
==========  ====================  ==========================================
volume      E, V                  1, K
shape       I, E, V               0, d - 1, K (d - 1)
axes        I, E, V               0, d (d - 1) / 2, K d (d - 1) / 2
==========  ====================  ==========================================

Scatters W_k get `regularization` n_k on their diagonal, so that the structure stays what it is.

References
----------
.. [1] G. Celeux, G. Govaert (1995), Gaussian parsimonious clustering models, Pattern Recognition 28, 781-793.
.. [2] L. Scrucca, M. Fop, T. B. Murphy, A. E. Raftery (2016), mclust 5, The R Journal 8, 289-317, table 3.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from mixtura.components.axes import OwnVolumes, SharedVolume, common_axes, proportional
from mixtura.components.covariance import CovarianceModel, Diagonal, Full, Spherical, Tied
from mixtura.components.rotations import axes_from_coordinates, axes_to_coordinates
from mixtura.exceptions import InvalidParameterError
from mixtura.protocols import Array

__all__ = [
    "EEI",
    "EEV",
    "EII",
    "EVE",
    "EVI",
    "EVV",
    "MCLUST",
    "VEE",
    "VEI",
    "VEV",
    "VVE",
    "covariance_code",
    "nested_codes",
]

_ORDER = "IEV"
# Components whose own axes are tried as common ones when there is no start.
_MOST_AXES = 8


class _Coded(CovarianceModel):
    """What follows from the code alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bounded:
            msg = (
                f"{self.name} was given bounds on the variances ({self.lowest:g} to {self.highest:g}), which would break its "
                "shapes; expected none. Bounds go with Full, Tied, Diagonal and Spherical."
            )
            raise InvalidParameterError(msg)

    @property
    def own_volume(self) -> bool:  # type: ignore[override]
        """By the first letter."""
        return self.name[0] == "V"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Volume, shape and axes by their letters."""
        volume, shape, axes = ({"I": 0, "E": 1, "V": n_components}[letter] for letter in self.name)
        return volume + shape * (n_features - 1) + axes * (n_features * (n_features - 1) // 2)

    def _levels(self, logs: Array) -> list[Array]:
        """Log eigenvalues (K, D) as log volumes and log shapes, once where they are equal."""
        volume = logs.mean(axis=1)
        shape = logs - volume[:, None]
        return [
            volume[: 1 if self.name[0] == "E" else None],
            shape[: 1 if self.name[1] == "E" else None].ravel(),
        ]

    def _from_levels(self, vector: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Log eigenvalues (K, D), and the coordinates that are left over."""
        k, d = shape[:2]
        n_volumes, n_shapes = (1 if letter == "E" else k for letter in self.name[:2])
        volume, shapes, rest = np.split(vector, [n_volumes, n_volumes + n_shapes * d])
        table = shapes.reshape(n_shapes, d)
        logs = volume[:, None] + table - table.mean(axis=1, keepdims=True)
        return np.broadcast_to(logs, (k, d)), rest


class EII(_Coded, Spherical):
    """Balls of one size."""

    name = "EII"

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """lambda = sum_k tr W_k / (n d)."""
        return np.full(len(counts), scatter.sum() / counts.sum() + self.regularization)

    def free(self, covariance: Array) -> Array:
        """Log standard deviation."""
        return np.log(covariance[:1]) / 2.0

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`."""
        return np.full(shape, np.exp(2.0 * vector[0]))


class _CodedDiagonal(_Coded, Diagonal):
    """Axes are the columns: covariances (K, D)."""

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """By the code; a component without scatter gets zeros, which `precision_cholesky` refuses."""
        scatter = scatter + self.regularization * counts[:, None]
        alive = self._alive(scatter)
        if not alive.any():
            return np.zeros(scatter.shape)
        covariance = np.zeros(scatter.shape)
        usable = start is not None and start.shape == scatter.shape and bool(np.all(start > 0))
        logs = np.log(start[alive]).mean(axis=1) if usable and start is not None else None
        covariance[alive] = self._variances(counts[alive], scatter[alive], logs)
        return covariance

    def _alive(self, scatter: Array) -> Array:
        """Components for which there is a maximum."""
        return np.asarray((scatter > 0).all(axis=1))

    @abstractmethod
    def _variances(self, counts: Array, scatter: Array, log_volume: Array | None) -> Array:
        """Variances from scatter of rank d."""

    def free(self, covariance: Array) -> Array:
        """Log volumes and shapes."""
        return np.concatenate(self._levels(np.log(covariance)))

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`; shapes are normalised."""
        return np.exp(self._from_levels(vector, shape)[0])


class EEI(_CodedDiagonal):
    """Axis-parallel ellipsoids of one volume and shape."""

    name = "EEI"

    def _alive(self, scatter: Array) -> Array:
        """All, if every column varies somewhere."""
        return np.full(len(scatter), bool((scatter.sum(axis=0) > 0).all()))

    def _variances(self, counts: Array, scatter: Array, log_volume: Array | None) -> Array:
        """Sum of diag W_k / n."""
        return np.broadcast_to(scatter.sum(axis=0) / counts.sum(), scatter.shape)


class VEI(_CodedDiagonal):
    """Axis-parallel ellipsoids of one shape: `proportional` of the diagonals."""

    name = "VEI"

    def _alive(self, scatter: Array) -> Array:
        """With any scatter, if every column varies somewhere."""
        return np.asarray((scatter.sum(axis=1) > 0) & bool((scatter.sum(axis=0) > 0).all()))

    def _variances(self, counts: Array, scatter: Array, log_volume: Array | None) -> Array:
        """lambda_k A."""
        s, total = proportional(counts, scatter, log_volume)
        return np.exp(s)[:, None] * total / counts.sum()


class EVI(_CodedDiagonal):
    """Axis-parallel ellipsoids of one volume."""

    name = "EVI"

    def _variances(self, counts: Array, scatter: Array, log_volume: Array | None) -> Array:
        """A_k = diag W_k over its geometric mean g_k; lambda = sum g_k / n."""
        geometric = np.exp(np.log(scatter).mean(axis=1))
        return scatter * (geometric.sum() / counts.sum() / geometric)[:, None]


class _CodedFull(_Coded, Full):
    """Axes are not the columns: covariances (K, D, D)."""

    def maximize(self, counts: Array, scatter: Array, start: Array | None = None) -> Array:
        """By the code; a component for which there is no maximum gets zeros, which `precision_cholesky` refuses."""
        scatter = scatter + self.regularization * counts[:, None, None] * np.eye(scatter.shape[1])
        if start is None or start.shape != scatter.shape or not np.isfinite(start).all():
            start = None
        covariance = np.zeros(scatter.shape)
        alive = self._alive(scatter)
        if alive.any():
            begin = None if start is None else start[alive]
            found = self._covariances(counts[alive], scatter[alive], begin)
            covariance[alive] = 0.5 * (found + found.swapaxes(1, 2))
        return covariance

    def _alive(self, scatter: Array) -> Array:
        """Components for which there is a maximum: here those of full rank."""
        values = np.linalg.eigvalsh(scatter)
        return np.asarray(values[:, 0] > np.finfo(np.float64).eps * values[:, -1])

    @abstractmethod
    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """Covariances of components that have them."""


class _SharedShape(_CodedFull):
    """A component may lie in a plane as long as the others do not."""

    def _alive(self, scatter: Array) -> Array:
        """With any scatter."""
        values = np.linalg.eigvalsh(scatter.sum(axis=0))
        whole = bool(values[0] > np.finfo(np.float64).eps * values[-1])
        return np.asarray((np.trace(scatter, axis1=1, axis2=2) > 0) & whole)


class VEE(_SharedShape):
    """Ellipsoids that differ in volume only: `proportional`."""

    name = "VEE"

    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """lambda_k C."""
        s, total = proportional(counts, scatter, _log_volume(start))
        return np.exp(s)[:, None, None] * total / counts.sum()

    def free(self, covariance: Array) -> Array:
        """Log volumes, and log-Cholesky of the common shape."""
        logs = np.linalg.slogdet(covariance)[1] / covariance.shape[1]
        return np.concatenate([logs, super().free(covariance[:1] * np.exp(-logs[0]))])

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`; the shape is normalised."""
        common = _normalised(super().from_free(vector[shape[0] :], (1, *shape[1:])))
        return np.asarray(np.exp(vector[: shape[0]])[:, None, None] * common)


class EVV(_CodedFull):
    """Ellipsoids of one volume."""

    name = "EVV"

    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """C_k = W_k / |W_k|^(1/d); lambda = sum |W_k|^(1/d) / n."""
        volume = np.exp(np.linalg.slogdet(scatter)[1] / scatter.shape[1])
        return scatter * (volume.sum() / counts.sum() / volume)[:, None, None]

    def free(self, covariance: Array) -> Array:
        """Log volume, and log-Cholesky of each shape."""
        logs = np.linalg.slogdet(covariance)[1] / covariance.shape[1]
        return np.concatenate([logs[:1], super().free(_normalised(covariance))])

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`; shapes are normalised."""
        return np.asarray(np.exp(vector[0]) * _normalised(super().from_free(vector[1:], shape)))


class _OwnAxes(_SharedShape):
    """One shape, axes of each component: with W_k = L_k Omega_k L_k' the axes are L_k."""

    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """Eigenvalues in one order go with one shape: no other pairing has a smaller trace."""
        values, axes = np.linalg.eigh(scatter)
        return _along(axes, self._eigenvalues(counts, np.maximum(values, 0.0), start))

    @abstractmethod
    def _eigenvalues(self, counts: Array, omega: Array, start: Array | None) -> Array:
        """lambda_k A from the ordered eigenvalues of the scatters, shape (K, D)."""

    def free(self, covariance: Array) -> Array:
        """Log volumes and shape, and the axes of each."""
        values, axes = np.linalg.eigh(covariance)
        return np.concatenate([*self._levels(np.log(values)), *(axes_to_coordinates(one) for one in axes)])

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`."""
        logs, rest = self._from_levels(vector, shape)
        axes = [axes_from_coordinates(one, shape[1]) for one in rest.reshape(shape[0], -1)]
        return _along(np.stack(axes), np.exp(logs))


class EEV(_OwnAxes):
    """One volume and shape, own axes."""

    name = "EEV"

    def _eigenvalues(self, counts: Array, omega: Array, start: Array | None) -> Array:
        """Sum of the Omega_k / n."""
        return np.broadcast_to(omega.sum(axis=0) / counts.sum(), omega.shape)


class VEV(_OwnAxes):
    """One shape, own volume and axes: `proportional` of the eigenvalues."""

    name = "VEV"

    def _eigenvalues(self, counts: Array, omega: Array, start: Array | None) -> Array:
        """lambda_k A."""
        s, total = proportional(counts, omega, _log_volume(start))
        return np.exp(s)[:, None] * total / counts.sum()


class _CommonAxes(_CodedFull):
    """Axes that all components share: `common_axes`."""

    def _starts(self, counts: Array, scatter: Array, start: Array | None) -> list[Array]:
        """The axes before; without them those of sums of the scatters and of each."""
        if start is not None:
            return [_joint_axes(start)]
        _, weighted = proportional(counts, scatter)
        return list(np.linalg.eigh(np.stack([scatter.sum(axis=0), weighted, *scatter[:_MOST_AXES]]))[1])

    def free(self, covariance: Array) -> Array:
        """Log volumes and shapes, and the axes."""
        axes = _joint_axes(covariance)
        return np.concatenate([*self._levels(np.log(_seen(axes, covariance))), axes_to_coordinates(axes)])

    def from_free(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `free`."""
        logs, rest = self._from_levels(vector, shape)
        return _along(axes_from_coordinates(rest, shape[1]), np.exp(logs))


class EVE(_CommonAxes):
    """One volume, own shapes, common axes."""

    name = "EVE"

    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """As EVI along the axes."""
        starts = self._starts(counts, scatter, start)
        axes = common_axes(SharedVolume(counts, scatter.shape[1]), scatter, starts)
        return _along(axes, EVI().maximize(counts, _seen(axes, scatter)))


class VVE(_CommonAxes):
    """Own volumes and shapes, common axes."""

    name = "VVE"

    def _covariances(self, counts: Array, scatter: Array, start: Array | None) -> Array:
        """As VVI along the axes."""
        starts = self._starts(counts, scatter, start)
        axes = common_axes(OwnVolumes(counts, scatter.shape[1]), scatter, starts)
        return _along(axes, _seen(axes, scatter) / counts[:, None])


#: mclust's codes, for the user classes and model files only.
MCLUST: dict[str, type[CovarianceModel]] = {
    "EII": EII,
    "VII": Spherical,
    "EEI": EEI,
    "VEI": VEI,
    "EVI": EVI,
    "VVI": Diagonal,
    "EEE": Tied,
    "VEE": VEE,
    "EVE": EVE,
    "VVE": VVE,
    "EEV": EEV,
    "VEV": VEV,
    "EVV": EVV,
    "VVV": Full,
}


def covariance_code(name: str) -> str:
    """mclust's code of a covariance type, whichever of both names it has.

    Examples
    --------
    >>> covariance_code("tied"), covariance_code("VEV")
    ('EEE', 'VEV')
    """
    return {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}.get(name, name)


def nested_codes(name: str) -> list[str]:
    """Codes of all other models that are special cases, the largest first.

    Examples
    --------
    >>> nested_codes("EVE")
    ['EVI', 'EEE', 'EEI', 'EII']
    """
    own = covariance_code(name)
    rank = {code: [_ORDER.index(letter) for letter in code] for code in MCLUST}
    inside = [code for code in MCLUST if code != own and np.less_equal(rank[code], rank[own]).all()]
    return sorted(inside, key=lambda code: -sum(rank[code]))


def _log_volume(covariance: Array | None) -> Array | None:
    """Log |Sigma_k| / d, or None where there is no start."""
    if covariance is None:
        return None
    sign, logs = np.linalg.slogdet(covariance)
    return logs / covariance.shape[1] if np.all(sign > 0) and np.isfinite(logs).all() else None


def _normalised(matrices: Array) -> Array:
    """Matrices over the d-th root of their determinant."""
    logs = np.linalg.slogdet(matrices)[1] / matrices.shape[1]
    return np.asarray(matrices * np.exp(-logs)[:, None, None])


def _along(axes: Array, values: Array) -> Array:
    """D diag(values_k) D', shape (K, D, D)."""
    scaled = axes * values[:, None, :]
    return np.asarray(scaled @ np.broadcast_to(axes, scaled.shape).swapaxes(1, 2))


def _seen(axes: Array, matrices: Array) -> Array:
    """Diagonals of D' M_k D, shape (K, D)."""
    return np.asarray(np.einsum("ij,kil,lj->kj", axes, matrices, axes, optimize=True))


def _joint_axes(covariance: Array) -> Array:
    """Eigenvectors of a sum with unequal weights: common ones, where the matrices have them."""
    share = 1.0 / (np.sqrt(2.0) + np.arange(len(covariance)))
    size = np.trace(covariance, axis1=1, axis2=2)
    return np.asarray(np.linalg.eigh(np.einsum("k,kij->ij", share / size, covariance))[1])
