"""Student-t components: own, shared and known degrees of freedom, with several structures of the scale matrices."""

import numpy as np
from scipy.stats import multivariate_t

from contract.specimen_base import Specimen
from mixtura.components import (
    MCLUST,
    Diagonal,
    FixedDegrees,
    Full,
    SharedDegrees,
    Spherical,
    StudentT,
    Tied,
)

STUDENT_MEANS = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.5]])
STUDENT_SCALES = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.1], [-0.1, 0.4]], [[1.5, 0.0], [0.0, 0.3]]])
HEAVY = np.array([1.0, 3.0, 8.0])
LIGHT = np.array([40.0, 60.0, 90.0])
# Midpoints of cells beyond which the lighter tails hold less than a ten-millionth.
STUDENT_PLANE = np.stack(np.meshgrid(np.arange(-16, 16, 0.1) + 0.05, np.arange(-16, 19, 0.1) + 0.05)).reshape(
    2, -1
)
# One step from given responsibilities raises the likelihood but does not end at its maximum, and expected_log_prob is right to
# first order: tests/models/test_student_t.py checks both.
SKIPPED = ("stationary", "inner product")


def student_log_density(degrees, scales=STUDENT_SCALES):
    def log_density(x, k):
        return multivariate_t(STUDENT_MEANS[k], scales[k], df=degrees[k]).logpdf(x.T)

    return log_density


def whitened(student):
    """The same law, every component about its own mean instead of packed products."""

    class WhitenedNormal(type(student.normal)):
        def needs_own_origin(self, encoding):
            return True

    other = student.replace(student.mean, student.scale, student.degrees_of_freedom)
    other.normal = WhitenedNormal(student.mean, student.scale, student.model)
    return other


def _specimen(degrees, model=None, law=None):
    model = Full() if model is None else model
    scale = model.from_matrices(_structured(model))
    student = StudentT(STUDENT_MEANS, scale, degrees, model, law)
    arguments = {"log_density": student_log_density(degrees, student.matrices), "generic": whitened(student)}
    if degrees is LIGHT:
        return Specimen(student, arguments | {"support": STUDENT_PLANE, "volume": 0.01, "skip": SKIPPED})
    return Specimen(student, arguments | {"skip": (*SKIPPED, "normalised")})


def _structured(model):
    """Scale matrices of the structure: what it makes of the ones above."""
    counts = np.array([2.0, 3.0, 4.0])
    scatter = counts[:, None, None] * STUDENT_SCALES
    if isinstance(model, Tied):
        scatter = scatter.sum(axis=0)
    elif isinstance(model, Diagonal):
        scatter = np.diagonal(scatter, axis1=1, axis2=2)
        scatter = scatter.mean(axis=1) if isinstance(model, Spherical) else scatter
    return np.asarray(model.matrices(model.maximize(counts, scatter), 3, 2))


COMPONENTS = {
    "StudentT, OwnDegrees, heavy": _specimen(HEAVY),
    "StudentT, OwnDegrees, light": _specimen(LIGHT),
    "StudentT, SharedDegrees": _specimen(np.full(3, 4.0), Tied(), SharedDegrees()),
    "StudentT, FixedDegrees": _specimen(np.full(3, 2.5), Full(), FixedDegrees(2.5)),
    **{f"StudentT, {code}": _specimen(HEAVY, MCLUST[code]()) for code in ("VVI", "VII", "EEI", "VEE", "EVE")},
}
