"""The shopper application: transactions to baskets, to missions, to a folder of results.

DuckDB, Arrow and Plotly are imported where they are used, so importing this package needs none of them.
"""

from mixtura.segments.baskets import Baskets
from mixtura.segments.journey_result import Journeys
from mixtura.segments.journeys import journey_transactions
from mixtura.segments.result import Segmentation
from mixtura.segments.scoring import Scores, score_transactions
from mixtura.segments.segment import segment_transactions
from mixtura.segments.transactions import read_baskets

__all__ = [
    "Baskets",
    "Journeys",
    "Scores",
    "Segmentation",
    "journey_transactions",
    "read_baskets",
    "score_transactions",
    "segment_transactions",
]
