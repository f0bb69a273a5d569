"""SPL as values: search terms, eval expressions and pipelines.

SPL is two languages in one. ``search`` (terms) and ``eval``/``where`` (expressions) quote fields differently,
bind AND and OR differently and treat ``*`` and case differently; hence two types that do not mix.
"""

from segment_bridge.spl.expressions import (
    Expression,
    case,
    choose,
    coalesce,
    count,
    cut_before,
    field,
    is_not_null,
    item,
    joined,
    json_elements,
    json_member,
    json_object,
    json_path,
    length,
    marked,
    named,
    null,
    null_if,
    text,
    those,
)
from segment_bridge.spl.pipeline import Pipeline
from segment_bridge.spl.terms import SearchField, Term, any_phrase, index, phrase

__all__ = [
    "Expression",
    "Pipeline",
    "SearchField",
    "Term",
    "any_phrase",
    "case",
    "choose",
    "coalesce",
    "count",
    "cut_before",
    "field",
    "index",
    "is_not_null",
    "item",
    "joined",
    "json_elements",
    "json_member",
    "json_object",
    "json_path",
    "length",
    "marked",
    "named",
    "null",
    "null_if",
    "phrase",
    "text",
    "those",
]
