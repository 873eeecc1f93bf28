"""The openai adapter: what it shows and says, what boxes mean in its pictures, and every declared task as a process."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from chat_servers import Misbehaving, misbehaving
from PIL import Image

from m3dbench.adapter import Context, Query
from m3dbench.adapters.openai_api import OpenAIChat
from m3dbench.adapters.slices.showing import TASKS
from m3dbench.cli.run import choose_tasks
from m3dbench.data.sample import Request
from m3dbench.errors import UserError
from m3dbench.metrics.box_text import box_from_text, box_to_text

GRID = (20, 40, 50)
BOX = (0.2, 0.25, 0.5, 0.6, 0.75, 0.9)  # (d0, h0, w0, d1, h1, w1)
LOCAL = "http://127.0.0.1:1/v1"


def query(request: Request) -> Query:
    volume = np.zeros((1, *GRID), dtype=np.float32)
    low = [round(bound * size) for bound, size in zip(BOX[:3], GRID, strict=True)]
    high = [round(bound * size) for bound, size in zip(BOX[3:], GRID, strict=True)]
    volume[0, low[0] : high[0], low[1] : high[1], low[2] : high[2]] = 1.0
    return Query("case:1", "case", request, lambda: volume, lambda: GRID)


def made(answer: str = "text", **options: object) -> OpenAIChat:
    adapter = OpenAIChat(model="m", base_url=LOCAL, **options)  # type: ignore[arg-type]
    adapter.prepare(Context("some", answer, 0, train=lambda: iter(())))  # type: ignore[arg-type]
    return adapter


def asked(adapter: OpenAIChat, request: Request) -> tuple[str, list[np.ndarray], dict[str, object]]:
    """The prompt, the pictures, the options."""
    one = query(request)
    text, sent = adapter._request(one, adapter._pictures(one))
    (message,) = sent.messages
    content = message["content"]
    if isinstance(content, str):
        return text, [], dict(sent.options)
    assert content[0] == {"type": "text", "text": text}
    urls = [part["image_url"]["url"].removeprefix("data:image/png;base64,") for part in content[1:]]
    return text, [np.asarray(Image.open(io.BytesIO(base64.b64decode(url)))) for url in urls], dict(sent.options)


@pytest.mark.parametrize("axis", ["d", "h", "w"])
@pytest.mark.parametrize("flip", ["", "h", "dw"])
def test_a_box_read_off_the_pictures_is_the_box_of_the_volume(axis: str, flip: str) -> None:
    adapter = made("box", slices="99", axis=axis, window="full", size=0, flip=flip)
    request = Request("locate", target="block", wording="Give the bounding box of the block.")
    prompt, pictures, _ = asked(adapter, request)
    assert "[x0, y0, z0, x1, y1, z1]" in prompt
    stack = np.stack(pictures) > 0
    z, y, x = (np.flatnonzero(stack.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    seen = [(values[0], values[-1] + 1, size) for values, size in zip((x, y, z), stack.shape[::-1], strict=True)]
    text = str(
        [round(1000 * low / size) for low, _, size in seen] + [round(1000 * high / size) for _, high, size in seen]
    )
    from m3dbench.chat.messages import ChatReply

    answer = adapter._prediction(query(request), prompt, ChatReply("ok", text))
    box = answer.box and adapter.boxes.to_canonical(answer.box, GRID)
    box = box or box_from_text(text, convention=adapter.boxes, grid=GRID).box
    assert box == pytest.approx(BOX, abs=2e-3)
    # and the other way round: the box of a question is said in the same numbers
    told = Request("name_region", box=BOX, wording=f"What is inside {box_to_text(BOX, GRID)}?")
    assert f"What is inside {text}?" in asked(made("text", slices="99", axis=axis, size=0, flip=flip), told)[0]


def test_what_is_asked() -> None:
    choose = Request("choose", question="Plane?", choices={"A": "a", "B": "b"}, wording="Plane? Choices: A. a B. b")
    text, pictures, options = asked(made(slices="5", montage=3, size=64), choose)
    assert "slices 3, 7, 11, 15, 19 of the 20 slices" in text
    assert "Plane? Choices: A. a B. b\nAnswer with the letter" in text
    assert [picture.shape for picture in pictures] == [(132, 200)]
    assert options == {"max_tokens": 300, "temperature": 0.0}
    text, pictures, options = asked(made(slices="none", temperature="none", limit_as="max_completion_tokens"), choose)
    assert (len(pictures), options) == (0, {"max_completion_tokens": 300})
    assert text.startswith("Plane?")
    text, pictures, options = asked(made(slices="upstream"), choose)
    assert (len(pictures), options) == (5, {"max_tokens": 300})
    assert len(asked(made(slices="upstream"), Request("report", wording="Report."))[1]) == 10
    assert asked(made(instruction="Be brief."), choose)[0].endswith("Choices: A. a B. b\nBe brief.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"slices": "ten"},
        {"window": "bone"},
        {"axis": "z"},
        {"detail": "best"},
        {"temperature": "hot"},
        {"temperature": "nan"},
        {"max_cost": "nan", "price_in": 1.0},
        {"price_in": float("inf")},
        {"timeout": float("nan")},
        {"timeout": -1.0},
        {"max_tokens": 0},
        {"limit_as": ""},
        {"concurrency": 0},
        {"max_cost": 3.0},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        made(**wrong)


def test_the_estimate_asks_nothing_and_knows_the_pictures() -> None:
    adapter = made(slices="4", size=512, price_in=1.0, price_out=2.0, max_tokens=50)
    found = adapter.estimate(query(Request("report", wording="Report.")) for _ in range(3))
    assert found.requests == 3
    assert 3 * 4 * 255 < found.used.prompt_tokens < 3 * (4 * 255 + 150)
    assert found.used.completion_tokens == 150
    assert found.cost == pytest.approx((found.used.prompt_tokens + 2 * 150) / 1e6)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Misbehaving]:
    with misbehaving(
        tmp_path_factory.mktemp("server"), "--fault", "refusal=0.1", "--key", "sk-secret-0123456789"
    ) as one:
        yield one


def test_every_declared_task_runs_and_the_key_is_nowhere(
    phantom: Path,
    tmp_path: Path,
    m3dbench: Callable[..., CompletedProcess[str]],
    environment: dict[str, str],
    server: Misbehaving,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(environment, "PYTHONPATH", "")  # the loopback interface is needed
    call = ["run", "--model", "openai", "--data", phantom, "--out", tmp_path / "run", "--limit", "4"]
    call += ["-o", "model=m", "-o", f"base_url={server.url}", "-o", "slices=2", "-o", "size=0"]
    prices = ["-o", "price_in=1000", "-o", "price_out=1000"]
    monkeypatch.setitem(environment, "OPENAI_API_KEY", "sk-secret-0123456789")
    judge = ["--judge", "--judge-model", "j", "--base-url", server.url]
    dry = m3dbench(*call, "--task", "reg", "--dry-run", *prices, *judge)
    assert "Nothing was sent" in dry.stdout
    assert "The judge is not in it" in dry.stdout
    assert not server.outcomes()["answered"]
    stopped = m3dbench(*call, *prices, "-o", "max_cost=1.5", "--scoring", "corrected", code=4)
    assert "max_cost" in stopped.stderr
    done = m3dbench(*call, *prices, "-o", "max_cost=900", "--scoring", "corrected")
    assert "cost" in done.stdout
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(run["tasks"]) == TASKS
    assert {entry["status"] for entry in run["tasks"].values()} == {"complete"}
    assert max(server.answered().values()) == 1
    rows = [json.loads(line) for path in tmp_path.rglob("predictions.jsonl") for line in path.open()]
    assert len(rows) == 4 * len(TASKS)
    assert {row["status"] for row in rows} <= {"ok", "refused"}
    seen = [dry.stdout + dry.stderr, stopped.stdout + stopped.stderr, done.stdout + done.stderr]
    seen += [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in seen if "sk-secret" in text]


def test_an_undeclared_task_is_refused_with_the_declared_ones() -> None:
    with pytest.raises(UserError, match="seg_semantic") as caught:
        choose_tasks(made(), "seg_semantic")
    assert "rec, reg, report_generation, vqa_closed, vqa_open" in str(caught.value)
