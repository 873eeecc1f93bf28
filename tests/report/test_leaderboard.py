"""Ranking: within a comparability class alone, ties by the paired test, and what every output says."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml
from submitted_runs import TASK, edit, real_data, scored
from tests_support import contents

from m3dbench.data.readers.m3d_seg import M3DSeg
from m3dbench.data.readers.m3d_vqa import M3DVQA
from m3dbench.errors import UserError
from m3dbench.report.leaderboard.adding import Told, add
from m3dbench.report.leaderboard.board import Board, Entry, Ranking
from m3dbench.report.leaderboard.building import build_board
from m3dbench.report.leaderboard.cells import BANNER
from m3dbench.report.leaderboard.contamination import overlap
from m3dbench.report.leaderboard.folder import RECORD, BoardFolder, open_or_new
from m3dbench.report.leaderboard.publishing import publish
from m3dbench.report.leaderboard.verified import verified
from m3dbench.report.leaderboard.writing import read_board, write_board
from m3dbench.runs.folder import RunFolder

SHARES = {"good": 0.9, "good-too": 0.89, "fair": 0.5, "poor": 0.1, "oracle": 1.0}


@pytest.fixture(scope="module")
def data(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_data(phantom, tmp_path_factory.mktemp("real") / "data")


@pytest.fixture(scope="module")
def filled(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of five models on the same questions. Read only: copy it."""
    place = tmp_path_factory.mktemp("ranked")
    board = open_or_new(place / "board", title="Models <b>compared</b>")
    for name, share in SHARES.items():
        run = scored(data, place / name, share, model=f"{name} | x" if name == "fair" else name)
        if name == "oracle":
            edit(run.path / "run.json", "tasks", TASK, "role", value="oracle")
        trained = {"good": ("M3D-VQA",), "fair": ("m3d cap:train", "LAION"), "poor": ()}.get(name)
        add([run], board, Told(submitted="2026-01-02", train_data=trained))
    return board.path


def copied(filled: Path, place: Path) -> BoardFolder:
    return BoardFolder.open(Path(shutil.copytree(filled, place)))


def built(board: BoardFolder) -> Board:
    return build_board(board, {})


def by_model(entries: Sequence[Entry]) -> dict[str, Entry]:
    return {entry.model.split()[0]: entry for entry in entries}


def only(board: Board) -> Ranking:
    (ranking,) = board.rankings
    return ranking


def test_entries_that_the_test_does_not_tell_apart_share_a_rank(filled: Path) -> None:
    ranking = only(built(BoardFolder.open(filled)))
    found = by_model(ranking.entries)
    assert [entry.rank for entry in ranking.entries] == [1, 1, 3, 4, None]
    assert {found["good"].rank, found["good-too"].rank} == {1}
    assert [(found[name].best_rank, found[name].worst_rank) for name in ("good", "good-too", "fair", "poor")] == [
        (1, 2),
        (1, 2),
        (3, 3),
        (4, 4),
    ]
    assert ranking.measures[0].metric == "accuracy"
    assert ranking.measures[0].unit == "fraction"
    values = [entry.scores["accuracy"].value for entry in ranking.entries if entry.rank]
    assert values == sorted(values, reverse=True)


def test_the_oracle_is_shown_and_has_no_rank(filled: Path) -> None:
    oracle = by_model(only(built(BoardFolder.open(filled))).entries)["oracle"]
    assert (oracle.role, oracle.rank) == ("oracle", None)
    assert "ceiling" in oracle.unranked
    assert oracle.scores["accuracy"].value == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("facts", "comparable", "manifest"), "0" * 64),
        (("facts", "comparable", "requests"), "0" * 64),
        (("facts", "comparable", "task_version"), "0.9"),
        (("facts", "comparable", "splits"), {"0003": "by hand"}),
        (("facts", "comparable", "scoring", "corrected", "accuracy"), "accuracy; another rule"),
    ],
)
def test_classes_are_never_mixed(filled: Path, tmp_path: Path, field: tuple[str, ...], value: object) -> None:
    board = copied(filled, tmp_path / "board")
    name = next(item for item in board.ids() if item.startswith("good-too"))
    edit(board.place(name) / RECORD, "tasks", TASK, *field, value=value)
    made = built(board)
    assert sorted(len(ranking.entries) for ranking in made.rankings) == [1, 4]
    assert len({ranking.ranking for ranking in made.rankings}) == 2
    alone = next(ranking for ranking in made.rankings if len(ranking.entries) == 1)
    assert alone.entries[0].submission == name
    assert (alone.entries[0].rank, alone.entries[0].worst_rank) == (1, 1)


def test_another_judge_makes_another_class(filled: Path, tmp_path: Path) -> None:
    board = copied(filled, tmp_path / "board")
    judge = {
        "metric": "judge", "model": "m", "rubric": "r 1", "signature": "judge-1|model:m", "unscored": 0,
        "unscored_rate": 0.0, "max_unscored": 0.02, "failures": {}, "publishable": True, "upstream_lost": None,
        "usage": {}, "audit": {"digest": "0", "fit": False},
    }  # fmt: skip
    for name in board.ids():
        signature = "judge-1|model:other" if name.startswith("poor") else "judge-1|model:m"
        told = {**judge, "signature": signature}
        edit(board.place(name) / RECORD, "tasks", TASK, "summary", "judges", value=[told])
    made = built(board)
    assert sorted(len(ranking.entries) for ranking in made.rankings) == [1, 4]
    assert {ranking.facts["judges"]["judge"] for ranking in made.rankings} == {"judge-1|model:m", "judge-1|model:other"}
    assert any("an audit found unfit" in note for note in made.rankings[0].entries[0].notes)


def test_an_entry_whose_primary_metric_failed_has_no_rank_and_says_why(
    filled: Path, data: Path, tmp_path: Path
) -> None:
    board = copied(filled, tmp_path / "board")
    run = scored(data, tmp_path / "broken", 0.99)
    rows = [json.loads(line) for line in (run.path / "scores.jsonl").read_text().splitlines()]
    first = next(row for row in rows if row["metric"] == "accuracy")
    first |= {"value": None, "status": "unscored", "reason": "encoder not there"}
    first.pop("statistics", None)
    (run.path / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _restate(run)
    add([run], board, Told(submitted="2026-01-02"))
    broken = by_model(only(built(board)).entries)["broken"]
    assert broken.rank is None
    assert "1 samples are not scored by accuracy" in broken.unranked
    assert "encoder not there" in broken.unranked


def _restate(run: RunFolder) -> None:
    """The summary that follows from the changed scores."""
    from dataclasses import asdict

    from m3dbench.report.leaderboard.scores import recompute, write_scores
    from m3dbench.report.scored_by import scored_by

    scoring = run.content()["tasks"][TASK]["facts"]["comparable"]["scoring"]
    table = run.path / "t.parquet"
    write_scores(run.task(TASK), table)
    found, *_ = recompute(table, scored_by(TASK, scoring)[0], "question_type")
    table.unlink()
    edit(run.path / "summary.json", "tasks", TASK, "metrics", value=[asdict(item) for item in found])


def test_training_data_is_held_against_the_test_samples(filled: Path) -> None:
    board = BoardFolder.open(filled)
    found = by_model(only(built(board)).entries)
    assert found["good"].contamination == ("M3D-VQA",)
    assert found["fair"].contamination == ()
    assert "Trained on other splits of the same data: m3d cap:train." in found["fair"].notes
    assert found["poor"].contamination == ()
    assert "Declares nothing of its training data." in found["good-too"].notes
    assert "Declares nothing of its training data." not in found["poor"].notes
    part = board.read(board.ids()[0]).tasks[TASK]
    assert overlap(("M3D-Data", "M3D-VQA:test", "CT-RATE"), part).seen == ("M3D-Data", "M3D-VQA:test")


def test_readers_say_what_their_data_are_made_of() -> None:
    assert set(M3DVQA().sources("M3D-VQA")) == {"M3D-Cap", "M3D-Data"}
    assert set(M3DSeg().sources("0003")) == {"M3D-Seg/0003", "M3D-Seg", "M3D-Data"}
    assert M3DSeg().sources("M3D-VQA") == M3DVQA().sources("0003") == ()


def test_published_rows_stand_beside_with_the_reason(filled: Path) -> None:
    made = built(BoardFolder.open(filled))
    assert {row.task for row in made.published} == {TASK}
    assert all(row.why_not for row in made.published)
    assert any(row.model.startswith("M3D-LaMed") and row.stratum for row in made.published)


@pytest.mark.parametrize("title", ['a "b" \\', "two\nlines\t", "del \x7f bell \x07", "emoji \U0001f600 é"])
def test_a_title_comes_back_as_it_was_given(tmp_path: Path, title: str) -> None:
    open_or_new(tmp_path / "board", title=title).save()
    assert BoardFolder.open(tmp_path / "board").rules.title == title


def test_entries_of_a_class_that_group_the_samples_into_other_cases_are_named(filled: Path, tmp_path: Path) -> None:
    board = copied(filled, tmp_path / "board")
    name = next(item for item in board.ids() if item.startswith("fair"))
    path = board.place(name) / f"{TASK}.scores.parquet"
    table = pyarrow.parquet.read_table(path)
    rows = [{**row, "case": row["id"]} for row in table.to_pylist()]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), path)
    with pytest.raises(UserError, match="other cases") as error:
        built(board)
    assert error.value.file == str(path)


def test_equal_submissions_give_equal_bytes(filled: Path, tmp_path: Path) -> None:
    board = copied(filled, tmp_path / "elsewhere")
    for place, source in (("one", BoardFolder.open(filled)), ("two", board)):
        write_board(build_board(source, verified(source)[0]), tmp_path / place)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    again = write_board(read_board(tmp_path / "one"), tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert [path for path in again if path.suffix == ".csv"]


def test_every_form_holds_the_board(filled: Path, tmp_path: Path) -> None:
    board = BoardFolder.open(filled)
    made = build_board(board, verified(board)[0])
    write_board(made, tmp_path / "site")
    assert read_board(tmp_path / "site") == made
    with (tmp_path / "site" / "leaderboard.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["primary"] == "true"]
    assert [row["rank"] for row in rows] == ["1", "1", "3", "4", ""]
    assert {row["verified"] for row in rows} == {"from scores"}
    assert {row["demonstration"] for row in rows} == {"false"}
    page = (tmp_path / "site" / "README.md").read_text()
    assert "&lt;b>compared" in page
    assert "| 3 | fair \\| x |" in page
    assert BANNER not in page
    name = next(item for item in board.ids() if item.startswith("good-too"))
    card = yaml.safe_load((tmp_path / "site" / "model-index" / f"{name}.yml").read_text())
    (model,) = card["model-index"]
    first = model["results"][0]
    assert first["task"]["type"] == "visual-question-answering"
    assert first["dataset"]["split"] == "test"
    entry = by_model(only(made).entries)["good-too"]
    assert first["metrics"][0]["value"] == entry.scores["accuracy"].value


def test_every_form_of_a_demonstration_says_so(phantom: Path, tmp_path: Path) -> None:
    board = open_or_new(tmp_path / "board", demonstration=True)
    add([scored(phantom, tmp_path / "drawn", 0.5)], board, Told(submitted="2026-01-02"))
    made = built(board)
    write_board(made, tmp_path / "site")
    assert made.demonstration
    assert any("phantom" in note for note in made.rankings[0].entries[0].notes)
    assert BANNER in (tmp_path / "site" / "README.md").read_text()
    (card,) = (tmp_path / "site" / "model-index").iterdir()
    assert card.read_text().startswith(f"# {BANNER}")
    assert "demonstration" in yaml.safe_load(card.read_text())["model-index"][0]["results"][0]["dataset"]["name"]
    assert json.loads((tmp_path / "site" / "board.json").read_text())["demonstration"] is True
    assert publish(tmp_path / "site", f"dir:{tmp_path / 'public'}") == str(tmp_path / "public")
    assert contents(tmp_path / "public") == contents(tmp_path / "site")
    with pytest.raises(UserError, match="not published on a hub"):
        publish(tmp_path / "site", "hf:owner/space")
    with pytest.raises(UserError, match="other things"):
        publish(tmp_path / "site", f"dir:{tmp_path}")
    assert (tmp_path / "site" / "leaderboard.csv").read_text().splitlines()[1].endswith(",true")
