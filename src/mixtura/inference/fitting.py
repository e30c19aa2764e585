"""From a table and settings to the best of several runs: what every user class calls.

There is one path: make starts, screen them by short runs where sieving is asked for, run the rest to their end,
keep the best. Everything that differs between models is in `mixtura.inference.problem.Problem`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mixtura.exceptions import DegenerateComponentError
from mixtura.executors import Serial, one_thread
from mixtura.inference import initialize
from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.moves import Move, Setting
from mixtura.inference.problem import Nested, Problem
from mixtura.inference.recipe import last_recipe, recipe
from mixtura.inference.restarts import Outcome, Outrun, Start, StartResult, best_of, run_starts, sieve
from mixtura.inference.starting import one_step, softness
from mixtura.inference.stopping import Stopping, catch_interrupt
from mixtura.protocols import Array, Executor, Source
from mixtura.structures import LatentMixture

__all__ = ["Fitted", "Settings", "deadline", "fit", "given_start"]

# Screening: short runs, and what is kept of them.
_CANDIDATES = 20
_SHORT_STEPS = 30
_KEPT_ON_SAMPLE = 5
_KEPT_ON_ALL = 2


@dataclass(frozen=True)
class Settings:
    """How it is learned.

    Parameters
    ----------
    init : str
        "sieve", or the name of a partition rule (`mixtura.inference.initialize.PARTITIONS`).
    n_init : int
        Starts (for "sieve": rounds of screening).
    stopping : Stopping
        Of the runs on all rows.
    executor : Executor
        Who sums on all rows.
    callbacks : sequence of callable
        Called after every pass over all rows.
    """

    init: str
    n_init: int
    stopping: Stopping
    executor: Executor
    callbacks: Sequence[Callable[[Progress], object]] = ()


@dataclass(frozen=True)
class Fitted:
    """The best run and the record of all.

    Parameters
    ----------
    best : FitResult
        The run kept.
    starts : tuple of StartResult
        Every start, in the order run; those carried to the end on all rows come last.
    best_start : int
        Index into `starts` of the run kept.
    moves : tuple of Move, default ()
        All moves that were tried after it, in order.
    interrupted : bool, default False
        Whether Ctrl-C ended the moves.
    """

    best: FitResult
    starts: tuple[StartResult, ...]
    best_start: int
    moves: tuple[Move, ...] = ()
    interrupted: bool = False


def fit(
    problem: Problem, settings: Settings, rng: np.random.Generator, given: LatentMixture | None = None
) -> Fitted:
    """Learn a problem.

    Parameters
    ----------
    problem : Problem
        What.
    settings : Settings
        How.
    rng : numpy.random.Generator
        Source of the starts' seeds.
    given : LatentMixture, optional
        A start; no other is made.

    Returns
    -------
    Fitted
        The best run.

    Raises
    ------
    DegenerateComponentError
        If every start collapsed.
    """
    # One flag for screening and long runs: Ctrl-C while starts are screened ends the fit, too.
    with (
        catch_interrupt(),
        one_thread(),
    ):  # k-means on a few rows is slower on many threads, and much slower on a busy machine
        return _moved(problem, settings, _fit(problem, settings, rng, given))


def _moved(problem: Problem, settings: Settings, fitted: Fitted) -> Fitted:
    """The best run after moves, where there are any; known labels name components by their places, so these stay."""
    if problem.moves is None or problem.allowed is not None:
        return fitted
    setting = Setting(
        problem.source(), problem.update, settings.executor, settings.stopping, settings.callbacks
    )
    found = problem.moves(fitted.best, setting)
    return replace(fitted, best=found.best, moves=found.tried, interrupted=found.interrupted)


def _fit(
    problem: Problem, settings: Settings, rng: np.random.Generator, given: LatentMixture | None
) -> Fitted:
    source = problem.source()
    runner = _runner(problem, source, settings)
    screened: list[StartResult] = []
    inner = replace(settings, callbacks=())
    # The same seeds as a fit of the special case by itself, so that this fit does not end below that one.
    nested = [_nested(one, inner, copy.deepcopy(rng)) for one in problem.nested]
    if given is not None:
        starts = [Start("given", 0, lambda: given)]
    elif settings.init == "sieve":
        starts, screened = _sieved(problem, settings, rng)
    else:
        starts = _named(problem, settings.init, settings.n_init, rng)
    if given is None:
        starts = [*starts, *nested]
    outcomes = run_starts(starts, _watched(problem, source, settings) if settings.init == "sieve" else runner)
    return _best(outcomes, screened, starts, runner)


def _nested(nested: Nested, settings: Settings, rng: np.random.Generator) -> Start:
    """A fit of the special case, made when its turn comes."""
    return Start(
        f"nested {nested.problem.components!r}",
        0,
        lambda: nested.widen(_fit(nested.problem, settings, rng, None).best.model),
    )


def _best(
    outcomes: list[Outcome],
    screened: Sequence[StartResult],
    starts: Sequence[Start],
    runner: Callable[..., FitResult],
) -> Fitted:
    order = best_of(outcomes)
    if not order:  # run the first again outside the net, so that its own error is seen
        runner(starts[0].make())
        raise DegenerateComponentError([])
    fit_result, _ = outcomes[order[0]]
    if fit_result is None:
        raise DegenerateComponentError([])
    return Fitted(fit_result, (*screened, *(result for _, result in outcomes)), len(screened) + order[0])


def given_start(problem: Problem, rng: np.random.Generator, rule: str) -> LatentMixture:
    """One start by a rule, for callers that then replace some of its parameters."""
    return _named(problem, "kmeans" if rule == "sieve" else rule, 1, rng)[0].make()


def _runner(problem: Problem, source: Source, settings: Settings) -> Callable[[LatentMixture], FitResult]:
    def runner(model: LatentMixture) -> FitResult:
        return run(
            model,
            source,
            update=problem.update(model.n_components),
            executor=settings.executor,
            stopping=settings.stopping,
            callbacks=settings.callbacks,
        )

    return runner


def _watched(problem: Problem, source: Source, settings: Settings) -> Callable[[LatentMixture], FitResult]:
    """A runner that gives up runs which cannot catch up with the best."""
    outrun = Outrun()
    return outrun.watch(_runner(problem, source, replace(settings, callbacks=(*settings.callbacks, outrun))))


def _named(problem: Problem, rule: str, n_init: int, rng: np.random.Generator) -> list[Start]:
    """Starts of one partition rule in its embedding, hard as in scikit-learn (counts: see `recipe`)."""
    sample = (problem.screen or problem).sample(_sample_size(problem, floor=50_000), rng)
    weight = _weights(sample)
    blind = initialize.is_blind(rule, problem.components)
    embedding = sample.x if blind else _embedded(sample, weight, rule)
    source = sample.source()
    begin = initialize.begun(sample.components, embedding, weight, sample.n_components)
    soft = softness(problem)
    return [
        Start(
            rule,
            seed,
            partial(
                problem.started,
                partial(_make, sample, source, embedding, weight, rule, seed, soft=soft, begin=begin),
            ),
        )
        for seed in (int(rng.integers(2**31 - 1)) for _ in range(n_init))
    ]


def _embedded(sample: Problem, weight: Array, rule: str) -> Any:
    embeddings = sample.embed(sample.x, weight)
    return embeddings[initialize.embedding_of(rule, len(embeddings))]


def _sieved(
    problem: Problem, settings: Settings, rng: np.random.Generator
) -> tuple[list[Start], list[StartResult]]:
    """Screen many short runs on a sample, run the best few on there, hand on the best of those."""
    sample = (problem.screen or problem).sample(_sample_size(problem, floor=3000), rng)
    weight = _weights(sample)
    embeddings = sample.embed(sample.x, weight)
    begin = [initialize.begun(sample.components, z, weight, sample.n_components) for z in embeddings]
    source = sample.source()
    size = 1 if problem.n_components == 1 else _CANDIDATES * settings.n_init
    hard = bool(np.all(problem.components.centred))

    def start(rule: str, which: int, soft: float, seed: int) -> Start:
        make = partial(
            _make, sample, source, embeddings[which], weight, rule, seed, soft=soft, begin=begin[which]
        )
        return Start(f"{rule}, embedding {which + 1}", seed, make)

    candidates = [
        start(rule, which, soft, int(rng.integers(2**31 - 1)))
        for rule, which, soft in recipe(len(embeddings), size, hard=hard)
    ]
    if size == 1:
        return _handed_on(problem, candidates), []
    # After all others, so that these end as they would without it; its seed is no matter of chance.
    last = [start(*how, seed=0) for how in last_recipe(embeddings)]
    small = replace(settings, executor=Serial(), callbacks=())
    short = replace(small, stopping=replace(settings.stopping, max_iter=_SHORT_STEPS))
    outcomes = run_starts(candidates, _runner(sample, source, short))
    kept, left = sieve(outcomes, candidates, _KEPT_ON_SAMPLE, problem.apart)
    if not kept:
        return _handed_on(problem, [*candidates[:1], *last]), left[1:]
    if sample is problem:
        return [*kept, *last], left
    outcomes = run_starts(kept, _watched(sample, source, small))
    final, more = sieve(outcomes, kept, _KEPT_ON_ALL, problem.apart)
    if not final:
        return _handed_on(problem, [*kept, *last]), left
    return _handed_on(problem, [*final, *last]), [*left, *more]


def _handed_on(problem: Problem, starts: Sequence[Start]) -> list[Start]:
    """Starts found in a simpler structure, under the problem's own."""
    return [replace(start, make=partial(problem.started, start.make)) for start in starts]


def _make(
    sample: Problem,
    source: Source,
    embedding: Any,
    weight: Array,
    rule: str,
    seed: int,
    *,
    soft: float,
    begin: tuple[Array, Array] | None = None,
) -> LatentMixture:
    rng = np.random.default_rng(seed)
    resp = initialize.partition(rule, embedding, weight, sample.n_components, rng, begin)
    return one_step(sample, source, resp, soft)


def _sample_size(problem: Problem, floor: int) -> int:
    """Rows of the sample: a hundred for every component, or five for each of its columns."""
    per_component = max(100, 5 * (problem.encoding.n_features + 1))
    return int(min(max(floor, problem.n_components * per_component), 100_000))


def _weights(problem: Problem) -> Array:
    return np.ones(problem.x.shape[0]) if problem.sample_weight is None else problem.sample_weight


def deadline(time_budget: float | None) -> float | None:
    """Monotonic time at which a budget of seconds, starting now, ends."""
    return None if time_budget is None else time.monotonic() + time_budget
