"""The HTML page of the main job, made from its results (``missions.json``) and nothing else.

One page, one file: styles, charts, data and Plotly's script are inside, and its content security policy
forbids it to load anything. The page is a list of sections, one module of :mod:`mixtura.report.sections` and
one template each; a section turns the results into plain words, tables and chart descriptions, the template
puts them on the page.
"""

from mixtura.report.journey_page import build_journeys_report, write_journeys_report
from mixtura.report.page import build_report, write_report

__all__ = ["build_journeys_report", "build_report", "write_journeys_report", "write_report"]
