"""SPL as values: search terms, eval expressions and pipelines.

SPL is two languages in one. ``search`` (terms) and ``eval``/``where`` (expressions) quote fields differently,
bind AND and OR differently and treat ``*`` and case differently; hence two types that do not mix.
"""

from segment_bridge.spl.expressions import (
    Expression,
    case,
    coalesce,
    cut_before,
    field,
    is_not_null,
    item,
    json_object,
    length,
    position_of,
    text,
)
from segment_bridge.spl.pipeline import Pipeline
from segment_bridge.spl.terms import SearchField, Term, index

__all__ = [
    "Expression",
    "Pipeline",
    "SearchField",
    "Term",
    "case",
    "coalesce",
    "cut_before",
    "field",
    "index",
    "is_not_null",
    "item",
    "json_object",
    "length",
    "position_of",
    "text",
]
