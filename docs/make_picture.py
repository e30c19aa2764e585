"""Draw the picture of the README, `docs/images/mixtura.png`, with the library's own plots.

Run from the repository's root: `.venv/bin/python docs/make_picture.py`.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from mixtura import GaussianMixture
from mixtura.plots import plot_clusters, plot_density

TARGET = Path(__file__).parent / "images" / "mixtura.png"


def clusters(rng: np.random.Generator) -> np.ndarray:
    """Three overlapping clouds of different shape, size and weight."""
    return np.concatenate(
        [
            rng.multivariate_normal([0.0, 0.0], [[1.0, 0.7], [0.7, 1.0]], 260),
            rng.multivariate_normal([3.2, 0.4], [[0.5, -0.35], [-0.35, 0.7]], 180),
            rng.multivariate_normal([1.4, 3.0], [[1.6, 0.2], [0.2, 0.25]], 140),
        ]
    )


def main() -> None:
    """Fit, draw, save."""
    rng = np.random.default_rng(3)
    rows = clusters(rng)
    waiting = np.concatenate([rng.normal(54, 5.5, 180), rng.normal(80, 6, 320)])[:, None]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    plot_clusters(GaussianMixture(3, random_state=0).fit(rows), rows, ax=left)
    plot_density(GaussianMixture(2, random_state=0).fit(waiting), waiting, ax=right)
    left.set_title("Every row shares itself among the clusters")
    right.set_title("A density and the components it is made of")
    TARGET.parent.mkdir(exist_ok=True)
    left.get_legend().remove()  # the numbers on the means say the same
    left.set(xlabel="", ylabel="")
    right.set(xlabel="minutes between eruptions (simulated)")
    figure.savefig(TARGET, dpi=88)
    # 128 colours are enough here, and keep the file small.
    with Image.open(TARGET) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(Path.cwd())}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
