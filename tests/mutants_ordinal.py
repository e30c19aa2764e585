"""Seeded bugs in ordinal components."""

import numpy as np

from contract.specimens_ordinal import COMPONENTS
from mixtura.components import AdjacentLogit, CumulativeLogit, Ordinal
from mutant_base import Mutant


class OneStep(CumulativeLogit):
    """Newton's method stops after its first step."""

    def maximize(self, counts, start=None):
        inner, location = self.start(counts)
        gradient, information = self.derivatives(counts, inner, location)
        step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        m = inner.shape[1]
        return np.maximum(inner + step[:, :m], 1e-3), location + step[:, m:]


class GapsForgotten(CumulativeLogit):
    """The likelihood of two logistic regressions, without the term that makes it one of levels."""

    def log_probabilities(self, inner, location):
        right = super().log_probabilities(inner, location)
        right[:, :, 1:-1] -= np.log(-np.expm1(-inner))[:, None, :]
        return right


class LocationTurned(CumulativeLogit):
    """P(y <= l) = sigma(c + b): the sign of the other convention."""

    def log_probabilities(self, inner, location):
        return super().log_probabilities(inner, -location)


class ScoresFromOne(AdjacentLogit):
    """Scores in the derivatives are not those of the probabilities."""

    def derivatives(self, counts, inner, location):
        gradient, information = super().derivatives(counts, inner, location)
        gradient[:, inner.shape[1] :] += 0.05 * counts.sum(axis=2)
        return gradient, information


class AllLevelsCounted(Ordinal):
    """Parameters counted as if every component had its own shares."""

    def n_parameters(self):
        return self.n_components * sum(count - 1 for count in self.levels)


class MissingOnLevelZero(Ordinal):
    """Marks in which the lowest level is also where nothing is."""

    def encode(self, x, encoding):
        block = super().encode(x, encoding)
        block[0] = 1.0
        return block


def _bug(name, kind=Ordinal, link=None):
    specimen = COMPONENTS[name]
    healthy = specimen.subject
    arguments = {key: value for key, value in specimen.arguments.items() if key != "generic"}
    return Mutant(
        component=kind(healthy.levels, link or healthy.link, healthy.location, healthy.baseline),
        arguments=arguments,
    )


CATALOGUE = {
    "ordinal: one Newton step": _bug("Ordinal, CumulativeLogit", link=OneStep()),
    "ordinal: gaps forgotten": _bug("Ordinal, CumulativeLogit", link=GapsForgotten()),
    "ordinal: location with the other sign": _bug("Ordinal, CumulativeLogit", link=LocationTurned()),
    "ordinal: gradient off": _bug("Ordinal, AdjacentLogit", link=ScoresFromOne()),
    "ordinal: shares of components counted": _bug("Ordinal, AdjacentLogit", AllLevelsCounted),
    "ordinal: no value is the lowest": _bug("Ordinal, CumulativeLogit", MissingOnLevelZero),
}
