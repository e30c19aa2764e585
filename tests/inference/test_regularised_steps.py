"""Steps with `reg_covar` can lower the likelihood: they are taken whole, and the run still ends."""

import numpy as np

from mixtura import GaussianMixture
from mixtura.inference.stopping import Reason


def test_a_tight_tolerance_is_met_although_the_likelihood_falls(rng):
    # A column of variance 1e-4 next to reg_covar = 1e-5: every step adds a tenth to it.
    scale = np.array([1.0, 0.01])
    rows = np.concatenate([rng.normal(0, 1, (200, 2)), rng.normal(3, 1, (200, 2))]) * scale
    mixture = GaussianMixture(2, reg_covar=1e-5, tol=1e-10, init_params="kmeans", random_state=0).fit(rows)
    assert mixture.stop_reason_ == Reason.CONVERGED
    passes = []
    GaussianMixture(
        2, reg_covar=1e-5, tol=1e-10, init_params="kmeans", random_state=0, callbacks=[passes.append]
    ).fit(rows)
    assert len(passes) == mixture.n_iter_ + 1  # one pass a step, and one for the start: nothing was halved
