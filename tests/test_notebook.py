"""Notebook use: the notebook of the docs runs, tables are the runs' own numbers, charts show them."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from submitted_runs import TASK, edit, real_data, scored

import m3dbench as library
from m3dbench.errors import UserError

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does: what a last expression gives is the cell's output."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = {cell["id"]: cell for cell in content["cells"]}
    assert len(cells) == len(content["cells"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, Any] = {}
    shown = {}
    for name, cell in cells.items():
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "outputs are not stored"
            shown[name] = run_cell("".join(cell["source"]), names)
    assert shown["load"]["metric"].tolist()[0] == "accuracy"
    assert (shown["join"] > 0).all()
    for name in ("strata", "scores", "difference"):
        assert shown[name]._repr_png_().startswith(b"\x89PNG")
    assert len(shown["compare"]) == len(names["comparison"].result.tasks[0].metrics)
    assert len(shown["flips"]) == 5


@pytest.fixture(scope="module")
def runs(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("read")
    data = real_data(phantom, place / "data")
    for name, share in (("base", 0.8), ("worse", 0.4)):
        scored(data, place / name, share)
    return place


def test_a_comparison_is_that_of_the_command(runs: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text(f"[tasks.{TASK}.metrics.accuracy]\nmargin = 0.02\n")
    found = library.compare(runs / "base", library.load_run(runs / "worse"), gate=gate)
    assert found.verdict == "regression"
    table = found.metrics().set_index(["scoring", "metric"]).loc[("corrected", "accuracy")]
    assert table["difference"] == pytest.approx(table["candidate"] - table["base"])
    assert table["low"] < table["difference"] < table["high"] < 0
    assert len(found.flips()) == table["losses"] + table["wins"]
    strata = found.strata().query("dimension == 'question_type'")
    assert strata["n_samples"].sum() == table["n_samples"]
    assert "regression" in found.checks()["verdict"].tolist()
    assert found.not_comparable() == {}
    assert "<table" in found._repr_html_()


def test_charts_show_the_values_of_the_summary(runs: Path) -> None:
    summary = library.load_run(runs / "base").summary["tasks"][TASK]["metrics"][0]
    (axes,) = library.plot_scores([runs / "base", runs / "worse"], TASK, ["accuracy"]).axes
    points = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(points) == ["base", "worse"]
    assert points["base"].get_xdata()[0] == pytest.approx(100 * summary["micro"]["value"])
    (axes,) = library.plot_strata(runs / "base", TASK).axes
    cells = summary["strata"]["question_type"]
    told = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(told) == sorted(f"{name}  (n={cell['n_planned']:,})" for name, cell in cells.items())
    across = next(line for line in axes.lines if line.get_label() == "accuracy").get_xdata()
    assert list(across) == sorted(across, reverse=True)
    comparison = library.compare(runs / "base", runs / "worse")
    (axes,) = library.plot_comparison(comparison).axes
    assert axes.get_yticklabels()[0].get_text() == "accuracy"
    assert axes.get_xlim()[0] == -axes.get_xlim()[1]


def test_a_fraction_without_bound_does_not_press_the_others_together(runs: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs / "worse", tmp_path / "worse"))
    edit(folder / "summary.json", "tasks", TASK, "metrics", 1, "micro", "interval", "high", value=250.0)
    name = library.load_run(folder).summary["tasks"][TASK]["metrics"][1]["metric"]
    (axes,) = library.plot_scores([runs / "base", folder], TASK).axes
    assert axes.get_xlim()[1] == 100.0
    assert name not in [label.get_text() for label in axes.get_yticklabels()]
    assert f"not shown: {name}" in axes.get_xlabel()
    (axes,) = library.plot_scores(folder, TASK, [name]).axes
    assert axes.get_xlim()[1] > 20_000


def test_a_long_title_is_not_cut_off(runs: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs / "base", tmp_path / "base"))
    edit(folder / "summary.json", "tasks", TASK, "title", value="Referring expression comprehension")
    edit(folder / "summary.json", "tasks", TASK, "data", value="phantom")
    edit(folder / "summary.json", "tasks", TASK, "samples", value=13_791)
    for chart in (library.plot_scores(folder, TASK), library.plot_strata(folder, TASK)):
        chart.draw_without_rendering()
        (title,) = chart.texts
        assert title.get_text().endswith("drawn data")
        assert title.get_window_extent().x1 <= chart.bbox.x1


def test_what_cannot_be_shown_is_named(runs: Path) -> None:
    with pytest.raises(UserError, match="no results of 'rec'"):
        library.plot_scores(runs / "base", "rec")
    with pytest.raises(UserError, match="no metric 'dice'"):
        library.plot_scores(runs / "base", TASK, ["dice"])
    with pytest.raises(UserError, match="no metric 'dice'"):
        library.plot_strata(runs / "base", TASK, "dice")
    with pytest.raises(UserError, match="no metric 'dice'"):
        library.plot_comparison(library.compare(runs / "base", runs / "worse"), TASK, ["dice"])
    with pytest.raises(UserError, match="no strata named 'organ'"):
        library.plot_strata(runs / "base", TASK, dimension="organ")
