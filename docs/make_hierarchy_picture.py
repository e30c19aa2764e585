"""Draw the picture of docs/hierarchies.md, `docs/images/hierarchies.png`.

Run from the repository's root: `.venv/bin/python docs/make_hierarchy_picture.py`.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_wine

from mixtura import SegmentTree, hierarchical
from mixtura.components import Gaussian
from mixtura.models.hmm import HMM

TARGET = Path(__file__).parent / "images" / "hierarchies.png"


def steps(rng: np.random.Generator) -> np.ndarray:
    """Pace and pulse of somebody who rests, walks and runs."""
    moves = np.array([[0.95, 0.03, 0.02], [0.03, 0.94, 0.03], [0.02, 0.03, 0.95]])
    doing = [0]
    for _ in range(1199):
        doing.append(rng.choice(3, p=moves[doing[-1]]))
    state = np.array(doing)
    pace = rng.normal(np.array([0.0, 3.0, 8.0])[state], np.array([0.5, 0.8, 1.0])[state])
    pulse = rng.normal(np.array([60.0, 90.0, 140.0])[state], np.array([4.0, 6.0, 12.0])[state])
    return np.column_stack([pace, pulse])


def main() -> None:
    """Fit, draw, save."""
    wines, _ = load_wine(return_X_y=True)
    hierarchy = hierarchical((wines - wines.mean(axis=0)) / wines.std(axis=0))
    rows, lengths = steps(np.random.default_rng(0)), [400, 400, 400]
    hmm = HMM(Gaussian(), 6, random_state=0).fit(rows, lengths)
    tree = SegmentTree(hmm).fit(rows, lengths=lengths)
    means = np.asarray(hmm.components_.mean)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.6), layout="constrained")
    hierarchy.plot_dendrogram(left, cut=3, leaves=15, names=[f"wine {k}" for k in range(len(wines))])
    names = [f"pace {abs(pace):.1f}, pulse {pulse:.0f}" for pace, pulse in means]
    tree.plot_dendrogram(right, cut=3, names=names)
    left.set_title("Wines", loc="left", pad=18)
    right.set_title("States of a chain", loc="left", pad=18)
    figure.savefig(TARGET, dpi=88)
    # 128 colours are enough here, and keep the file small.
    with Image.open(TARGET) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
