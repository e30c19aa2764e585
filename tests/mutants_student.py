"""Bugs feared in Student-t components; tests/models/test_student_t.py says which check catches which."""

import numpy as np
from scipy.special import gammaln

from contract.specimens_student import HEAVY, STUDENT_MEANS, STUDENT_SCALES, student_log_density, whitened
from mixtura.components import StudentT
from mutant_base import Mutant


class OneScaleForAllRows(StudentT):
    """The gamma variable is drawn once, not once a row."""

    def sample(self, component, n, rng):
        half = self.degrees_of_freedom[component] / 2
        rows = self.normal.sample(component, n, rng) - self.mean[component]
        return self.mean[component] + rows / np.sqrt(rng.gamma(half, 1 / half))


class ColumnsForgotten(StudentT):
    """The gamma function of nu + 1 instead of nu + d."""

    def log_prob(self, block):
        degrees = self.degrees_of_freedom[:, None]
        return (
            super().log_prob(block) + gammaln((degrees + 1) / 2) - gammaln((degrees + self.mean.shape[1]) / 2)
        )


class RowsNotWeighedDown(StudentT):
    """First and second moments of Gaussian components: outliers count in full."""

    def expected_statistics(self, block, resp):
        stats = super().expected_statistics(block, resp)
        plain = self.normal.moments(block.block, resp, resp)
        stats.sums |= {"sum_x": plain["sum_x"], "sum_xx": plain["sum_xx"], "sum_u": plain["count"]}
        return stats


class LogOfMeanScale(StudentT):
    """log E[u] where E[log u] is wanted: degrees of freedom come out too large."""

    def expected_statistics(self, block, resp):
        stats = super().expected_statistics(block, resp)
        logs, _ = block.distances(self)
        degrees = self.degrees_of_freedom[:, None]
        stats.sums["sum_log_u"] = (resp * (np.log1p(self.mean.shape[1] / degrees) - logs)).sum(axis=1)
        return stats


def _student(kind):
    healthy = StudentT(STUDENT_MEANS, STUDENT_SCALES, HEAVY)
    return Mutant(
        component=kind(STUDENT_MEANS, STUDENT_SCALES, HEAVY),
        arguments={"log_density": student_log_density(HEAVY), "generic": whitened(healthy)},
    )


HEALTHY_STUDENT = _student(StudentT)
CATALOGUE = {
    "one scale variable for all sampled rows": _student(OneScaleForAllRows),
    "number of columns forgotten in a t density": _student(ColumnsForgotten),
    "rows not weighed down by distance": _student(RowsNotWeighedDown),
    "logarithm of the mean scale variable": _student(LogOfMeanScale),
}
