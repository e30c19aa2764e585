"""The page as a whole: sections in their order, styles and scripts put into one file."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from mixtura.exceptions import OutputError, optional_import
from mixtura.report import charts, words
from mixtura.report.results import Results
from mixtura.report.sections import (
    associations,
    certainty,
    certainty_of_segments,
    choice,
    customers,
    data,
    demographics,
    flows,
    heatmap,
    method,
    mission_map,
    missions,
    prediction,
    refresh,
    segment_map,
    segments,
    steps,
    summary,
    sureness,
    timeline,
    trust,
)

__all__ = ["build_report", "compose", "save", "write_report"]

Chapters = Sequence[tuple[str, Sequence[Any]]]

_SECTIONS: Chapters = (
    ("Overview", (summary, steps, data)),
    ("Missions", (missions, heatmap, mission_map, timeline, associations, choice)),
    ("Segments", (segments, segment_map, flows, demographics, customers, certainty_of_segments)),
    ("Trust", (prediction, trust, certainty, sureness, refresh)),
    ("Method", (method,)),
)


def build_report(missions: Mapping[str, Any] | None, segments: Mapping[str, Any] | None = None) -> str:
    """One self-contained HTML page from the results of the main job.

    The page is made from the results alone, so it can be made again at any time from the files
    ``missions.json`` and ``segments.json``; it loads nothing from the network.

    Parameters
    ----------
    missions : mapping or None
        The content of ``missions.json`` (schema ``mixtura-missions/2``; 1 is read too). None for a run of
        segments only.
    segments : mapping, optional
        The content of ``segments.json`` (schema ``mixtura-segments/1``).

    Returns
    -------
    str
        The page, about 5 MB, nearly all of it Plotly's script.

    Raises
    ------
    InvalidDataError
        If both are missing, or one has another schema, lacks a part, or its parts contradict each other.
    MissingExtraError
        If Jinja2 or Plotly is not installed.

    Notes
    -----
    All text that comes from the data is escaped, and the page's content security policy allows exactly its
    own scripts (by their hashes) and no connection.

    Examples
    --------
    >>> results = {
    ...     "schema": "mixtura-missions/2",
    ...     "data": {"n_baskets": 2, "n_customers": 1},
    ...     "categories": ["milk", "beer"],
    ...     "category_share": [0.5, 0.5],
    ...     "missions": [{"number": 1, "name": "Milk", "weight": 1.0, "profile": [0.5, 0.5], "top": []}],
    ... }
    >>> page = build_report(results)
    >>> page[:15], "</html>" in page
    ('<!doctype html>', True)
    """
    results = Results(missions, segments)
    return compose(results, _SECTIONS, _head(results))


def _head(results: Results) -> dict[str, Any]:
    """What stands above the sections."""
    both = bool(results.missions and results.segments)
    headline = words.listing(
        [words.count(len(level.items), level.noun) for level in results.levels if level.items]
    )
    period = words.period(results.data.get("first_time"), results.data.get("last_time"))
    tiles = [
        ("Baskets", results.data.get("n_baskets")),
        ("Customers", results.data.get("n_customers")),
        ("Categories", len(results.categories)),
        *([("Missions", results.n_missions)] if results.missions else []),
        *([("Segments", results.n_segments)] if results.segments else []),
    ]
    kinds = (["Shopping missions"] if results.missions else []) + (
        ["customer segments" if results.missions else "Customer segments"] if results.segments else []
    )
    return {
        "document": headline.capitalize(),
        "eyebrow": " and ".join(kinds),
        "title": "Who your customers are and what they come for"
        if both
        else "What your customers come for"
        if results.missions
        else "Who your customers are",
        "lead": f"{headline} found in {words.number(results.data.get('n_baskets'))} baskets{f', {period}' if period else ''}",
        "tiles": tiles,
    }


def compose(results: Any, sections: Chapters, head: Mapping[str, Any]) -> str:
    """One page from sections.

    Parameters
    ----------
    results : object
        What the sections ask; `header` is the content with the version.
    sections : sequence of (str, sequence of module)
        Chapters; every module has `context(results)`, which is None where it has nothing to show.
    head : Mapping
        document, eyebrow, title and lead, and the tiles as pairs of a name and a number.

    Returns
    -------
    str
        The page.
    """
    scripts = [_plotly_script(), *_assets("js")]
    chapters = [
        (title, [part for part in (section.context(results) for section in parts) if part is not None])
        for title, parts in sections
    ]
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            results=results,
            head=head,
            chapters=[(title, parts) for title, parts in chapters if parts],
            style="\n".join(_assets("css")),
            scripts=scripts,
            policy=_content_security_policy(*scripts),
        )
    )
    return str(page)


def write_report(
    missions: Mapping[str, Any] | None,
    path: str | os.PathLike[str],
    segments: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page of :func:`build_report` to a file, whole or not at all.

    The page goes to a temporary file beside `path`, which then takes its name, so a reader never meets half a
    page and a failure leaves an older page as it was.

    Parameters
    ----------
    missions : mapping or None
        The content of ``missions.json``; None for a run of segments only.
    path : path-like
        Where to write; an existing file is replaced.
    segments : mapping, optional
        The content of ``segments.json``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InvalidDataError
        As :func:`build_report`.
    MissingExtraError
        As :func:`build_report`.
    OutputError
        If the file cannot be written; nothing is left behind.

    Examples
    --------
    >>> results = {
    ...     "schema": "mixtura-missions/2",
    ...     "data": {"n_baskets": 2, "n_customers": 1},
    ...     "categories": ["milk"],
    ...     "category_share": [1.0],
    ...     "missions": [{"number": 1, "name": "Milk", "weight": 1.0, "profile": [1.0], "top": []}],
    ... }
    >>> write_report(results, "report.html").name
    'report.html'
    """
    return save(build_report(missions, segments), path)


def save(page: str, path: str | os.PathLike[str]) -> Path:
    """Write a page whole or not at all.

    Parameters
    ----------
    page : str
        The page.
    path : path-like
        Where to write; an existing file is replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(
                f"{target}: the report could not be written ({error.strerror or error}). Expected a folder "
                "that "
                "exists, may be written to and has 8 MB free. Choose another folder, or make room."
            ) from error
        raise
    return target


def _environment() -> Any:
    jinja2 = optional_import("jinja2", "segment")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mixtura.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=words.number,
        percent=words.percent,
        share=words.share_of_all,
        lift=words.lift,
        money=words.money,
        embed=charts.embed,
        breakable=_breakable,
    )
    return environment


def _breakable(text: str) -> Any:
    """Text that may break after a slash, with a sign between names kept at the end of its line."""
    markupsafe = optional_import("markupsafe", "segment")  # comes with Jinja2
    for sign in "+·":
        text = text.replace(f" {sign} ", f"\N{NO-BREAK SPACE}{sign} ")
    return markupsafe.escape(text).replace("/", markupsafe.Markup("/<wbr>"))


def _assets(kind: str) -> list[str]:
    """The report's own styles or scripts; the page's first, those of single sections after it."""
    folder = resources.files("mixtura.report").joinpath("assets")
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(f".{kind}")),
        key=lambda file: (not file.name.startswith(("report.", "style.")), file.name),
    )
    return [file.read_text(encoding="utf-8") for file in found]


def _plotly_script() -> str:
    optional_import("plotly", "segment")
    script = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    # Inside a page, "</script" would end the script even within one of its strings.
    return script.replace("</script", "<\\/script")


def _content_security_policy(*scripts: str) -> str:
    digests = (hashlib.sha256(script.encode("utf-8")).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
