"""Which class of a network's label table a request means."""

from __future__ import annotations

import pytest

from m3dbench.adapters.monai_seg.labels import LabelTable
from m3dbench.data.sample import Request


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("liver", "liver"),
        ("Liver", "liver"),
        ("kidney left", "left kidney"),
        ("suprarenal gland", "adrenal gland"),
        ("kidney", None),
        ("brain", None),
    ],
)
def test_a_target_is_found_by_accepted_names(target: str, name: str | None) -> None:
    table = LabelTable(("liver", "left kidney", "right kidney", "adrenal gland"))
    assert table.asked(Request("segment", target=target)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Where is the liver?", "liver"),
        ("The left kidney filters blood.", "left kidney"),
        ("It lies between the liver and the spleen.", None),
        ("The largest organ of the abdomen.", None),
        ("delivered", None),
    ],
)
def test_a_text_is_answered_when_it_names_one_class(text: str, name: str | None) -> None:
    table = LabelTable(("liver", "kidney", "left kidney", "spleen"))
    assert table.asked(Request("segment", description=text)) == name
    assert table.asked(Request("locate", question=text)) == name
