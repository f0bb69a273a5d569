"""What a Splunk's configuration decides, and what its documents leave open: one reading of each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Readings:
    """How this Splunk behaves; the defaults are what is documented, or where nothing is, what is most likely."""

    #: Bytes of a record that automatic extraction looks at (``extraction_cutoff`` in limits.conf); 0: all.
    extraction_cutoff: int = 5_000
    #: Whether that limit holds for explicit paths as well.
    cut_explicit_paths: bool = False
    #: Whether a JSON null is extracted as the text ``null``; else it is no value.
    null_as_text: bool = True
    #: Whether JSON functions give the text ``null`` for a JSON null.
    functions_give_null_as_text: bool = True
    #: Whether empty texts in arrays are values.
    keep_empty_texts: bool = True
    #: Whether each field is extracted twice, as INDEXED_EXTRACTIONS=json beside KV_MODE=json does.
    extract_twice: bool = False
    #: Whether ``json_object`` makes a number of a text that looks like one.
    numbers_from_texts: bool = False
    #: Whether ``json_object`` nests a value that holds JSON made by a JSON function.
    nest_json: bool = True
    #: Whether JSON functions work inside ``mvfilter``.
    json_in_mvfilter: bool = True

    def having(self, *settings: str) -> Readings:
        """Return the same with settings such as ``extraction_cutoff=0``; raises ValueError for what is none."""
        known = {field.name: type(field.default) for field in fields(self)}
        changes: dict[str, Any] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            kind = known.get(name)
            if kind is bool and value in ("true", "false"):
                changes[name] = value == "true"
            elif kind is int and value.isascii() and value.isdigit():
                changes[name] = int(value)
            else:
                raise ValueError(f"{setting} is no reading: write NAME=true, NAME=false or NAME=5000 with {[*known]}")
        return replace(self, **changes)


DOCUMENTED = Readings()
