"""What Gaussian mixtures share, whether their parameters are numbers or have posterior laws."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mixtura.components import Gaussian
from mixtura.inference.driver import FitResult
from mixtura.models._base import BaseMixture
from mixtura.models._elliptical import EllipticalMixture
from mixtura.protocols import Array

__all__ = ["GaussianRows"]


class GaussianRows(EllipticalMixture):
    """Gaussian components, and their parameters under scikit-learn's names."""

    _matrices: ClassVar[str] = "covariances_"

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_: Array
    precisions_cholesky_: Array

    def _blank(self, covariance_type: str) -> Gaussian:
        return Gaussian(model=self._model_of(covariance_type, float(self.reg_covar)))

    def _filled(self, blank: Gaussian, mean: Array, matrix: Array, like: Any = None) -> Gaussian:
        return blank.replace(mean, matrix)

    def _matrix(self, components: Gaussian) -> Array:
        return components.covariance

    def _is_kin(self, other: BaseMixture) -> bool:
        return isinstance(other, GaussianRows)

    def _publish(self, result: FitResult) -> None:
        components, dtype = result.model.components, self._fitted_dtype
        covariance, factor = components.covariance, components.precision_cholesky
        if self._coded:
            covariance, factor = (
                components.model.matrices(one, *components.mean.shape) for one in (covariance, factor)
            )
        self.weights_ = result.model.structure.weights.astype(dtype)
        self.means_ = (components.mean + result.model.encoding.origin).astype(dtype)
        self.covariances_ = np.array(covariance, dtype=dtype, order="C")
        self.precisions_cholesky_ = np.array(factor, dtype=dtype, order="C")
        elementwise = self.covariance_type in ("diag", "spherical")
        self.precisions_ = (factor**2 if elementwise else factor @ np.swapaxes(factor, -1, -2)).astype(dtype)

    # --- pictures ---------------------------------------------------------------------------------------------
    def plot_density(self, X: Any = None, ax: Any = None, **options: Any) -> Any:
        """One-dimensional density with its components; see :func:`mixtura.plots.plot_density`."""
        from mixtura.plots import plot_density

        return plot_density(self, X, ax=ax, **options)

    def plot_clusters(self, X: Any, ax: Any = None, **options: Any) -> Any:
        """Two-dimensional rows with ellipses; see :func:`mixtura.plots.plot_clusters`."""
        from mixtura.plots import plot_clusters

        return plot_clusters(self, X, ax=ax, **options)
