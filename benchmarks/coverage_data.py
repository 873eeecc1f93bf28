"""Puts the coverage table of docs/statistics.md into results/simulations/coverage.json, from which the site plots it.

    python benchmarks/coverage_data.py

Run it after that table has changed; a test holds the two together.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
TABLE = REPOSITORY / "docs" / "statistics.md"
DATA = REPOSITORY / "results" / "simulations" / "coverage.json"
HEADING = "| scenario | method |"
FAMILIES = {"vqa": "rate", "dice": "mean", "bleu": "mean", "hd95": "mean", "corpus": "corpus", "pooled": "corpus"}


def coverage_data(table: str) -> dict[str, Any]:
    """The table as data. coverage: per cent of simulated sets whose 95% interval holds the truth; width: mean width."""
    lines = iter(table.splitlines())
    heading = next(line for line in lines if line.startswith(HEADING))
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        if not line.startswith("|--"):
            rows.append(_row([cell.strip() for cell in line.strip("|").split("|")]))
    cases = [int(cell) for cell in heading.strip("|").split("|")[2:]]
    return {"source": "docs/statistics.md", "level": 95.0, "least": 93.0, "cases": cases, "rows": rows}


def _row(cells: list[str]) -> dict[str, Any]:
    scenario, method, *figures = cells
    pairs = [re.fullmatch(r"([\d.]+) \(([\d.]+)\)", figure) for figure in figures]
    words = scenario.removeprefix("stress ").removeprefix("macro ").split()
    return {
        "scenario": scenario,
        "method": method.removesuffix("*"),
        "default": method.endswith("*"),
        "stress": scenario.startswith("stress "),
        "family": FAMILIES[words[0]],
        "coverage": [float(pair[1]) for pair in pairs if pair],
        "width": [float(pair[2]) for pair in pairs if pair],
    }


def text(data: dict[str, Any]) -> str:
    """One scenario a line."""
    rows = ",\n".join("  " + json.dumps(row) for row in data["rows"])
    head = "".join(f' "{key}": {json.dumps(value)},\n' for key, value in data.items() if key != "rows")
    return f'{{\n{head} "rows": [\n{rows}\n ]\n}}\n'


if __name__ == "__main__":
    DATA.write_text(text(coverage_data(TABLE.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"written: {DATA.relative_to(REPOSITORY)}")
