"""Specimens of ordinal columns, against probabilities from the definitions of their links."""

from itertools import product

import numpy as np

from contract.specimen_base import Specimen
from mixtura.components import AdjacentLogit, CumulativeLogit, Ordinal
from oracles_ordinal import adjacent, cumulative

LEVELS = (3, 4, 2)
LOCATION = np.array([[0.4, -1.0, 0.3], [-0.9, 0.2, 1.0], [0.5, 0.8, -1.3]])
THRESHOLDS = [[-0.5, 1.2], [-1.0, 0.1, 2.0], [0.4]]
INTERCEPTS = [[0.0, 0.7, -0.3], [0.0, -0.4, 0.9, 0.2], [0.0, 0.6]]
SCORES = [1.0, 2.0, 4.0, 5.0]
CELLS = np.array(list(product(*map(range, LEVELS))), dtype=float).T


def log_density(shares):
    """Of rows, from the probabilities shares(column, location of a component)."""

    def function(x, k):
        columns = [np.log(shares(d, LOCATION[k, d])) for d in range(len(x))]
        return sum(own[codes.astype(int)] for own, codes in zip(columns, x, strict=True))

    return function


def plain(ordinal, shares):
    """The same components with scores by loops over rows."""

    class Plain(Ordinal):
        def log_prob(self, block):
            rows = np.split(block, np.cumsum(self.levels)[:-1])
            result = np.zeros((self.n_components, block.shape[1]))
            for k in range(self.n_components):
                for d, own in enumerate(rows):
                    values = [np.log(value) for value in shares(self.baseline[d], self.location[k, d])]
                    for row in range(block.shape[1]):
                        result[k, row] += values[int(np.argmax(own[:, row]))]
            return result

    return Plain(ordinal.levels, ordinal.link, ordinal.location, ordinal.baseline)


_adjacent = Ordinal(LEVELS, AdjacentLogit(), LOCATION, INTERCEPTS)
_cumulative = Ordinal(LEVELS, CumulativeLogit(), LOCATION, THRESHOLDS)
_scored = Ordinal((4,), AdjacentLogit(SCORES), LOCATION[:, :1], INTERCEPTS[1:2])
# A lattice of rows: every level in every component, so that no maximum lies at infinity.
_ROWS = np.concatenate([CELLS, CELLS[:, ::2], CELLS[:, 5:17]], axis=1)

COMPONENTS = {
    "Ordinal, AdjacentLogit": Specimen(
        _adjacent,
        {
            "x": _ROWS,
            "log_density": log_density(lambda d, b: adjacent(INTERCEPTS[d], b)),
            "support": CELLS,
            "generic": plain(_adjacent, adjacent),
        },
    ),
    "Ordinal, CumulativeLogit": Specimen(
        _cumulative,
        {
            "x": _ROWS,
            "log_density": log_density(lambda d, b: cumulative(THRESHOLDS[d], b)),
            "support": CELLS,
            "generic": plain(_cumulative, cumulative),
        },
    ),
    "Ordinal, AdjacentLogit, scores": Specimen(
        _scored,
        {
            "x": np.tile(np.arange(4.0), 12)[None],
            "log_density": log_density(lambda _, b: adjacent(INTERCEPTS[1], b, SCORES)),
            "support": np.arange(4.0)[None],
            "generic": plain(_scored, lambda a, b: adjacent(a, b, SCORES)),
        },
    ),
}
