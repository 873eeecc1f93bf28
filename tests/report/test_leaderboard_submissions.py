"""What a leaderboard accepts, and that tampered numbers are found."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from submitted_runs import TASK, edit, real_data, scored
from tests_support import contents

from m3dbench.errors import UserError
from m3dbench.report.leaderboard.adding import Told, add, public
from m3dbench.report.leaderboard.checking import Checked, check
from m3dbench.report.leaderboard.folder import CHECKED, RECORD, BoardFolder, open_or_new
from m3dbench.report.leaderboard.rescoring import Rescorer
from m3dbench.report.leaderboard.submission import digest, identity
from m3dbench.report.leaderboard.verified import verified
from m3dbench.runs.engine import Settings, open_data
from m3dbench.runs.folder import RunFolder

TOLD = Told(submitted="2026-01-02", submitter="someone", links={"paper": "https://example.org/x"})


@pytest.fixture(scope="module")
def data(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_data(phantom, tmp_path_factory.mktemp("real") / "data")


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return scored(data, tmp_path_factory.mktemp("runs") / "model-a", 0.7)


@pytest.fixture(scope="module")
def filled(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with one submission. Read only: copy it."""
    board = open_or_new(tmp_path_factory.mktemp("boards") / "board")
    add([run], board, TOLD)
    return board.path


def copied(run: RunFolder, place: Path) -> RunFolder:
    return RunFolder.open(Path(shutil.copytree(run.path, place)))


def test_a_submission_is_small_and_the_same_bytes_each_time(run: RunFolder, filled: Path, tmp_path: Path) -> None:
    board = open_or_new(tmp_path / "again")
    (name,) = add([run], board, TOLD)
    assert contents(board.path) == contents(filled)
    record = board.read(name)
    assert name.startswith("model-a-")
    assert record.tasks[TASK].summary.samples == len(run.path.joinpath("manifest.jsonl").read_text().splitlines())
    assert (board.place(name) / RECORD).stat().st_size < 40_000
    table = pyarrow.parquet.read_table(board.place(name) / f"{TASK}.scores.parquet")
    assert {"id", "case", "metric", "value", "statistics", "stratum.question_type"} <= set(table.column_names)
    assert table.num_rows == len((run.path / "scores.jsonl").read_text().splitlines())


@pytest.mark.parametrize(
    ("file", "field", "value", "told"),
    [
        ("run.json", ("tasks", TASK, "status"), "running", "not finished"),
        ("run.json", ("tasks", TASK, "facts", "comparable", "control"), "blank", "control"),
        ("run.json", ("tasks", TASK, "facts", "resume", "limit"), 5, "first 5 samples"),
        ("summary.json", ("tasks", TASK, "data"), "phantom", "phantom"),
        ("summary.json", ("tasks", TASK, "data"), "file", "references come from the file"),
        ("summary.json", ("tasks", TASK, "predictions", "error"), 50, "have no answer"),
        ("summary.json", ("tasks", TASK, "judges"), "unfit", "not to be published"),
        ("summary.json", ("tasks", TASK, "metrics", 0, "micro", "value"), 0.99, "does not follow from the scores"),
    ],
)
def test_what_is_no_result_is_refused(
    run: RunFolder, tmp_path: Path, file: str, field: tuple[str | int, ...], value: Any, told: str
) -> None:
    if value == "unfit":
        value = [{"metric": "judge", "model": "m", "unscored": 9, "unscored_rate": 0.3, "publishable": False}]
    broken = copied(run, tmp_path / "run")
    edit(broken.path / file, *field, value=value)
    board = open_or_new(tmp_path / "board")
    with pytest.raises(UserError, match=told):
        add([broken], board, TOLD)
    assert board.ids() == []


def test_drawn_and_partial_data_are_for_demonstrations_alone(phantom: Path, run: RunFolder, tmp_path: Path) -> None:
    drawn = scored(phantom, tmp_path / "drawn", 0.5, settings=Settings(limit=20))
    with pytest.raises(UserError, match="phantom"):
        add([drawn], open_or_new(tmp_path / "real"), TOLD)
    demo = open_or_new(tmp_path / "demo", demonstration=True)
    add([drawn], demo, TOLD)
    assert BoardFolder.open(demo.path).rules.demonstration
    board = open_or_new(tmp_path / "real")
    add([run], board, TOLD)
    with pytest.raises(UserError, match="no demonstration"):
        open_or_new(board.path, demonstration=True)


def test_a_drawn_run_whose_summary_says_otherwise_is_refused(phantom: Path, tmp_path: Path) -> None:
    drawn = scored(phantom, tmp_path / "drawn", 0.7)
    edit(drawn.path / "summary.json", "tasks", TASK, "data", value="checked")
    board = open_or_new(tmp_path / "board")
    with pytest.raises(UserError, match="says 'phantom'"):
        add([drawn], board, TOLD)
    assert not board.path.exists()


def test_the_same_answers_are_refused_a_second_time(run: RunFolder, filled: Path, tmp_path: Path) -> None:
    board = open_or_new(Path(shutil.copytree(filled, tmp_path / "board")))
    with pytest.raises(UserError, match=f"already, as {board.ids()[0]}"):
        add([run], board, TOLD)
    with pytest.raises(UserError, match="given twice"):
        add([run, run], open_or_new(tmp_path / "other"), TOLD)


def test_facts_leave_the_submitters_machine_behind() -> None:
    told = public({"path": "/home/x", "base_url": "http://h", "revision": "a1", "weights": ["/home/x/w.bin", "w"]})
    assert told == {"revision": "a1", "weights": ["w.bin", "w"]}


class Tampered:
    """A copy of a board to change, with digests put right again."""

    def __init__(self, filled: Path, place: Path) -> None:
        self.board = BoardFolder.open(Path(shutil.copytree(filled, place)))
        (self.name,) = self.board.ids()
        self.place = self.board.place(self.name)
        self.scores = self.place / f"{TASK}.scores.parquet"
        self.answers = self.place / f"{TASK}.predictions.jsonl.gz"

    def record(self, *field: str | int, value: Any) -> None:
        edit(self.place / RECORD, "tasks", TASK, *field, value=value)

    def rewrite(self, change: Any) -> None:
        """Change rows of the scores, a function of a list of rows, and the digest with them."""
        table = pyarrow.parquet.read_table(self.scores)
        rows = table.to_pylist()
        change(rows)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), self.scores)
        self.record("scores", "sha256", value=digest(self.scores))

    def reseal(self) -> None:
        """Give the submission the name that its changed contents would have."""
        record = self.board.read(self.name)
        name = identity(record.model, record.role, {task: part.sealed for task, part in record.tasks.items()})
        edit(self.place / RECORD, "submission", value=name)
        self.name, self.place = name, self.place.rename(self.board.place(name))

    def found(self, *data: Path, work: Path | None = None) -> Checked:
        rescorer = Rescorer([open_data(path) for path in data], work) if work is not None else None
        return check(self.board, self.name, rescorer)


@pytest.fixture
def tampered(filled: Path, tmp_path: Path) -> Tampered:
    return Tampered(filled, tmp_path / "tampered")


def test_an_honest_submission_holds_from_scores_and_from_predictions(
    tampered: Tampered, data: Path, tmp_path: Path
) -> None:
    assert tampered.found().findings == []
    assert tampered.found().verified == {TASK: "from scores"}
    again = tampered.found(data, work=tmp_path)
    assert again.findings == []
    assert again.verified == {TASK: "from predictions"}


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        (("micro", "value"), 0.99, "accuracy (corrected) micro.value"),
        (("micro", "interval", "low"), 0.69, "accuracy (corrected) micro.interval.low"),
        (("micro", "n_failed"), 1, "accuracy (corrected) micro.n_failed"),
        (("macro", "value"), 0.99, "accuracy (corrected) macro.value"),
        (("strata", "question_type", "plane", "value"), 1.5, "strata.question_type.plane.value"),
        (("signature",), "another", "accuracy (corrected) signature"),
    ],
)
def test_a_changed_number_is_named_with_what_it_should_be(
    tampered: Tampered, field: tuple[str, ...], value: Any, what: str
) -> None:
    tampered.record("summary", "metrics", 0, *field, value=value)
    done = tampered.found()
    (finding,) = done.findings
    assert what in finding.what
    assert finding.file == f"submissions/{tampered.name}/{RECORD}"
    assert finding.task == TASK
    assert finding.stated == str(value)
    assert finding.recomputed not in ("", str(value))
    assert done.verified == {TASK: "not"}
    told, findings = verified(tampered.board)
    assert findings == [finding], "a noted check of other bytes is not believed"
    assert told == {(tampered.name, TASK): "not"}


def test_changed_files_are_found_by_their_digests(tampered: Tampered) -> None:
    tampered.answers.write_bytes(gzip.compress(b'{"id":"x","status":"ok","text":"A"}\n'))
    (tampered.place / "more.txt").write_text("x")
    found = {(finding.file.rpartition("/")[2], finding.what) for finding in tampered.found().findings}
    assert (tampered.answers.name, "SHA-256") in found
    assert (tampered.answers.name, "SHA-256 of the predictions") in found
    assert ("more.txt", "file") in found
    tampered.scores.unlink()
    assert any(finding.recomputed == "missing" for finding in tampered.found().findings)


def test_a_table_of_another_form_is_named(tampered: Tampered) -> None:
    table = pyarrow.parquet.read_table(tampered.scores).drop_columns(["case"])
    pyarrow.parquet.write_table(table, tampered.scores)
    tampered.record("scores", "sha256", value=digest(tampered.scores))
    (finding,) = tampered.found().findings
    assert finding.file.endswith(tampered.scores.name)


def test_values_are_those_of_their_statistics(tampered: Tampered) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["value"] = 1.0 - rows[0]["value"]

    tampered.rewrite(change)
    (finding,) = tampered.found().findings
    assert finding.what.startswith("accuracy of ")
    assert finding.file.endswith(".scores.parquet")


def test_scores_that_are_not_those_of_the_predictions_are_found_with_the_data(
    run: RunFolder, data: Path, tmp_path: Path
) -> None:
    better = scored(data, tmp_path / "better", 0.95)
    board = open_or_new(tmp_path / "board")
    add([better], board, TOLD)
    cheat = Tampered(board.path, tmp_path / "cheat")
    cheat.answers.write_bytes(gzip.compress((run.path / "predictions.jsonl").read_bytes()))
    cheat.record("predictions", "sha256", value=digest(cheat.answers))
    cheat.record("journal", value=digest(run.path / "predictions.jsonl"))
    cheat.reseal()
    assert cheat.found().findings == []
    found = cheat.found(data, work=tmp_path)
    assert found.verified == {TASK: "not"}
    what = [finding.what for finding in found.findings]
    assert "accuracy (corrected) micro.value" in what
    assert sum(name.startswith("accuracy (corrected) of ") for name in what) == 3


def test_other_data_and_no_predictions_leave_it_at_the_scores(
    run: RunFolder, phantom: Path, tampered: Tampered, data: Path, tmp_path: Path
) -> None:
    fewer = Path(shutil.copytree(data, tmp_path / "fewer"))
    table = fewer / "M3D-VQA" / "M3D_VQA_test.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-3]))
    (tmp_path / "work").mkdir()
    done = tampered.found(fewer, work=tmp_path / "work")
    assert (done.findings, done.verified) == ([], {TASK: "from scores"})
    assert "other samples" in done.notes[0][1]
    board = open_or_new(tmp_path / "without")
    (name,) = add([run], board, Told(submitted="2026-01-02", predictions=False))
    done = check(board, name, Rescorer([open_data(data)], tmp_path / "work"))
    assert done.verified == {TASK: "from scores"}
    assert "no predictions" in done.notes[0][1]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        (("submitted",), "yesterday", "submitted"),
        (("links",), {"x": "javascript:alert(1)"}, "https"),
        (("extra",), 1, "extra"),
        (("tasks", TASK, "scores", "path"), "../../other.parquet", "scores.path"),
        (("tasks", TASK, "summary", "metrics", 0, "micro", "value"), "high", "value"),
        (("submission",), "another", "unlike its folder"),
    ],
)
def test_a_record_of_another_form_is_named(
    tampered: Tampered, field: tuple[str | int, ...], value: Any, told: str
) -> None:
    edit(tampered.place / RECORD, *field, value=value)
    (finding,) = tampered.found().findings
    assert told in finding.stated or told in finding.what


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("facts", "comparable", "manifest"), "0" * 64),
        (("facts", "resume", "limit"), 3),
        (("facts", "recorded", "libraries", "numpy"), "0.1"),
        (("summary", "data"), "checked"),
        (("summary", "role"), "blind"),
        (("summary", "metrics", 0, "micro", "chance"), 0.9),
    ],
)
def test_changed_facts_are_found_by_the_name_that_holds_their_hash(
    tampered: Tampered, field: tuple[str | int, ...], value: Any
) -> None:
    tampered.record(*field, value=value)
    done = tampered.found()
    assert len(done.findings) == 1
    assert done.findings[0].what.startswith(("name", "limit"))
    assert done.verified == {TASK: "not"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("facts", "comparable"), {}),
        (("facts", "comparable", "scoring"), ["accuracy"]),
        (("facts", "resume", "limit"), "3"),
        (("facts", "resume", "seed"), [0]),
        (("facts", "resume", "datasets"), "0003"),
    ],
)
def test_facts_of_another_form_are_named(tampered: Tampered, field: tuple[str, ...], value: Any) -> None:
    tampered.record(*field, value=value)
    (finding,) = tampered.found().findings
    assert finding.what == "form"
    assert field[1] in finding.stated


@pytest.mark.parametrize(
    "raw",
    [
        b"not gzip",
        gzip.compress(b'{"id": "x", "status": "ok"}\n')[:-9],
        gzip.compress(b'{"id": "x"'),
        gzip.compress(b'{"status": "ok"}\n'),
        gzip.compress(b"[]\n"),
        gzip.compress(b'{"id": 3, "status": "odd", "text": 4}\n'),
    ],
    ids=["no gzip", "cut", "no JSON", "no id", "a list", "a number for an id"],
)
def test_answers_of_another_form_are_named(tampered: Tampered, data: Path, tmp_path: Path, raw: bytes) -> None:
    tampered.answers.write_bytes(raw)
    tampered.record("predictions", "sha256", value=digest(tampered.answers))
    tampered.reseal()
    (tmp_path / "work").mkdir()
    done = tampered.found(data, work=tmp_path / "work")
    assert done.verified == {TASK: "not"}
    assert any(finding.file.endswith(tampered.answers.name) for finding in done.findings)


def test_a_drawn_submission_slipped_onto_a_real_board_is_found(tampered: Tampered) -> None:
    tampered.record("summary", "data", value="phantom")
    (finding,) = tampered.found().findings
    assert "phantom" in finding.stated
    assert (tampered.place / CHECKED).exists()
