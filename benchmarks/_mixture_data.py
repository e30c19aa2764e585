"""Data sets on which Gaussian mixtures have several optima: real, scikit-learn's and generated ones."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from _harness import DATA, say
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs
from sklearn.decomposition import PCA

CIGARS = "two cigars"


@dataclass(frozen=True)
class Problem:
    """Rows and a number of components."""

    name: str
    x: np.ndarray
    k: int


def problems() -> Iterator[Problem]:
    """All of them; files that are absent are skipped, saying so."""
    yield Problem(CIGARS, cigars(), 2)
    for name, k, make in _FILES:
        try:
            x = make()
        except FileNotFoundError as error:
            say(f"Skipped {name}: {error.filename} is not there.")
            continue
        yield Problem(name, x, k)
    yield Problem("sklearn wine, 5 PCs", principal(load_wine().data, 5), 3)
    yield Problem("sklearn breast cancer, 4 PCs", principal(load_breast_cancer().data, 4), 3)
    yield Problem("sklearn digits, 8 PCs", PCA(8, random_state=0).fit_transform(load_digits().data), 10)
    yield Problem("sklearn blobs, sheared", sheared_blobs(), 3)
    yield Problem("overlap", generated(2000, 2, [1, 1, 1, 1, 1], spread=1.8, seed=1), 5)
    yield Problem("overlap, 6 columns", generated(3000, 6, [1, 1, 1, 1], spread=0.9, seed=2), 4)
    yield Problem(
        "differing scales", generated(2000, 4, [1] * 4, spread=2.0, seed=3) * [1e-3, 1.0, 30.0, 1e4], 4
    )
    yield Problem("unequal weights", generated(3000, 3, [50, 25, 12, 7, 4, 2], spread=3.0, seed=4), 6)
    yield Problem("one inside the other", nested(), 3)
    yield Problem("many components", generated(4000, 2, [1] * 12, spread=5.0, seed=6), 12)


def cigars(n: int = 500) -> np.ndarray:
    """Two long parallel clusters: k-means on raw columns cuts across both."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal((0.0, y), (20.0, 0.3), (n, 2)) for y in (-1.5, 1.5)])


def generated(n: int, d: int, shares: Sequence[float], *, spread: float, seed: int) -> np.ndarray:
    """Clusters with covariances of their own; `spread` is that of their centres."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), size=n, p=np.array(shares) / np.sum(shares))
    centres = rng.normal(0.0, spread, (len(shares), d))
    mixing = np.eye(d) + rng.normal(0.0, 0.6 / np.sqrt(d), (len(shares), d, d))
    mixing *= rng.uniform(0.5, 1.5, len(shares))[:, None, None]
    return np.einsum("nd,nde->ne", rng.standard_normal((n, d)), mixing[labels]) + centres[labels]


def nested() -> np.ndarray:
    """A tight cluster inside a wide one, and a long one across both: equal centres."""
    rng = np.random.default_rng(5)
    sizes = [(600, (1.0, 1.0)), (600, (8.0, 8.0)), (400, (12.0, 0.4))]
    return np.concatenate([rng.normal(0.0, scale, (n, 2)) for n, scale in sizes])


def sheared_blobs() -> np.ndarray:
    """scikit-learn's example of clusters that k-means cuts wrongly."""
    x, _ = make_blobs(1500, random_state=170)
    return x @ np.array([[0.60834549, -0.63667341], [-0.40887718, 0.85253229]])


def principal(x: np.ndarray, n: int) -> np.ndarray:
    """Principal components of standardised columns."""
    return PCA(n, random_state=0).fit_transform((x - x.mean(axis=0)) / x.std(axis=0))


def _table(path: str, columns: slice | Sequence[str]) -> np.ndarray:
    with (DATA / path).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    chosen = header[columns] if isinstance(columns, slice) else columns
    index = [header.index(name) for name in chosen]
    return np.array([[float(row[i]) for i in index] for row in rows])


_WDBC = ("Texture_mean", "Area_extreme", "Smoothness_extreme", "Concavity_mean", "Symmetry_mean")

# Name, K, rows.
_FILES: list[tuple[str, int, Callable[[], np.ndarray]]] = [
    ("iris", 3, lambda: _table("iris/iris.csv", slice(4))),
    ("faithful", 3, lambda: _table("faithful/faithful.csv", slice(2))),
    ("galaxies", 3, lambda: _table("galaxies/galaxies.csv", slice(1)) / 1000.0),
    ("acidity", 3, lambda: _table("acidity/acidity.csv", slice(1))),
    ("thyroid", 3, lambda: _table("thyroid/thyroid.csv", slice(1, 6))),
    ("wine27, 6 PCs", 3, lambda: principal(_table("wine27/wine27.csv", slice(1, 28)), 6)),
    ("wdbc, 5 columns", 3, lambda: _table("wdbc/wdbc.csv", _WDBC)),
    ("gvhd", 6, lambda: _table("gvhd/gvhd_pos.csv", slice(4))[::3]),
    ("cross", 2, lambda: _table("cross/cross.csv", slice(1, 3))),
    ("chevron", 3, lambda: _table("chevron/chevron.csv", slice(1, 3))),
    ("usarrests", 2, lambda: _table("usarrests/usarrests.csv", slice(1, 5))),
    ("letter, 5 PCs", 8, lambda: principal(_table("letter/letter.csv", slice(1, 17)), 5)[::8]),
]
