"""Placement, digests, start-up self-checks, and the flags of ``m3dbench run`` that stand for them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from m3dbench import registry
from m3dbench.adapters.checkpoints import Checkpoint, Placement, SelfCheck, insist, weights_digest
from m3dbench.adapters.checkpoints.selfcheck import body_volume, images, libraries, repeats, sees, unit
from m3dbench.cli.options import model_options
from m3dbench.errors import UserError

SHAPE = (1, 4, 6, 8)


def test_defaults_on_a_cpu() -> None:
    assert Placement.of(device="cpu") == Placement("cpu", "fp32")
    assert Placement.of("bf16", "cpu").torch_dtype == torch.bfloat16
    assert Placement.of("fp16", "cpu").facts() == {"dtype": "fp16", "device": "cpu"}


def test_defaults_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert Placement.of() == Placement.of(device="cuda") == Placement("cuda:0", "bf16")
    assert Placement.of("fp32", "cuda:1") == Placement("cuda:1", "fp32")
    assert Placement.of(device="cuda:1").facts()["device"] == "cuda"
    with pytest.raises(UserError, match="sees 2 GPUs"):
        Placement.of(device="cuda:2")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert Placement.of() == Placement("cuda:0", "fp16")


@pytest.mark.parametrize(("dtype", "device"), [("fp8", "cpu"), ("auto", "gpu"), ("auto", "cuda:x"), ("", "cpu")])
def test_other_values_are_refused(dtype: str, device: str) -> None:
    with pytest.raises(UserError, match=r"there is no (dtype|device)"):
        Placement.of(dtype, device)


def test_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = weights_digest(tmp_path)
    line = f"model.safetensors\0{hashlib.sha256(b'one').hexdigest()}\n"
    assert first == hashlib.sha256(line.encode()).hexdigest()
    (tmp_path / "config.json").write_text("{}")
    assert weights_digest(Checkpoint(tmp_path)) == first
    (tmp_path / "model.safetensors").write_bytes(b"two!")
    assert weights_digest(tmp_path) != first


def test_digest_is_remembered_by_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    time = path.stat().st_mtime_ns
    first = weights_digest(tmp_path)
    path.write_bytes(b"two")
    os.utime(path, ns=(time, time))
    assert weights_digest(tmp_path) == first  # not read again
    os.utime(path, ns=(time, time + 10**9))  # file systems round
    assert weights_digest(tmp_path) != first


def test_self_checks_are_kept_and_the_first_failure_stops() -> None:
    passed = SelfCheck("a", True, "fine")
    assert insist([passed]) == [{"name": "a", "passed": True, "detail": "fine"}]
    with pytest.raises(UserError, match="self-check 'b' failed: not fine"):
        insist([passed, SelfCheck("b", False, "not fine")])


def test_library_versions() -> None:
    assert libraries({"torch": "2.4"}).passed
    low = libraries({"torch": "99.1", "no-such-package": "1"})
    assert not low.passed
    assert "below 99.1" in low.detail
    assert "no-such-package not installed is below 1" in low.detail


def test_input_volumes() -> None:
    good = torch.from_numpy(body_volume(SHAPE))[None]
    assert images(good, SHAPE).passed
    for bad in (good[0], good * 2, good - 0.1, good.to(torch.int64), torch.full_like(good, torch.nan)):
        assert not images(bad, SHAPE).passed
    partly = good.clone()
    partly[..., 0] = torch.nan
    assert not images(partly, SHAPE).passed


def test_the_body_differs_along_each_axis() -> None:
    body = body_volume((1, 9, 9, 9))[0]
    assert 0 <= body.min() < body.max() <= 1
    for axis in range(3):
        assert not np.array_equal(body, np.flip(body, axis))
    assert not np.array_equal(body, body.transpose(0, 2, 1))
    assert not np.array_equal(body, body.transpose(1, 0, 2))


def test_a_model_that_does_not_look_is_caught() -> None:
    like = torch.zeros(1)
    assert sees(lambda batch: batch.mean((2, 3, 4)), SHAPE, like).passed
    assert not sees(lambda batch: torch.ones(len(batch), 3), SHAPE, like).passed
    assert not sees(lambda batch: batch.mean() / torch.zeros(1), SHAPE, like).passed


def test_decoding_and_vectors() -> None:
    answers = iter([[1, 2], [1, 2], [1], [2]])
    assert repeats(lambda: next(answers)).passed
    assert not repeats(lambda: next(answers)).passed
    assert unit(torch.eye(3)).passed
    assert not unit(torch.ones(3, 3)).passed
    assert not unit(torch.eye(3)[None]).passed
    assert not unit(torch.full((2, 2), torch.nan)).passed


def test_flags_become_options_of_adapters_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def factory(*, device: str = "auto", dtype: str = "auto", download: bool = False) -> Any:
        return device, dtype, download

    monkeypatch.setattr(registry, "load", lambda group, name: factory)
    flags = {"device": "cpu", "dtype": None, "download": True}
    options = model_options("made", ["dtype=bf16"], flags)
    assert registry.create("adapters", "made", options) == ("cpu", "bf16", True)
    with pytest.raises(UserError, match="are one option"):
        model_options("made", ["device=cpu"], flags)


def test_flags_are_refused_by_models_without_weights() -> None:
    with pytest.raises(UserError, match="'blind' does not take --device"):
        model_options("blind", None, {"device": "cpu"})
    assert model_options("blind", None, {"device": None, "download": None}) == {}
