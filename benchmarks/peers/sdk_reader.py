"""Reads an export stream with the reader of Splunk's SDK; with ``print`` it shows the results."""

import io
import json
import sys

from splunklib.results import JSONResultsReader

results = JSONResultsReader(io.FileIO(0, closefd=False))
if sys.argv[1:] == ["print"]:
    sys.stdout.writelines(json.dumps(result, ensure_ascii=False) + "\n" for result in results)
else:
    for _ in results:
        pass
