"""A user's checkout is read as data: nothing in it runs, whatever it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_checkout import TEMPLATES, make_checkout

from m3dbench.errors import UserError
from m3dbench.upstream.checkout import read_checkout
from m3dbench.upstream.literals import MAX_BYTES
from m3dbench.upstream.wordings import READ_AS_MISSING, UpstreamWordings
from m3dbench.wording import Slot


@pytest.mark.parametrize("place", ["Bench/dataset", "LaMed/src/dataset", "."])
def test_sentences_and_definitions_are_found_wherever_the_reference_keeps_them(tmp_path: Path, place: str) -> None:
    templates = read_checkout(make_checkout(tmp_path / "m3d", place=place))
    assert len(templates.sentences["Caption_templates"]) == 4
    assert templates.sentences["PosREC_templates.cls_questions"] == ("Box of {}?", "Draw round {}.")
    assert templates.terms["liver"] == ("first words on li..", "second words on li..")


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    digests = [
        read_checkout(make_checkout(tmp_path / name, text)).digest
        for name, text in (
            ("one", TEMPLATES),
            ("commented", '"""A docstring."""\n' + TEMPLATES.replace("\n}", "\n}  # end")),
            ("other", TEMPLATES.replace("Paint {}.", "Paint the {}.")),
        )
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("open({marker!r}, 'w')", 2),
        ("import os", 2),
        ("Caption_templates = [open({marker!r}, 'w').name]", 2),
        ("Caption_templates = [\n'plain',\n__import__('pathlib').Path({marker!r}).write_text('x'),\n]", 4),
        ("Caption_templates = ['a'] + ['b']", 2),
        ("Caption_templates = [f'{{1 + 1}}']", 2),
        ("Caption_templates = ['a' for _ in range(3)]", 2),
        ("Caption_templates = 'a' * 10**9", 2),
        ("Caption_templates = {{**{{}}}}", 2),
        ("Caption_templates = {{[]: ['a']}}", 2),
        ("Caption_templates = other = ['a']", 2),
        ("def templates():\n    return 1", 2),
        ("class Templates:\n    open({marker!r}, 'w')", 2),
        ("if True:\n    Caption_templates = ['a']", 2),
        ("Caption_templates: open({marker!r}, 'w') = list()", 2),
    ],
)
def test_code_is_refused_with_its_line_and_never_run(tmp_path: Path, extra: str, line: int) -> None:
    marker = tmp_path / "was_run"
    checkout = make_checkout(tmp_path / "m3d", "\n" + extra.format(marker=str(marker)))
    with pytest.raises(UserError) as refusal:
        read_checkout(checkout)
    assert not marker.exists()
    assert refusal.value.file == str(checkout / "Bench/dataset/prompt_templates.py")
    assert refusal.value.record == f"line {line}"


@pytest.mark.parametrize(
    "text",
    [
        "Caption_templates = [",
        "Caption_templates = " + "[" * 5000 + "]" * 5000,
        "Caption_templates = " + "-" * 50_000 + "1",
        "Caption_templates = ['a\0']",
        "Caption_templates = 5",
        "Caption_templates = []",
        "Caption_templates = [b'bytes']",
        "Caption_templates = ['a', 1]",
        "Caption_templates = ['\\ud800']",
        "Caption_templates = ['" + "a" * 20_000 + "']",
        "#" * (MAX_BYTES + 1),
        "PosREC_templates = {'cls_questions': ['{0.__class__}']}",
        "PosREC_templates = {'cls_questions': ['{:>999999999}']}",
        "PosREC_templates = {'cls_questions': ['{!r}']}",
        "PosREC_templates = {'cls_questions': ['open {']}",
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_list_of_plain_texts_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_checkout(make_checkout(tmp_path / "m3d", text))
    assert refusal.value.file is not None


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "m3d")
    (checkout / "Bench/dataset/prompt_templates.py").write_bytes(b"Caption_templates = ['\xff']")
    with pytest.raises(UserError, match="UTF-8"):
        read_checkout(checkout)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_checkout(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"Bench/dataset/prompt_templates\.py"):
        read_checkout(tmp_path)
    words = UpstreamWordings(read_checkout(make_checkout(tmp_path / "m3d", "Caption_templates = ['a']")))
    with pytest.raises(UserError, match=r"PosREC_templates\.cls_questions"):
        words.sentences(Slot("PosREC_templates.cls_questions", 1, ()))
    with pytest.raises(UserError, match="gallbladder"):
        words.definitions("gallbladder", ())


def test_sentences_that_the_reference_fails_on_are_counted_and_never_drawn(tmp_path: Path) -> None:
    words = UpstreamWordings(read_checkout(make_checkout(tmp_path)))
    joined, whole = Slot("PosREC_templates.des_questions", 1, ()), Slot("PosREC_templates.cls_questions", 1, ())
    assert words.sentences(joined) == ("Box of this: {}", "{} - box?")
    assert words.left_out([joined, whole]) == {"PosREC_templates.des_questions": 1}


def test_what_counts_as_missing_is_what_pandas_takes_for_it() -> None:
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(STR_NA_VALUES) == READ_AS_MISSING
