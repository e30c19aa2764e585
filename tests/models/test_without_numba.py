"""Where Numba has no wheel, the generic NumPy pass serves and finds the same model."""

import subprocess
import sys

CODE = """
import sys
if {absent}:
    sys.modules["numba"] = None  # importing it raises ImportError
import numpy as np, scipy.sparse as sp
from mixtura import MultinomialMixture
counts = sp.csr_matrix(np.random.default_rng(0).poisson(0.5, (12_000, 20)))
mixture = MultinomialMixture(3, init_params="random", max_iter=5, tol=0, random_state=0)
import warnings
warnings.simplefilter("ignore")
print(repr(mixture.fit(counts).score(counts)))
"""


def score(*, absent: bool) -> float:
    command = [sys.executable, "-c", CODE.format(absent=absent)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_the_same_model_without_numba():
    # Five steps from one start: sums in another order differ by rounding only.
    assert abs(score(absent=True) - score(absent=False)) < 1e-9
