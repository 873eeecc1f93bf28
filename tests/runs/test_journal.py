"""The journal survives being cut at any byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.errors import DataError
from m3dbench.runs import jsonl
from m3dbench.runs.journal import Journal, Rows, drop, mend

ROWS = [
    {"id": f"s{number}", "status": "ok", "text": text} for number, text in enumerate(["a", "ünï\ncode", "\ud800", ""])
]


def written(path: Path) -> bytes:
    with Journal(path) as journal:
        for row in ROWS:
            journal.append(row)
    return path.read_bytes()


@given(cut=st.integers(min_value=0))
def test_a_torn_tail_is_dropped_and_whole_lines_stand(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "predictions.jsonl"
    whole = written(path)
    kept = whole[: cut % (len(whole) + 1)]
    path.write_bytes(kept)
    rows = mend(path, lambda _: True)
    assert len(rows) == kept.count(b"\n")
    assert path.read_bytes() == kept[: kept.rfind(b"\n") + 1]
    with Journal(path) as journal:
        for row in ROWS[len(rows) :]:
            journal.append(row)
    assert path.read_bytes() == whole


def test_text_comes_back_as_it_was_even_lone_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    written(path)
    assert list(jsonl.read(path)) == ROWS
    rows = Rows(path)
    assert [rows.get(row_id) for row_id in rows] == ROWS
    assert rows.get("other") is None


def test_rows_that_are_not_good_end_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    written(path)
    assert [row["id"] for row in mend(path, lambda row: row["id"] != "s2")] == ["s0", "s1"]
    assert len(list(jsonl.read(path))) == 2


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b'{"id":"a"}\n{"id":\n{"id":"c"}\n')
    with pytest.raises(DataError, match="line 2"):
        mend(path, lambda _: True)


def test_unwanted_rows_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    written(path)
    drop(path, lambda row: row["id"] == "s1")
    assert [row["id"] for row in jsonl.read(path)] == ["s0", "s2", "s3"]


def test_nan_never_reaches_a_file() -> None:
    with pytest.raises(ValueError, match="JSON"):
        jsonl.line({"value": float("nan")})
