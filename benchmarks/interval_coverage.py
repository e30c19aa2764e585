"""How often 90 % intervals of a mixture weight hold the true one: two Gaussians, variational laws beside corrected ones.

Once with known densities, so that only the weights are learnt, and once with means and a common variance learnt as well. Samples
have a weight of 0.4; the less the components are apart, the more labels are in doubt, which the variational laws do not see.
Corrected intervals (linear response) must cover between 85 and 95 %. Coverages have a standard error of about .02 with 200 samples.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import against, options, pinned, progress, record, say, show
from scipy.stats import norm

from mixtura import Mixture
from mixtura.components import Gaussian, Tied
from mixtura.priors import DirichletPrior

LEVEL, WEIGHT, ROWS = 0.9, 0.4, 500
SEPARATIONS = (4.0, 3.0, 2.0)
LEAST, MOST = 0.85, 0.95
METHODS = ("laws", "corrected")


class Known(Gaussian):
    """Gaussians whose parameters are known: nothing is learnt of them, and nothing is uncertain."""

    def maximize(self, stats: Any) -> Known:
        return self

    def coordinates(self) -> Any:
        return np.zeros(0)

    def from_coordinates(self, vector: Any) -> Known:
        return self

    def moved(self, by: Any) -> Known:
        return Known(self.mean - by, self.covariance, self.model)

    def variational(self, prior: Any, overall: Any, origin: Any) -> Known:
        return self

    def draw(self, rng: Any) -> Known:
        return self

    @property
    def point(self) -> Known:
        return self


def known(separation: float) -> Gaussian:
    """Both densities."""
    return Known(np.array([[0.0], [separation]]), np.ones((2, 1, 1)))


def learnt(separation: float) -> Gaussian:
    """Nothing but the form."""
    return Gaussian(model=Tied())


SETTINGS: dict[str, Callable[[float], Gaussian]] = {"known": known, "learnt": learnt}


def fitted(components: Gaussian, x: np.ndarray) -> Mixture:
    """The fit of a sample, under a flat prior of the weights."""
    mixture = Mixture(
        components,
        2,
        inference="variational",
        weights_prior=DirichletPrior(1.0),
        init_params="kmeans",
        tol=1e-7,
        max_iter=10_000,
        random_state=0,
    )
    return mixture.fit(x)


def replication(setting: str, separation: float, seed: int) -> dict[str, tuple[bool, float]]:
    """For each method whether the interval holds the true weight of the left component, and its width."""
    rng = np.random.default_rng(seed)
    x = rng.normal(np.where(rng.random(ROWS) < WEIGHT, 0.0, separation), 1.0)[:, None]
    mixture = fitted(SETTINGS[setting](separation), x)
    table = mixture.params_frame("pandas")
    left = int(np.argmin(table[table["parameter"] == "mean"]["value"].to_numpy()))
    found = {}
    for method in METHODS:
        frame = mixture.credible_intervals(
            x, level=LEVEL, method=method, n_draws=1000, random_state=seed, library="pandas"
        )
        low, high = frame["lower"][left], frame["upper"][left]
        found[method] = (bool(low <= WEIGHT <= high), float(high - low))
    return found


def share_known(separation: float) -> float:
    """Share of the information about the weight that is left where labels are not known, densities known (by quadrature)."""
    x = np.linspace(-10.0, 10.0 + separation, 20_001)
    one, other = norm.pdf(x), norm.pdf(x - separation)
    density = WEIGHT * one + (1.0 - WEIGHT) * other
    information = np.sum((one - other) ** 2 / density) * (x[1] - x[0])
    return float(information * WEIGHT * (1.0 - WEIGHT))


def main() -> int:
    """Coverage over samples, by separation."""
    chosen = options(
        __doc__,
        ("--samples", {"type": int, "default": 200, "help": "samples of each kind"}),
        ("--settings", {"nargs": "*", "choices": tuple(SETTINGS), "default": tuple(SETTINGS)}),
        ("--separations", {"nargs": "*", "type": float, "default": SEPARATIONS}),
    )
    samples = 20 if chosen.quick else chosen.samples
    results: list[dict[str, Any]] = []
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for setting in chosen.settings:
            for separation in chosen.separations:
                progress(f"{setting}, separation {separation:g}")
                runs = [replication(setting, separation, seed) for seed in range(samples)]
                row: dict[str, Any] = {"setting": setting, "separation": separation, "samples": samples}
                for method in METHODS:
                    row[method] = float(np.mean([run[method][0] for run in runs]))
                    row[f"{method}_width"] = float(np.mean([run[method][1] for run in runs]))
                results.append(row)
    show(
        f"Coverage of {LEVEL:.0%} intervals of the weight {WEIGHT:g}, {samples} samples of {ROWS} rows",
        ["densities", "separation", "laws", "corrected", "expected of laws", "width laws", "corrected"],
        [
            [
                row["setting"],
                f"{row['separation']:g}",
                f"{row['laws']:.3f}",
                f"{row['corrected']:.3f}",
                f"{expected_of_laws(row['separation']):.3f}" if row["setting"] == "known" else "",
                f"{row['laws_width']:.3f}",
                f"{row['corrected_width']:.3f}",
            ]
            for row in results
        ],
        "Expected of laws: from the share of the information that is left, by quadrature.",
    )
    for row in results:
        inside = LEAST <= row["corrected"] <= MOST
        word = against(1.0, float(inside))
        say(
            f"Goal, {row['setting']}, separation {row['separation']:g}: corrected within {LEAST} to {MOST}: {row['corrected']:.3f}, {word}."
        )
    record("interval_coverage", results, quick=chosen.quick)
    return 0


def expected_of_laws(separation: float) -> float:
    """Coverage in large samples of intervals that take labels as known, densities known."""
    reach = norm.ppf(0.5 + LEVEL / 2.0) * np.sqrt(share_known(separation))
    return float(2.0 * norm.cdf(reach) - 1.0)


if __name__ == "__main__":
    sys.exit(main())
