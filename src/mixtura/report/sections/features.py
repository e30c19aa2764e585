"""What the segments are told apart by, missions or categories, in the words of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mixtura.report import charts, words
from mixtura.report.results import Results

__all__ = ["Features", "differences", "in_common", "of_segments", "titles"]

_SMALLEST = 0.005  # half a point: a smaller difference is not worth a word
_UNITS = {"lines": "purchases", "quantity": "items bought", "amount": "spending"}


@dataclass(frozen=True)
class Features:
    """The F features of the segments.

    Parameters
    ----------
    noun : str
        What one of them is called: ``"mission"`` or ``"category"``.
    nouns : str
        Its plural.
    unit : str
        What is divided among them: ``"visits"``, or for categories purchases or spending.
    names : list of str
        Their names as the page writes them.
    share : list of float
        Their shares among all customers.
    """

    noun: str
    nouns: str
    unit: str
    names: list[str]
    share: list[Any]

    def lift(self, profile: list[Any], feature: int) -> float | None:
        """Share of a feature in a profile over its share among all customers; None where there is none."""
        share, overall = profile[feature], self.share[feature]
        if not (words.is_number(share) and words.is_number(overall)) or overall <= 0:
            return None
        return share / overall


def of_segments(results: Results) -> Features:
    """The features of the segments of a run.

    Parameters
    ----------
    results : Results
        The results, with segments.

    Returns
    -------
    Features
        Their names, shares and nouns.
    """
    level = results.segment_level
    over_missions = level.raw.get("over") != "categories"
    return Features(
        noun="mission" if over_missions else "category",
        nouns="missions" if over_missions else "categories",
        unit="visits" if over_missions else _UNITS.get(str(results.data.get("value")), "purchases"),
        names=[results.label(name) for name in level.rows("features")],
        share=level.rows("feature_share"),
    )


def titles(results: Results) -> dict[int, str]:
    """The names of the segments by their number."""
    return {int(segment["number"]): results.named(segment, "segment") for segment in results.segments}


def in_common(distance: Any) -> float | None:
    """The share that two profiles have in common, from their L1 distance.

    Parameters
    ----------
    distance : float or None
        L1 distance, 0 to 2.

    Returns
    -------
    float or None
        1 for equal profiles, 0 for two that share nothing.

    Examples
    --------
    >>> in_common(0.5), in_common(None)
    (0.75, None)
    """
    return max(0.0, 1 - distance / 2) if words.is_number(distance) else None


def differences(results: Results, entries: Iterable[Mapping[str, Any]] | None) -> str:
    """Differences of shares in points, such as ``"milk (+8 points) and beer (+3)"``; empty if all are tiny.

    Parameters
    ----------
    results : Results
        The results, for the way names are written.
    entries : iterable of mapping, or None
        With ``feature`` or ``category``, and ``difference``.

    Returns
    -------
    str
        A part of a sentence.
    """
    parts: list[str] = []
    for entry in entries or []:
        value = entry.get("difference")
        if words.is_number(value) and abs(value) >= _SMALLEST:
            name = charts.shorten(results.label(entry.get("feature", entry.get("category"))), 40)
            points = words.number(100 * value, 0 if abs(value) >= 0.0095 else 1)
            sign = "+" if value > 0 else ""
            parts.append(f"{name} ({sign}{points}{'' if parts else ' points'})")
    return words.listing(parts)
