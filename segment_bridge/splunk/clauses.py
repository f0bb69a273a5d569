"""The rules that an answer of Splunk is judged by."""

from __future__ import annotations

from enum import StrEnum


class Clause(StrEnum):
    """What must not be so in a complete answer."""

    #: The body broke off, as far as HTTP shows.
    CUT_SHORT = "cut_short"
    #: A line is not a JSON object of a shape that results have.
    NOT_JSON = "not_json"
    #: Splunk said that something failed.
    ERROR_MESSAGE = "error_message"
    #: Splunk said, without calling it an error, that results are missing.
    PARTIAL_RESULTS = "partial_results"
    #: The rows are not numbered 0, 1, 2, ...
    OFFSET_GAP = "offset_gap"
    #: No row, or not the last one, says that it is the last.
    NO_LAST_ROW = "no_last_row"
    #: Something of the result came after its last row.
    ROWS_AFTER_LAST = "rows_after_last"
