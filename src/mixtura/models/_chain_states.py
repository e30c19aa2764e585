"""What a fitted chain concludes of the states of given sequences.

Long, because every method's arguments and results are documented beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mixtura.exceptions import InvalidParameterError, did_you_mean
from mixtura.models._chain_rows import ScoredRows, Scoring
from mixtura.models._checked import checked_count
from mixtura.models._sequences import Sequences
from mixtura.protocols import Array

__all__ = ["DECODERS", "States"]

# Passes in which the laws of each sequence's moves come to rest.
_LOCAL_ROUNDS = 10


class States(Scoring):
    """Smoothed, filtered and predicted probabilities, and paths.

    In all methods `X`, `lengths`, `groups`, `labels` and `covariates` are as for `fit`, and results have the order of the rows of X.
    A sequence that is impossible under the fitted chain has a log-likelihood of minus infinity; in probabilities, the row that makes it
    impossible is passed over, as if it had not been observed. No result is NaN.
    """

    random_state: Any

    def score_samples(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> tuple[float, Array]:
        """Log-likelihood of all sequences and smoothed probabilities of the states.

        Returns
        -------
        log_likelihood : float
            Sum over the sequences, natural logarithm; minus infinity where one is impossible.
        posteriors : ndarray, shape (n_samples, n_components)
            p(state of the step | all steps of its sequence).
        """
        given = self._given_sequences(X, lengths, groups)
        model, total = self._law(), 0.0
        resp = np.empty((given.n_rows, model.n_components))
        for part in self._scored(given, model, labels, covariates):
            found = model.structure.posterior(part.scores, part.batch)
            resp[part.rows] = found.probabilities.T
            total += float(found.log_evidence.sum())
        return total, given.back(resp)

    def score(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> float:
        """Log-likelihood of all sequences together, natural logarithm."""
        return float(
            self.score_sequences(X, lengths, groups=groups, labels=labels, covariates=covariates).sum()
        )

    def score_sequences(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """Log-likelihood of each sequence, shape (n_sequences,); with groups, in the order of their sorted names."""
        given = self._given_sequences(X, lengths, groups)
        return self._evidence(given, self._law(), labels, covariates)

    def predict_proba(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """Smoothed probabilities of the states, shape (n_samples, n_components): all steps of a sequence are known."""
        return self.score_samples(X, lengths, groups=groups, labels=labels, covariates=covariates)[1]

    def filter(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """p(state of the step | steps of its sequence up to it), shape (n_samples, n_components)."""
        return self._rows(
            (X, lengths, groups, labels, covariates),
            lambda law, part: law.filtered(part.scores, part.batch)[0],
        )

    def predict_next(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """p(state of the step | steps of its sequence before it), shape (n_samples, n_components)."""
        return self._rows(
            (X, lengths, groups, labels, covariates), lambda law, part: law.predicted(part.scores, part.batch)
        )

    def score_steps(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """log p(step | steps of its sequence before it), shape (n_samples,): low values are surprises. They sum to `score`."""
        scales = self._rows(
            (X, lengths, groups, labels, covariates),
            lambda law, part: law.filtered(part.scores, part.batch)[1][None],
        )
        return np.asarray(scales[:, 0])

    def decode(
        self,
        X: Any,
        lengths: Any = None,
        algorithm: str = "viterbi",
        *,
        groups: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> tuple[float, Array]:
        """The best states.

        Parameters
        ----------
        algorithm : {"viterbi", "map"}, default "viterbi"
            The most probable path of every sequence, or the most probable state of every step by itself, which makes the fewest wrong
            states, but may be a path that is impossible.

        Returns
        -------
        log_prob : float
            For "viterbi" the log joint density of steps and paths, minus infinity where a sequence has no possible path; for "map" the
            sum of the states' smoothed probabilities, which is the expected number of right ones (as in hmmlearn).
        states : ndarray of int, shape (n_samples,)
            -1 in a sequence that is impossible ("viterbi").
        """
        if algorithm not in DECODERS:
            msg = f"algorithm is {algorithm!r}, which is not one of the choices. {did_you_mean(str(algorithm), DECODERS)}"
            raise InvalidParameterError(msg)
        given = self._given_sequences(X, lengths, groups)
        model, states, total = self._law(), np.empty(given.n_rows, dtype=np.int64), 0.0
        for part in self._scored(given, model, labels, covariates):
            states[part.rows], value = DECODERS[algorithm](model.structure, part)
            total += value
        return total, given.back(states)

    def predict(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None, covariates: Any = None
    ) -> Array:
        """States of the most probable path of every sequence, shape (n_samples,); -1 where a sequence is impossible."""
        return self.decode(X, lengths, groups=groups, labels=labels, covariates=covariates)[1]

    def best_paths(
        self,
        X: Any,
        lengths: Any = None,
        *,
        n_paths: int = 3,
        groups: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> tuple[Array, Array]:
        """The most probable paths of every sequence, best first.

        Parameters
        ----------
        n_paths : int, default 3
            How many.

        Returns
        -------
        log_joint : ndarray, shape (n_sequences, n_paths)
            Log joint densities of steps and path; minus infinity where there are fewer.
        states : ndarray of int, shape (n_paths, n_samples)
            -1 where there is no such path.
        """
        given = self._given_sequences(X, lengths, groups)
        model, n_paths = self._law(), checked_count("n_paths", n_paths)
        best = getattr(model.structure, "best_paths", None)
        if best is None:
            msg = (
                f"{type(model.structure).__name__} does not list several best paths; expected a first-order chain. decode gives the "
                "best one, sample_paths draws from all."
            )
            raise InvalidParameterError(msg)
        log_joint = np.empty((len(given.lengths), n_paths))
        states = np.empty((given.n_rows, n_paths), dtype=np.int64)
        for part in self._scored(given, model, labels, covariates):
            found = best(part.scores, part.batch, n_paths)
            log_joint[part.units], states[part.rows] = found.log_joint, found.states.T
        return log_joint, given.back(states).T

    def sample_paths(
        self,
        X: Any,
        lengths: Any = None,
        *,
        n_paths: int = 1,
        random_state: Any = None,
        groups: Any = None,
        labels: Any = None,
        covariates: Any = None,
    ) -> Array:
        """Paths drawn from their law given the sequences: what states could have been, together.

        Parameters
        ----------
        n_paths : int, default 1
            How many of every sequence.
        random_state : int, RandomState or None
            None takes the estimator's.

        Returns
        -------
        ndarray of int, shape (n_paths, n_samples)
            States.
        """
        n_paths, rng = checked_count("n_paths", n_paths), self._generator(random_state)
        drawn = self._rows(
            (X, lengths, groups, labels, covariates),
            lambda law, part: law.draw_states(part.scores, part.batch, rng, n_paths),
            np.int64,
        )
        return drawn.T

    # --- shared -----------------------------------------------------------------------------------------------
    def _law(self) -> Any:
        """What rows are judged by: of parameters with posterior laws the chain's means, and densities of new rows given all rows seen."""
        return self._model().predictive

    def _generator(self, random_state: Any) -> np.random.Generator:
        """Chance from a seed, or from the estimator's."""
        given = self.random_state if random_state is None else random_state
        if isinstance(given, np.random.Generator):
            return given
        return np.random.default_rng(check_random_state(given).randint(2**31 - 1))

    def _rows(
        self, asked: tuple[Any, ...], what: Callable[[Any, ScoredRows], Array], dtype: Any = np.float64
    ) -> Array:
        """What a structure says of all rows, (S, B) of every batch, as (N, S) in the order of the rows."""
        X, lengths, groups, labels, covariates = asked
        given = self._given_sequences(X, lengths, groups)
        model = self._law()
        parts = [
            np.asarray(what(model.structure, part), dtype=dtype).T
            for part in self._scored(given, model, labels, covariates)
        ]
        return given.back(np.concatenate(parts))

    def sequence_transitions(
        self, X: Any, lengths: Any = None, *, groups: Any = None, labels: Any = None
    ) -> Array:
        """Each sequence's own moves, where the chain has such (``chain=GroupedChain()``).

        Returns
        -------
        ndarray, shape (n_sequences, n_components, n_components)
            Posterior mean transition matrices, shrunk to that of all; with groups, in the order of their sorted names.
        """
        model = self._law()
        own = getattr(model.structure, "group_transitions", None)
        if own is None:
            msg = (
                f"{type(model.structure).__name__} has the same moves for every sequence; expected a chain with moves per sequence. "
                "Read transmat_, or fit with chain=GroupedChain()."
            )
            raise InvalidParameterError(msg)
        given = self._given_sequences(X, lengths, groups)
        found = np.empty((len(given.lengths), model.n_components, model.n_components))
        for part in self._scored(given, model, labels, None):
            memory: dict[str, Array] = {}
            for _ in range(_LOCAL_ROUNDS):  # each goes on from what the one before remembers
                model.structure.infer(part.scores.copy(), part.batch, memory)
            found[part.units] = own(memory)
        return found

    def _evidence(self, given: Sequences, model: Any, labels: Any = None, covariates: Any = None) -> Array:
        """Log-likelihood of every sequence."""
        found = np.empty(len(given.lengths))
        for part in self._scored(given, model, labels, covariates):
            scales = model.structure.filtered(part.scores, part.batch).log_scale
            found[part.units] = np.add.reduceat(scales, part.offsets[:-1])
        return found


def _viterbi(structure: Any, part: ScoredRows) -> tuple[Array, float]:
    found = structure.viterbi(part.scores, part.batch)
    return found.states, float(found.log_joint.sum())


def _by_step(structure: Any, part: ScoredRows) -> tuple[Array, float]:
    resp = structure.posterior(part.scores, part.batch).probabilities
    return resp.argmax(axis=0), float(resp.max(axis=0).sum())


DECODERS: dict[str, Callable[[Any, ScoredRows], tuple[Array, float]]] = {"viterbi": _viterbi, "map": _by_step}
