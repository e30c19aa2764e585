r"""The contracts: what a model, a component, a structure, an update and an executor are.

The whole library is one line of pure functions; only :class:`~mixtura.statistics.Statistics` travels::

    batches -> encode -> scores -> infer hidden state -> Statistics -> sum -> update -> new model

Notation (docs/notation.md): K components, D features, B rows of a batch, U units of a batch, P statistics.
Inside the library blocks are feature-major, ``(P, B)`` and ``(K, B)``; ``(N, K)`` exists only at the public border.
The page is long because all contracts are on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mixtura.statistics import Statistics

__all__ = [
    "Array",
    "Batch",
    "Component",
    "Encoding",
    "Executor",
    "Inference",
    "Memory",
    "Model",
    "Pass",
    "Source",
    "Structure",
    "Update",
    "UpdateStep",
]

Array = NDArray[Any]
Memory = MutableMapping[str, Array]
Block = Any


@dataclass(frozen=True)
class Encoding:
    """How raw rows become numbers: made once by one summary pass, then frozen.

    Parameters
    ----------
    n_features : int
        D, number of columns.
    origin : ndarray, shape (D,), optional
        Point about which all sums are taken, in the units of the data; None is zero (counts).
        Sources subtract it, so components live in coordinates about the origin.
    scale : ndarray, shape (D,), optional
        Standard deviation of each column: what "small" means for this data.
    dtype : str, default "float64"
        Type in which blocks are computed; sums are always float64.
    missing : bool, default False
        Whether cells may be missing (NaN) somewhere in the data, so that all batches send sums of one form.
    """

    n_features: int
    origin: Array | None = None
    scale: Array | None = None
    dtype: str = "float64"
    missing: bool = False
    stamp: str = field(init=False, default="")

    def __post_init__(self) -> None:
        kind = f"{self.n_features}|{self.dtype}{'|missing' if self.missing else ''}"
        digest = hashlib.blake2b(kind.encode(), digest_size=8)
        for array in (self.origin, self.scale):
            digest.update(b"-" if array is None else np.ascontiguousarray(array, dtype=np.float64).tobytes())
        object.__setattr__(self, "stamp", digest.hexdigest())

    def take(self, columns: Sequence[int] | Array) -> Encoding:
        """The encoding of some of the columns.

        Parameters
        ----------
        columns : sequence of int
            Indices of the columns, in the order wanted.

        Examples
        --------
        >>> Encoding(3, origin=np.array([0.0, 1.0, 2.0])).take([2]).origin
        array([2.])
        """
        index = np.asarray(columns, dtype=np.intp)
        origin, scale = (None if array is None else array[index] for array in (self.origin, self.scale))
        return Encoding(len(index), origin, scale, self.dtype, self.missing)


@dataclass(frozen=True)
class Batch:
    """Rows and what belongs to them.

    Parameters
    ----------
    x : ndarray, shape (D, B), or CSR matrix, shape (B, D)
        Rows about the encoding's origin. Dense rows are feature-major.
    sample_weight : ndarray, shape (B,)
        Weight of every row; ones when the user gave none.
    unit_offsets : ndarray of int, shape (U + 1,), optional
        Row at which each unit begins, and B at the end. None: every row is a unit.
    id : int
        Key under which the executor keeps this batch's memory.
    covariates : ndarray, shape (Q, B), optional
        What the law of the states may depend on in every row.
    allowed : ndarray of bool, shape (K, B), optional
        States that every row may have (known labels, sets of labels). None: all.
    seen : ndarray of bool, shape (B,), optional
        Rows that were observed: the others have a state, but say nothing of it, and what stands in x there is not looked at.
        None: all.
    """

    x: Any
    sample_weight: Array
    unit_offsets: Array | None = None
    id: int = 0
    covariates: Array | None = None
    allowed: Array | None = None
    seen: Array | None = None


class Inference(NamedTuple):
    """What a structure concludes about the hidden state of a batch.

    Parameters
    ----------
    log_evidence : ndarray, shape (U,)
        Log probability (or its bound) of each unit; see `Structure.weights_inside`.
    resp : ndarray, shape (K, B)
        Posterior probability of each state, multiplied by the rows' weights.
    statistics : Statistics
        The structure's own sums.
    """

    log_evidence: Array
    resp: Array
    statistics: Statistics


@runtime_checkable
class Source(Protocol):
    """A re-readable sequence of batches that never splits a unit."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Batch: ...

    def __iter__(self) -> Iterator[Batch]: ...


@runtime_checkable
class Model(Protocol):
    """All that the driver knows."""

    def summarize(self, batch: Batch, memory: Memory) -> Statistics:
        """Expected statistics of a batch; bounded local loops inside are allowed."""
        ...

    def maximize(self, stats: Statistics) -> Self:
        """A new model that maximises the expected log-likelihood; never mutates."""
        ...

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of statistics and parameters."""
        ...

    def penalty(self) -> float:
        """What the objective is less than the log evidence: KL(posterior || prior), minus a log prior density, or zero."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the step that made this model was an exact maximisation."""
        ...

    def take(self, components: Sequence[int] | Array) -> Self:
        """The model restricted to some components."""
        ...

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Statistics in which one component is split in two along its main axis (from statistics alone)."""
        ...

    def coordinates(self) -> Array:
        """Parameters as one vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        ...


@runtime_checkable
class Component(Protocol):
    """K of them at once: anything that a mixture or a hidden Markov model can have.

    A component may also say, and callers read with a default (:mod:`mixtura.components.hooks`):

    - ``blank``: it has no parameters yet; ``located``: even then it has a place (that of its prior), so that it is moved;
    - ``moved(by)``: itself with locations minus `by`, shape (D,), where it is centred;
    - ``marginal``: missing (NaN) cells are integrated over exactly;
    - ``outside(x)``, ``support``, ``name``: which values of x it cannot have, shape (D, B), and what is expected in words;
    - ``features(x)``, ``standardized``: rows (F, B) between which Euclidean distance means something, for starts, and whether
      their scales mean nothing;
    - ``table(names, origin)``: parameters by name, ``(parameter, feature, other feature, values (K,))``, in units of the data;
    - ``restricted(columns)``: the law of some columns, as a component over these, in the order given;
    - ``conditioned(columns, values)``: that of the other columns, in their order, given values (G,) of these, about the origin
      where columns are centred;
    - ``expected_cells(x, resp, encoding)``: what missing (NaN) cells of x are expected to be given the rest of their row, summed
      over resp (K, B): for each column means (B,), probabilities of levels (L, B), or means of exp(i x) for angles x;
    - ``inseparable``: why some columns have no law without the others, in words; then none of these three is asked for;
    - ``variational(prior, overall, origin)``, ``penalized(prior, overall, origin)``: blank components of the same kind whose
      parameters have posterior laws, or that go to the posterior mode; `overall` are the sums of all rows as one component;
    - ``penalty()``: what the objective is less than the log evidence (structures may have one, too): with a posterior law q the
      divergence KL(q || prior), at a mode minus the log prior density, without a prior zero.

    Components and structures with posterior laws also have ``point`` (the same without uncertainty), ``draw(rng)`` (one drawn
    from the posterior) and, components only, ``predictive`` (one that scores by the law of a new row given all rows seen),
    ``prior_draw(n_components, rng)``, ``divergences()``, (K,), and ``learning()``: the same with a prior that is learnt in every
    step (empirical Bayes).
    """

    @property
    def centred(self) -> Any:
        """Whether rows are taken about the columns' means (the encoding's origin): a bool, or one for each column."""
        ...

    @property
    def n_components(self) -> int:
        """K, number of components."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the last `maximize` was exact (no floor, no added diagonal)."""
        ...

    def n_statistics(self, n_features: int) -> int:
        """P, rows of the encoded block: decides how many rows fit the cache."""
        ...

    def n_parameters(self) -> int:
        """Free parameters of all components together."""
        ...

    def encode(self, x: Any, encoding: Encoding) -> Block:
        """What the component needs of a batch: T(x) feature-major, (P, B), or more."""
        ...

    def log_prob(self, block: Block) -> Array:
        """Scores log p(x | k), shape (K, B)."""
        ...

    def expected_statistics(self, block: Block, resp: Array) -> Statistics:
        """Sums weighted by resp, shape (K, B); linear in resp, additive over rows."""
        ...

    def maximize(self, stats: Statistics) -> Self:
        """All K at once; raises DegenerateComponentError naming every component without a maximum."""
        ...

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of statistics and parameters."""
        ...

    def suspects(self, stats: Statistics) -> dict[int, str]:
        """Components that sit on a handful of rows or have almost no variance, and why."""
        ...

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Two components in the place of one, along its main axis, from statistics alone."""
        ...

    def coordinates(self) -> Array:
        """Parameters as one vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        ...

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the components, in the order given."""
        ...

    def concatenate(self, parts: Sequence[Self]) -> Self:
        """This one's components followed by those of `parts`."""
        ...

    def sample(self, component: int, n: int, rng: np.random.Generator) -> Array:
        """n rows of one component, shape (n, D), about the encoding's origin."""
        ...


@runtime_checkable
class Structure(Protocol):
    """The law of the hidden state.

    One may also say, and callers read with a default, ``exchangeable`` (True): whether states have no order, so that a permutation
    of them is the same law; ``sequential`` (False): whether rows of a unit follow each other in time, so that weights belong to
    units and a fit counts their rows; and what :class:`Component` says of posterior laws.
    """

    weights_inside: bool
    """Whether log evidence holds the rows' weights (units of many rows); otherwise they multiply it (units are rows)."""

    @property
    def n_components(self) -> int:
        """K, number of states."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the last `maximize` was exact."""
        ...

    def n_parameters(self) -> int:
        """Free parameters."""
        ...

    def infer(self, scores: Array, batch: Batch, memory: Memory) -> Inference:
        """Posterior of the hidden state given scores (K, B), which may be overwritten; resp carries the weights."""
        ...

    def maximize(self, stats: Statistics) -> Self:
        """A new structure."""
        ...

    def expected_log_prob(self, stats: Statistics) -> float:
        """Inner product of statistics and parameters."""
        ...

    def split(self, stats: Statistics, component: int) -> Statistics:
        """Sums in which one state is halved in two (the second half is appended)."""
        ...

    def coordinates(self) -> Array:
        """Parameters as one vector of which every value is valid."""
        ...

    def from_coordinates(self, vector: Array) -> Self:
        """Inverse of `coordinates`."""
        ...

    def take(self, components: Sequence[int] | Array) -> Self:
        """Some of the states."""
        ...


class Pass(Protocol):
    """One fit's hold on an executor: its threads and the memory of its batches."""

    @property
    def memory(self) -> Mapping[int, Memory]:
        """What units remember, by batch."""
        ...

    def total(self, summarize: Callable[[Batch, Memory], Statistics], batches: Source) -> Statistics:
        """Map, then add, in an order that does not depend on the number of workers."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Executor(Protocol):
    """Who sums."""

    def session(self) -> Pass:
        """Open a fit: fresh memory, workers ready."""
        ...


class UpdateStep(NamedTuple):
    """What an update returns: the next model, its own state, and how the step was made."""

    model: Any
    state: Any
    exact: bool
    events: tuple[str, ...] = ()


class Update(Protocol):
    """A rule that turns statistics into the next model: EM, MAP, variational, stepwise."""

    def init(self, model: Any) -> Any:
        """State before the first step."""
        ...

    def objective(self, state: Any, model: Any, stats: Statistics) -> float:
        """What this update raises: the log evidence, plus a log prior where there is one."""
        ...

    def step(self, state: Any, model: Any, stats: Statistics) -> UpdateStep:
        """One step."""
        ...
