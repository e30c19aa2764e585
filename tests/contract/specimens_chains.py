"""Chains: the state of a row depends on that of the row before it."""

import numpy as np

from contract.specimen_base import Specimen
from mixtura.structures import (
    DirichletMarkov,
    DirichletMarkovMode,
    DurationChain,
    GroupedChain,
    GroupedMarkov,
    InputOutputChain,
    InputOutputMarkov,
    Markov,
    SemiMarkov,
)
from mixtura.structures.durations import (
    FreeDurations,
    GeometricDurations,
    NegativeBinomialDurations,
    PoissonDurations,
)
from mixtura.structures.moves import KnownMoves, SharedMoves
from mixtura.structures.starts import KnownStart, StationaryStart
from mixtura.structures.tied_moves import TiedMoves, equal_staying

OFFSETS = np.array([0, 1, 3, 10, 30, 31, 60])
INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
LEFT_RIGHT = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
ALIKE = MOVES[[0, 0, 2]]
KNOWN = np.array([[0.7, np.nan, np.nan], [np.nan, np.nan, np.nan], [0.3, 0.3, 0.4]])
COVARIATES = np.random.default_rng(7).normal(size=(2, 60))
LOGITS = np.random.default_rng(8).normal(size=(3, 3, 3))
LOGITS[0, 2, 0] = -np.inf
# One Newton step is no maximum, and marked inexact.
LOGIT = {"offsets": OFFSETS, "covariates": COVARIATES, "skip": ("stationary",)}
JUMPS = Markov(INITIAL, np.array([[0.0, 0.6, 0.4], [0.3, 0.0, 0.7], [0.5, 0.5, 0.0]]))
HAZARD = np.random.default_rng(9).uniform(0.1, 0.9, (3, 5))
MEANS = np.array([2.0, 4.0, 3.0])
PSEUDO = np.array([[7.0, 2.0, 1.0], [0.5, 3.0, 0.5], [1.0, 1.0, 2.0]])
# Derivatives are those of the bound where the local loop has ended.
LOOPED = {"local_steps": 200, "tol": 1e-10}

STRUCTURES = {
    "Markov": Specimen(Markov(INITIAL, MOVES), {"offsets": OFFSETS}),
    "Markov, left-right": Specimen(
        # A permuted left-right chain is left-right in another order, which `take` gives: nothing to skip.
        Markov(np.array([1.0, 0.0, 0.0]), LEFT_RIGHT),
        {"offsets": OFFSETS},
    ),
    "Markov, KnownStart": Specimen(Markov(INITIAL, MOVES, start=KnownStart()), {"offsets": OFFSETS}),
    "Markov, KnownMoves": Specimen(Markov(INITIAL, MOVES, moves=KnownMoves(KNOWN)), {"offsets": OFFSETS}),
    "Markov, SharedMoves": Specimen(
        Markov(INITIAL, ALIKE, moves=SharedMoves([0, 0, 1])), {"offsets": OFFSETS}
    ),
    "Markov, StationaryStart": Specimen(
        Markov(INITIAL, MOVES, start=StationaryStart()), {"offsets": OFFSETS}
    ),
    "Markov, TiedMoves": Specimen(
        Markov(INITIAL, MOVES, moves=TiedMoves(equal_staying(3))), {"offsets": OFFSETS}
    ),
    "Markov, symmetric": Specimen(
        Markov(INITIAL, MOVES, moves=TiedMoves([[-1, 0, 1], [0, -1, 2], [1, 2, -1]])), {"offsets": OFFSETS}
    ),
    "Markov, StationaryStart and KnownMoves": Specimen(
        Markov(INITIAL, MOVES, start=StationaryStart(), moves=KnownMoves(KNOWN)), {"offsets": OFFSETS}
    ),
    # The search along a line is no maximum, and marked inexact.
    "Markov, StationaryStart and TiedMoves": Specimen(
        Markov(INITIAL, MOVES, start=StationaryStart(), moves=TiedMoves(equal_staying(3))),
        {"offsets": OFFSETS, "skip": ("stationary",)},
    ),
    "DirichletMarkov": Specimen(
        DirichletMarkov(Markov(INITIAL, MOVES), 0.5, np.eye(3) + 0.3, size=7.0),
        {"offsets": OFFSETS},
    ),
    "DirichletMarkov, left-right": Specimen(
        DirichletMarkov(Markov(np.array([1.0, 0.0, 0.0]), LEFT_RIGHT), 0.5, 0.3, size=7.0),
        {"offsets": OFFSETS},
    ),
    "DirichletMarkov, KnownMoves": Specimen(
        DirichletMarkov(
            Markov(INITIAL, MOVES, start=KnownStart(), moves=KnownMoves(KNOWN)), 0.5, 0.3, size=7.0
        ),
        {"offsets": OFFSETS},
    ),
    "DirichletMarkov, SharedMoves": Specimen(
        DirichletMarkov(Markov(INITIAL, ALIKE, moves=SharedMoves([0, 0, 1])), 0.5, 0.3, size=7.0),
        {"offsets": OFFSETS},
    ),
    # The prior and the posterior are raised in turn: one step is no joint maximum.
    "DirichletMarkov, learnt": Specimen(
        DirichletMarkov(Markov(INITIAL, MOVES), 0.5, 0.3, size=7.0, learn=True),
        {"offsets": OFFSETS, "skip": ("stationary",)},
    ),
    "DirichletMarkovMode, StationaryStart": Specimen(
        DirichletMarkovMode(Markov(INITIAL, MOVES, start=StationaryStart()), 2.0, np.eye(3) + 1.5),
        {"offsets": OFFSETS},
    ),
    "DirichletMarkovMode, TiedMoves": Specimen(
        DirichletMarkovMode(Markov(INITIAL, MOVES, moves=TiedMoves(equal_staying(3))), 2.0, np.eye(3) + 1.5),
        {"offsets": OFFSETS},
    ),
    "DirichletMarkovMode": Specimen(
        DirichletMarkovMode(Markov(INITIAL, MOVES), 2.0, np.eye(3) + 1.5),
        {"offsets": OFFSETS},
    ),
    "InputOutputMarkov": Specimen(InputOutputMarkov(LOGITS, INITIAL), LOGIT),
    "InputOutputMarkov, starts": Specimen(InputOutputMarkov(LOGITS, LOGITS[1]), LOGIT),
    "InputOutputChain": Specimen(InputOutputChain(starts=True)(Markov(INITIAL, MOVES), 2), LOGIT),
    "SemiMarkov": Specimen(SemiMarkov(JUMPS, FreeDurations(HAZARD)), {"offsets": OFFSETS}),
    "SemiMarkov, at most five rows": Specimen(
        SemiMarkov(JUMPS, FreeDurations.of(HAZARD)), {"offsets": OFFSETS}
    ),
    "SemiMarkov, geometric": Specimen(
        SemiMarkov(JUMPS, GeometricDurations(HAZARD[:, :1])), {"offsets": OFFSETS}
    ),
    "SemiMarkov, Poisson": Specimen(SemiMarkov(JUMPS, PoissonDurations(MEANS, 12)), {"offsets": OFFSETS}),
    "SemiMarkov, negative binomial": Specimen(
        SemiMarkov(JUMPS, NegativeBinomialDurations(MEANS, 1.5, 12)), {"offsets": OFFSETS}
    ),
    "SemiMarkov, with a prior": Specimen(
        SemiMarkov(DirichletMarkov(JUMPS, 0.5, 0.3, size=7.0), FreeDurations(HAZARD)), {"offsets": OFFSETS}
    ),
    "DurationChain": Specimen(DurationChain(n_ages=4)(Markov(INITIAL, MOVES), 0), {"offsets": OFFSETS}),
    # One Newton step is no maximum, and marked inexact.
    "GroupedMarkov": Specimen(
        GroupedMarkov(PSEUDO, INITIAL, **LOOPED), {"offsets": OFFSETS, "skip": ("stationary",)}
    ),
    "GroupedMarkov, left-right": Specimen(
        GroupedMarkov(8.0 * LEFT_RIGHT, INITIAL, start=KnownStart(), **LOOPED),
        {"offsets": OFFSETS, "skip": ("stationary",)},
    ),
    "GroupedMarkov, concentration kept": Specimen(
        GroupedMarkov(PSEUDO, INITIAL, learn=False, **LOOPED), {"offsets": OFFSETS, "skip": ("stationary",)}
    ),
    "GroupedChain": Specimen(
        GroupedChain(5.0, local_steps=200)(Markov(INITIAL, MOVES), 0),
        {"offsets": OFFSETS, "skip": ("posterior", "Fisher's identity", "stationary")},
    ),
}
