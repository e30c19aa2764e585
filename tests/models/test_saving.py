"""Model files: what is saved comes back, nothing is executed, what is not ours is refused, nothing is left half-written."""

import errno
import json
import os
import pickle
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture, GroupedMultinomialMixture, MultinomialMixture
from mixtura.exceptions import ModelFileError, OutputError
from mixtura.models import DirichletMultinomialMixture

ROWS = np.random.default_rng(0).normal(size=(80, 2)) + np.repeat([[0.0], [5.0]], 40, axis=0)
COUNTS = np.random.default_rng(1).poisson([3, 1, 2, 0.5], size=(80, 4)).astype(float)
GROUPS = np.arange(80) // 5


@cache
def fitted(name):
    return {
        **{
            kind: lambda kind=kind: GaussianMixture(2, covariance_type=kind, random_state=0).fit(ROWS)
            for kind in ("full", "tied", "diag", "spherical")
        },
        "multinomial": lambda: MultinomialMixture(2, random_state=0).fit(COUNTS),
        "dirichlet multinomial": lambda: DirichletMultinomialMixture(2, random_state=0).fit(COUNTS / 3.0),
        "grouped": lambda: GroupedMultinomialMixture(2, tol=0.1, random_state=0).fit(COUNTS, groups=GROUPS),
        "grouped by name": lambda: GroupedMultinomialMixture(2, tol=0.1, random_state=0).fit(
            COUNTS, groups=[f"household {g}" for g in GROUPS]
        ),
        "grouped, infinite": lambda: GroupedMultinomialMixture(2, concentration=np.inf, random_state=0).fit(
            COUNTS, groups=GROUPS
        ),
    }[name]()


NAMES = [
    "full",
    "tied",
    "diag",
    "spherical",
    "multinomial",
    "dirichlet multinomial",
    "grouped",
    "grouped by name",
    "grouped, infinite",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_comes_back(tmp_path, name):
    model = fitted(name)
    path = model.save(tmp_path / "model.mixtura")
    assert path == tmp_path / "model.mixtura"
    loaded = mixtura.load(path)
    assert type(loaded) is type(model)
    table = ROWS if isinstance(model, GaussianMixture) else COUNTS
    np.testing.assert_array_equal(loaded.score_samples(table), model.score_samples(table))
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
    units = {"groups": GROUPS} if name == "grouped" else {}
    if name != "grouped by name":
        assert loaded.bic(table, **units) == model.bic(table, **units)
    assert loaded.sample(5)[0].shape == (5, table.shape[1])
    for attribute, value in vars(model).items():
        if attribute.endswith("_") and not attribute.startswith("_"):
            np.testing.assert_equal(getattr(loaded, attribute), value, err_msg=attribute)
    assert loaded.get_params()["n_components"] == 2
    assert loaded.summary() == model.summary()


def test_groups_come_back(tmp_path):
    model = fitted("grouped by name")
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    names = np.array([f"household {g}" for g in GROUPS])
    np.testing.assert_array_equal(loaded.score_samples(COUNTS, names), model.score_samples(COUNTS, names))
    np.testing.assert_array_equal(loaded.groups_, model.groups_)


def test_names_of_columns_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COUNTS, columns=["milk", "bread", "beer", "eggs"])
    model = MultinomialMixture(2, random_state=0).fit(frame)
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    assert loaded.feature_names_in_.tolist() == frame.columns.tolist()
    loaded.predict(frame)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["beer", "milk", "bread", "eggs"]])


def test_a_loaded_model_can_be_fitted_again(tmp_path):
    model = fitted("full")
    loaded = mixtura.load(model.save(tmp_path / "model.mixtura"))
    np.testing.assert_array_equal(loaded.fit(ROWS).means_, model.means_)


def test_the_file_holds_numbers_and_text_only(tmp_path):
    """A safetensors file: a length, a JSON header, and raw arrays; no pickle opcodes are ever read."""
    path = fitted("full").save(tmp_path / "model.mixtura")
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"]["format"] == "mixtura-model"
    assert header["__metadata__"]["class"] == "GaussianMixture"
    assert header["weights_"]["dtype"] == "F64"


def test_models_travel_between_processes_as_plain_values():
    model = fitted("grouped")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).profiles_, model.profiles_)


def test_before_the_fit_there_is_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture().save(tmp_path / "model.mixtura")


# --- files that are not ours --------------------------------------------------------------------------------------
def rewritten(path, **changes):
    """The same file with other metadata."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for key, value in changes.items():
        if value is None:
            del header["__metadata__"][key]
        else:
            header["__metadata__"][key] = value
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


@pytest.fixture
def saved(tmp_path):
    return fitted("full").save(tmp_path / "model.mixtura")


def test_a_newer_version_is_refused(saved):
    rewritten(saved, format_version="99")
    with pytest.raises(ModelFileError, match=r"model\.mixtura.*version 99.*reads version \d.*Install"):
        mixtura.load(saved)


def test_another_program_is_refused(saved):
    rewritten(saved, format="pt")
    with pytest.raises(ModelFileError, match=r"not a mixtura model.*'pt'"):
        mixtura.load(saved)


def test_another_class_is_refused_with_the_nearest_name(saved):
    rewritten(saved, **{"class": "GausianMixture"})
    with pytest.raises(ModelFileError, match=r"GausianMixture.*Did you mean 'GaussianMixture'"):
        mixtura.load(saved)


def test_an_unknown_setting_is_refused(saved):
    rewritten(saved, settings=json.dumps({"n_components": 2, "colour": "red"}))
    with pytest.raises(ModelFileError, match=r"colour.*another version"):
        mixtura.load(saved)


@pytest.mark.parametrize("key", ["class", "settings", "attributes"])
def test_a_missing_part_is_refused(saved, key):
    rewritten(saved, **{key: None})
    with pytest.raises(ModelFileError, match=r"damaged|cannot be read"):
        mixtura.load(saved)


@pytest.mark.parametrize("text", ["{", "[]", '"text"'])
def test_damaged_metadata_are_refused(saved, text):
    rewritten(saved, attributes=text)
    with pytest.raises(ModelFileError):
        mixtura.load(saved)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match=r"model.mixtura"):
        mixtura.load(saved)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "model.mixtura"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelFileError):
        mixtura.load(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 7, b"not a model", b"\xff" * 64, b"PK\x03\x04" + b"\x00" * 100]
)
def test_anything_else_is_refused(tmp_path, content):
    path = tmp_path / "other.mixtura"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"other.mixtura"):
        mixtura.load(path)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelFileError, match=r"is a folder.*expected a model file"):
        mixtura.load(tmp_path)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions of POSIX systems")
def test_a_file_that_may_not_be_read(saved, monkeypatch):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    saved.chmod(0)
    with pytest.raises(ModelFileError):
        mixtura.load(saved)


# --- targets that cannot be written -------------------------------------------------------------------------------
def test_a_missing_folder(tmp_path):
    with pytest.raises(OutputError, match=r"written to .*missing.*Choose a folder"):
        fitted("full").save(tmp_path / "missing" / "model.mixtura")
    assert not list(tmp_path.iterdir())


def test_a_target_that_is_a_folder(tmp_path):
    (tmp_path / "model.mixtura").mkdir()
    with pytest.raises(OutputError):
        fitted("full").save(tmp_path / "model.mixtura")
    assert [path.name for path in tmp_path.iterdir()] == ["model.mixtura"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        fitted("full").save(tmp_path / "file" / "model.mixtura")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="can be written"):
        fitted("full").save(tmp_path / "model.mixtura")
    tmp_path.chmod(0o700)


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFile:
    """A file on a disk that is full."""

    def __init__(self, handle):
        os.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    write = full_disk


@pytest.mark.parametrize("where", ["fsync", "write", "replace"])
@pytest.mark.parametrize("before", [None, b"an older model"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, where, before):
    path = tmp_path / "model.mixtura"
    if before is not None:
        path.write_bytes(before)
    model = fitted("full")
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full_disk)
    elif where == "write":
        monkeypatch.setattr(os, "fdopen", lambda handle, *_: FullFile(handle))
    else:
        monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OutputError, match=r"No space left.*has space.*nothing was left") as caught:
        model.save(path)
    monkeypatch.undo()
    assert isinstance(caught.value, OSError)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == (
        {} if before is None else {path.name: before}
    )


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "model.mixtura"
    fitted("full").save(path)
    fitted("multinomial").save(path)
    assert isinstance(mixtura.load(path), MultinomialMixture)
    assert [p.name for p in tmp_path.iterdir()] == ["model.mixtura"]


def test_a_folder_without_permission_even_for_root(tmp_path, monkeypatch):
    def refused(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(OutputError, match=r"Permission denied.*can be written"):
        fitted("full").save(tmp_path / "model.mixtura")
    assert not list(tmp_path.iterdir())
