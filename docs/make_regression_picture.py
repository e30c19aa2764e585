"""Draw the picture of docs/bayesian-regression.md: evidence by degree, and the curve that it chooses.

Run from the repository's root: `.venv/bin/python docs/make_regression_picture.py`.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from mixtura import BayesianLinearRegression

TARGET = Path(__file__).parent / "images" / "bayesian-regression.png"
DEGREES = range(1, 8)
BLUE, ORANGE = "#0072B2", "#D55E00"


def main() -> None:
    """Fit, draw, save."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (60, 1))
    y = 1 - 2 * x[:, 0] + 1.5 * x[:, 0] ** 3 + rng.normal(0, 1, 60)
    fits = {}
    for degree in DEGREES:
        model = BayesianLinearRegression(noise_variance=1.0, coefficient_variance=4.0)
        fits[degree] = make_pipeline(PolynomialFeatures(degree, include_bias=False), model).fit(x, y)
    evidence = [fits[degree][-1].log_evidence_ for degree in DEGREES]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained")
    left.plot(DEGREES, evidence, "o-", color=BLUE)
    best = int(np.argmax(evidence))
    left.plot(DEGREES[best], evidence[best], "o", color=ORANGE, markersize=10)
    left.set(xlabel="degree of the polynomial", ylabel="log evidence (nats)", title="Which degree?")
    grid = np.linspace(-2.6, 2.6, 200)[:, None]
    mean, deviation = fits[DEGREES[best]].predict(grid, return_std=True)
    right.fill_between(
        grid[:, 0],
        mean - 1.645 * deviation,
        mean + 1.645 * deviation,
        color=ORANGE,
        alpha=0.2,
        lw=0,
        label="90 % of new points",
    )
    right.plot(grid[:, 0], mean, color=ORANGE, label="predicted")
    right.plot(
        grid[:, 0], 1 - 2 * grid[:, 0] + 1.5 * grid[:, 0] ** 3, color="0.3", ls="--", lw=1, label="truth"
    )
    right.plot(x[:, 0], y, ".", color=BLUE, label="data")
    right.set(xlabel="x", ylabel="y", title="The cubic, wider where there are no data")
    right.legend(frameon=False)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=88)
    with Image.open(TARGET) as picture:  # 128 colours are enough, and keep the file small
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(Path.cwd())}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
