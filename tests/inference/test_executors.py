"""Who sums: groups of batches, threads, BLAS, and what units remember."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mixtura
from mixtura.data import DenseSource
from mixtura.executors import Serial, Threads
from mixtura.executors.serial import N_GROUPS, partition
from mixtura.protocols import Encoding
from mixtura.statistics import Statistics


@pytest.mark.parametrize("n_batches", [0, 1, 5, N_GROUPS, N_GROUPS + 1, 1000])
def test_the_partition_covers_every_batch_once_in_order(n_batches):
    groups = partition(n_batches)
    assert [index for group in groups for index in group] == list(range(n_batches))
    assert len(groups) == min(n_batches, N_GROUPS)


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("executor", [Serial(), Threads(1), Threads(2)], ids=repr)
def test_blas_has_one_thread_inside_and_its_own_number_after(executor):
    before = blas_threads()
    inside = []

    def summarize(batch, memory):
        inside.append(blas_threads())
        return Statistics({"count": np.ones(1)})

    with executor.session() as session:
        session.total(summarize, DenseSource(np.zeros((10, 1)), Encoding(1), rows_per_batch=5))
    assert all(number == 1 for numbers in inside for number in numbers)
    assert blas_threads() == before


@pytest.mark.parametrize("executor", [Serial(), Threads(2)], ids=repr)
def test_memory_stays_beside_its_batch_and_ends_with_the_session(executor):
    source = DenseSource(np.arange(10.0)[:, None], Encoding(1), rows_per_batch=2)

    def summarize(batch, memory):
        memory["passes"] = memory.get("passes", 0) + 1
        memory["first"] = batch.x[0, 0]
        return Statistics({"count": np.array([memory["passes"]], dtype=float)})

    with executor.session() as session:
        assert session.total(summarize, source)["count"] == 5
        assert session.total(summarize, source)["count"] == 10
        assert [session.memory[index]["first"] for index in range(5)] == [0.0, 2.0, 4.0, 6.0, 8.0]
    with executor.session() as session:
        assert session.total(summarize, source)["count"] == 5


def test_an_error_in_a_thread_reaches_the_caller():
    def summarize(batch, memory):
        raise ZeroDivisionError

    source = DenseSource(np.zeros((10, 1)), Encoding(1), rows_per_batch=2)
    with pytest.raises(ZeroDivisionError), Threads(2).session() as session:
        session.total(summarize, source)


def test_no_thread_is_left_behind():
    import threading

    before = threading.active_count()
    x = np.random.default_rng(0).normal(size=(2000, 2))
    mixtura.GaussianMixture(2, executor=Threads(3), random_state=0, tol=1e-2).fit(x)
    assert threading.active_count() == before


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, "two"])
def test_threads_refuse_what_is_not_a_number_of_threads(n_threads):
    with pytest.raises(ValueError, match="positive integer"):
        Threads(n_threads)


def test_threads_take_the_cores_they_may_use():
    assert 1 <= Threads().n_threads <= (os.cpu_count() or 1)


def test_user_classes_give_the_same_bits_for_any_number_of_threads():
    x = np.random.default_rng(1).normal(size=(9000, 3))
    fits = [
        mixtura.GaussianMixture(4, executor=executor, random_state=0, tol=1e-2).fit(x)
        for executor in (Serial(), Threads(1), Threads(2), Threads(3))
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.covariances_, fits[0].covariances_)
        assert fit.lower_bounds_ == fits[0].lower_bounds_
