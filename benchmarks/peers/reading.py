"""`python -m benchmarks.peers.reading FILE`: openpyxl reads every cell of a workbook, read-only, and keeps nothing."""

import json
import resource
import sys
import time

import openpyxl


def main(path: str) -> None:
    began = time.monotonic()
    book = openpyxl.load_workbook(path, read_only=True)
    rows = sum(1 for sheet in book.worksheets for _ in sheet.iter_rows(values_only=True))
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": time.process_time(), "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1])
