"""One mix for everybody against each customer's own: which foresees later baskets better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.report import charts, words
from mixtura.report.charts import Chart
from mixtura.report.results import Results

__all__ = ["context"]

_MAX_POINTS = 3000


def context(results: Results) -> dict[str, Any] | None:
    """The comparison on later baskets.

    Parameters
    ----------
    results : Results
        The results.

    Returns
    -------
    dict or None
        Rows of the comparison, sentences, and the scatter of errors; without later baskets only the reason.
    """
    if not results.missions:
        return None
    held_out = results.held_out
    chart, note = _chart(held_out)
    return {
        "id": "prediction",
        "title": "Does knowing the customer help?",
        "template": "prediction.html.j2",
        "available": words.is_number(held_out.get("global")) or words.is_number(held_out.get("household")),
        "rows": _rows(held_out),
        "n_baskets": held_out.get("n_baskets"),
        "verdict": _verdict(held_out),
        "concentration": _concentration(held_out.get("concentration")),
        "better": held_out.get("share_households_better_l1"),
        "n_compared": held_out.get("n_households_compared"),
        "chart": chart,
        "chart_note": note,
        "quantiles": _quantiles(held_out.get("l1") or {}),
    }


def _rows(held_out: Mapping[str, Any]) -> list[dict[str, Any]]:
    reference = held_out.get("global")
    kinds = (
        ("global", "One mix for everybody", "the reference", None),
        ("household_no_shrinkage", "Personal mix, own baskets only", "", None),
        ("household", "Personal mix, leaning on all customers", "", held_out.get("gain_se")),
    )
    rows = []
    for key, name, text, error in kinds:
        value = held_out.get(key)
        if not words.is_number(value):
            continue
        gain = value - reference if words.is_number(reference) else None
        if key == "household" and words.is_number(held_out.get("gain")):
            gain = held_out["gain"]
        rows.append(
            {
                "name": name,
                "value": value,
                "gain": None if key == "global" else gain,
                "error": error,
                "words": text or (words.how_much_more_probable(gain, error) if words.is_number(gain) else ""),
            }
        )
    return rows


def _verdict(held_out: Mapping[str, Any]) -> list[str]:
    sentences = []
    gain, error = held_out.get("gain"), held_out.get("gain_se")
    if words.is_number(gain) and words.is_number(error):
        sentences.append(
            _compare(
                gain,
                error,
                "A personal mix for each customer foresees later baskets better than one mix for everybody",
                "One mix for everybody foresees later baskets better than a personal mix for each customer",
                "Between one mix for everybody and a personal mix there is no clear difference",
            )
        )
    gain, error = held_out.get("gain_over_no_shrinkage"), held_out.get("gain_over_no_shrinkage_se")
    if words.is_number(gain) and words.is_number(error):
        sentences.append(
            _compare(
                gain,
                error,
                "Letting the personal mix lean on all customers improves it further, which helps customers "
                "with few baskets most",
                "Letting the personal mix lean on all customers makes it worse",
                "Letting the personal mix lean on all customers makes no clear difference to it",
            )
        )
    return sentences


def _compare(gain: float, error: float, better: str, worse: str, same: str) -> str:
    size = f"{words.number(gain, 3)} ± {words.number(error, 3)} nats per basket"
    if abs(gain) < 2 * error:
        return f"{same} ({size})."
    times = abs(gain) / error if error > 0 else float("inf")
    sureness = (
        f"{times:.0f} times its standard error, far more than chance would give"
        if times >= 4
        else "more than chance alone would give"
    )
    return f"{better if gain > 0 else worse} ({size}: {sureness})."


def _concentration(value: Any) -> str | None:
    if value == "inf" or value == float("inf"):
        return "The customers showed no lasting differences: everybody got the mix of all customers."
    if not words.is_number(value):
        return None
    if value == 0:
        return "The personal mix uses the customer's own baskets only."
    baskets = words.count(round(value), "basket") if value >= 9.95 else f"{words.number(value, 1)} baskets"
    return (
        "How much the personal mix leans on the others was learnt from the data: the mix of all customers "
        "counts as "
        f"much as {baskets} of the customer's own."
    )


def _quantiles(l1: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """The chart as a table: how large the errors are from the best foreseen customers to the worst."""
    common, own = (
        sorted(float(value) for value in l1.get(key) or [] if words.is_number(value))
        for key in ("global", "household")
    )
    if not common or not own:
        return []
    return [
        (text, common[round(part * (len(common) - 1))], own[round(part * (len(own) - 1))])
        for text, part in (
            ("Best foreseen tenth: up to", 0.1),
            ("Best quarter: up to", 0.25),
            ("Half of the customers: up to", 0.5),
            ("Three quarters: up to", 0.75),
            ("Nine tenths: up to", 0.9),
        )
    ]


def _chart(held_out: Mapping[str, Any]) -> tuple[Chart | None, str]:
    l1 = held_out.get("l1") or {}
    pairs = [
        (common, own)
        for common, own in zip(l1.get("global") or [], l1.get("household") or [], strict=False)
        if words.is_number(common) and words.is_number(own)
    ]
    if not pairs:
        return None, ""
    note = ""
    total = len(pairs)
    if total > _MAX_POINTS:
        pairs = [pairs[round(i * (total - 1) / (_MAX_POINTS - 1))] for i in range(_MAX_POINTS)]
        note = f"{words.number(_MAX_POINTS)} of {words.number(total)} customers are drawn, evenly taken."
    highest = min(2.0, 1.04 * max(max(pair) for pair in pairs))
    lowest = max(0.0, 0.9 * min(min(pair) for pair in pairs))
    tick = 0.25 if highest - lowest > 0.6 else 0.1
    traces: list[dict[str, Any]] = []
    sides = (
        ("Personal mix closer", [p for p in pairs if p[1] < p[0]], charts.ACCENT, "circle"),
        ("Mix of all closer", [p for p in pairs if p[1] >= p[0]], charts.SECOND, "diamond"),
    )
    for name, points, colour, symbol in sides:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": charts.rounded([p[0] for p in points], 3),
                "y": charts.rounded([p[1] for p in points], 3),
                "marker": {
                    "color": colour,
                    "size": 5,
                    "opacity": 0.5,
                    "symbol": symbol,
                    "line": {"width": 0},
                },
                "hovertemplate": "mix of all %{x:.2f}<br>personal mix %{y:.2f}<extra></extra>",
            }
        )
    return (
        Chart(
            name="errors",
            description="Prediction error of every customer: mix of all across, personal mix upwards.",
            data=traces,
            layout={
                "xaxis": charts.axis("Error with one mix for everybody", range=[lowest, highest], dtick=tick),
                "yaxis": charts.axis("Error with the personal mix", range=[lowest, highest], dtick=tick),
                "legend": {
                    "orientation": "h",
                    "x": 0,
                    "y": 1.02,
                    "yanchor": "bottom",
                    "itemsizing": "constant",
                },
                "shapes": [
                    {
                        "type": "line",
                        "x0": lowest,
                        "y0": lowest,
                        "x1": highest,
                        "y1": highest,
                        "line": {"color": charts.INK, "width": 1.5, "dash": "dash"},
                    }
                ],
            },
            narrow={"margin.l": 50, "margin.r": 8, "font.size": 12, "height": 400},
            height=520,
            max_width=680,
        ),
        note,
    )
