"""Which starts the sieve screens: rules, embeddings and softness, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixtura.inference.initialize import embedding_of

__all__ = ["Candidate", "last_recipe", "recipe"]

Candidate = tuple[str, int, float]

# Rules and embeddings (0 whitened, 1 standardised, 2 as they are) after k-means in each embedding. Measured on the twelve
# hardest data sets of benchmarks/optima.py: looser rules find what k-means never does.
_LOOSER = (
    ("random_from_data", 2),
    ("random", 0),
    ("kmeans", 0),
    ("k-means++", 0),
    ("random_from_data", 1),
    ("random", 0),
    ("k-means++", 1),
    ("kmeans", 2),
    ("k-means++", 2),
    ("random_from_data", 0),
)

# Agglomeration pays in few rows of many columns, where EM hardly moves a partition, so that the start decides. Measured: on
# tables of 13 to 30 columns it ended up to tens of nats above all others; with more rows a column nothing changed but the
# time, which grows with the square of the rows.
_FEW_ROWS = 600
_FEW_PER_COLUMN = 30


def recipe(n_embeddings: int, size: int, *, hard: bool) -> list[Candidate]:
    """Rule, embedding and softness of each candidate.

    Hard partitions do not smear a small cluster over its neighbours. Counts start soft (`hard` is False), because a
    category missing in a part would keep probability zero.

    Examples
    --------
    >>> recipe(1, 3, hard=False)
    [('kmeans', 0, 0.1), ('random_from_data', 0, 0.1), ('random', 0, 0.0)]
    """
    first = [("kmeans", which) for which in range(n_embeddings)]
    looser = [_LOOSER[i % len(_LOOSER)] for i in range(max(size - n_embeddings, 0))]
    return [
        (rule, which % n_embeddings, 0.0 if hard or rule == "random" else 0.1)
        for rule, which in [*first, *looser][:size]
    ]


def last_recipe(embeddings: Sequence[Any]) -> list[Candidate]:
    """One more start, by agglomeration, where rows are few for the columns; it runs to the end without screening.

    Examples
    --------
    >>> import numpy as np
    >>> last_recipe([np.zeros((100, 9))] * 3), last_recipe([np.zeros((100, 2))] * 3)
    ([('agglomerate', 1, 0.0)], [])
    """
    which = embedding_of("agglomerate", len(embeddings))
    n_rows, n_columns = embeddings[which].shape
    few = n_rows <= min(_FEW_ROWS, _FEW_PER_COLUMN * n_columns)
    return [("agglomerate", which, 0.0)] if few and len(embeddings) > 1 else []
