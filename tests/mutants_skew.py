"""Seeded bugs of skew-normal components: faults that were feared."""

from contract.specimens_skew import COMPONENTS
from mixtura.components import SkewNormal
from mixtura.statistics import Statistics
from mutant_base import Mutant


class NormalisedTwice(SkewNormal):
    """The factor 2 of the density is left out."""

    def log_prob(self, block):
        return super().log_prob(block) - 0.6931471805599453


class PushedBothWays(SkewNormal):
    """The half-normal variable is drawn as a normal one."""

    def sample(self, component, n, rng):
        flipped = self.replace(self.location, -self.skewness, self.scale)
        half = n // 2
        rows = super().sample(component, n, rng)
        rows[:half] = super(PushedBothWays, flipped).sample(component, half, rng)
        return rows


class RawSumsMoved(SkewNormal):
    """Sums about the first component's location, for all of them, without saying so: their origin is another each time."""

    def expected_statistics(self, block, resp):
        stats = super().expected_statistics(block, resp)
        return Statistics(
            stats.sums | {"sum_tx": stats["sum_tx"] / stats["sum_t"][:, None]}, shared=stats.shared
        )


class SkewnessUncounted(SkewNormal):
    def n_parameters(self):
        return super().n_parameters() - self.skewness.size


def _like(kind):
    specimen = COMPONENTS["SkewNormal, Full"]
    arguments = {name: value for name, value in specimen.arguments.items() if name != "skip"}
    healthy = specimen.subject
    return Mutant(
        component=kind(healthy.location, healthy.skewness, healthy.scale, healthy.model), arguments=arguments
    )


CATALOGUE = {
    "the factor two of the skew-normal density forgotten": _like(NormalisedTwice),
    "half-normal variable drawn with both signs": _like(PushedBothWays),
    "regression sums averaged": _like(RawSumsMoved),
    "skewness not counted": _like(SkewnessUncounted),
}
