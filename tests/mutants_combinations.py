"""Bugs feared in components made of components; test_combinations.py says which check catches which."""

import numpy as np

from contract.specimens_combinations import (
    AND_NOISE,
    APART,
    MIXED,
    NESTED,
    TWO_KINDS,
    and_noise_log_density,
    apart_log_density,
    mixed_log_density,
    nested_log_density,
    two_kinds_log_density,
)
from mixtura.components import Nested, Product, UniformNoise, Union
from mixtura.statistics import Statistics
from mutant_base import Mutant


def _as(kind, healthy):
    """The same parameters in an object of another class."""
    new = object.__new__(kind)
    new.__dict__.update(healthy.__dict__)
    return new


class ColumnsSorted(Product):
    """The columns of a block in the order of the table, not in that of the block."""

    def encode(self, x, encoding):
        sorted_columns = {name: tuple(sorted(columns)) for name, columns in self.columns.items()}
        other = _as(Product, self)
        other.columns = sorted_columns
        return other.encode(x, encoding)


class FirstBlockOnly(Product):
    """Sums of all blocks, the score of one."""

    def log_prob(self, block):
        name, one = next(iter(self.blocks.items()))
        return one.log_prob(block[name])


class KindsForgotten(Union):
    """The components are taken in the order asked for, their kinds stay in the old one."""

    def take(self, components):
        taken = super().take(components)
        taken._kind = np.sort(taken._kind)
        return taken


class SplitOffKind(Union):
    """The second half is put with the first kind, whatever was split."""

    def split(self, stats, component):
        halves = super().split(stats, component)
        own, other = halves.parts["0"], halves.parts["1"]
        own["count"][-1] += other["count"][-1]
        other["count"][-1] = 0.0
        return halves


class NotPadded(Union):
    """Every kind sends the sums of its own components only."""

    def expected_statistics(self, block, resp):
        parts = {
            str(place): kind.expected_statistics(block[place], resp[self.kind == place])
            for place, kind in enumerate(self.kinds)
        }
        return Statistics({"count": resp.sum(axis=1)}, parts=parts)


class VolumeOfHalfWidths(UniformNoise):
    """Widths measured from the middle."""

    @property
    def log_volume(self):
        return float(np.log(0.5 * (self.upper - self.lower)).sum())


class InnerWeightsForgotten(Nested):
    """The inner components are averaged, not weighted."""

    def _scored(self, block):
        return _as(Nested, self)._with(self.inner, np.full((2, 2), -np.log(2.0)))._scored(block)


class ScoresOfAnother(Nested):
    """Scores kept with a batch are used for other parameters, too."""

    def _joint(self, block):
        if block.scores is None:
            block.scores = self._scored(block.inner)
        return block.scores


class InnerPosteriorForgotten(Nested):
    """Every inner component gets the rows of its outer one by its weight, whatever they are."""

    def expected_statistics(self, block, resp):
        inner = resp[:, None] * self.weights[:, :, None]
        sums = self.inner.expected_statistics(block.inner, inner.reshape(-1, inner.shape[2]))
        inner_count = inner.sum(axis=2)
        return Statistics({"count": resp.sum(axis=1), "inner_count": inner_count}, parts=self._parted(sums))


class OuterAndInnerExchanged(Nested):
    """Places of the inner components counted with the wrong factor."""

    def _inside(self, components):
        index = np.asarray(components, dtype=np.intp)
        return (index[:, None] + np.arange(self.n_inner) * self.n_components).ravel()


CATALOGUE = {
    "columns of a block sorted": Mutant(
        component=_as(ColumnsSorted, APART), arguments={"log_density": apart_log_density}
    ),
    "score of the first block only": Mutant(
        component=_as(FirstBlockOnly, MIXED), arguments={"log_density": mixed_log_density}
    ),
    "kinds of a union forgotten": Mutant(
        component=_as(KindsForgotten, TWO_KINDS), arguments={"log_density": two_kinds_log_density}
    ),
    "half of another kind": Mutant(component=_as(SplitOffKind, TWO_KINDS.take([2, 0, 1, 3]))),
    "sums of kinds not padded": Mutant(
        component=_as(NotPadded, AND_NOISE), arguments={"log_density": and_noise_log_density}
    ),
    "volume of half widths": Mutant(
        component=VolumeOfHalfWidths([0, 0], [4, 5], n_components=2),
        arguments={"support": np.array([[1.0, 3.0], [2.5, 2.5]]), "volume": 10.0},
    ),
    "inner weights forgotten": Mutant(
        component=_as(InnerWeightsForgotten, NESTED), arguments={"log_density": nested_log_density}
    ),
    "inner posterior forgotten": Mutant(
        component=_as(InnerPosteriorForgotten, NESTED), arguments={"log_density": nested_log_density}
    ),
    "scores of other parameters": Mutant(
        component=_as(ScoresOfAnother, NESTED), arguments={"log_density": nested_log_density}
    ),
    "outer and inner exchanged": Mutant(
        component=_as(OuterAndInnerExchanged, NESTED), arguments={"log_density": nested_log_density}
    ),
}
