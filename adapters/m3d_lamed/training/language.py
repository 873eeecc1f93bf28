"""Stage 3: projector, language model and seg projector learn to answer, on features of the trained tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.m3d_lamed.model import LaMed

from .bank import FeatureBank
from .cases import PREPARATIONS
from .examples import Example, example_of
from .loop import Stage
from .masks import PromptTable
from .optimiser import optimisers
from .pool import CHUNK, Pool

_REPORT_BATCHES = 0.16
_QUESTIONS = 4
"""Questions on a volume in one row of a batch."""
_SHARES = {"cap": 0.62, "seg": 0.26, "refseg": 0.12}
_FRACTION_SPREAD, _NUMBER_SPREAD = 0.02, 0.06


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompt, answer and ``</s>``, of which the last ``told`` are learned; what follows the image."""

    ids: list[int]
    told: int
    example: Example


@dataclass(frozen=True)
class Packed:
    """States (B, L, hidden), and for each example its row of the batch and where it starts there."""

    states: Tensor
    places: list[tuple[int, int]]


class Numbers:
    """The tokens that are numbers, and how near they are to each other: a near miss of a bound is nearly right."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        values = {index: float(word) for word, index in tokenizer.get_vocab().items() if word[0].isdigit()}
        self.tokens = torch.tensor(sorted(values))
        value = torch.tensor([values[index] for index in self.tokens.tolist()])
        fraction = torch.tensor(["." in (tokenizer.id_to_token(index) or "") for index in self.tokens.tolist()])
        self.place = torch.full((tokenizer.get_vocab_size(),), -1)
        self.place[self.tokens] = torch.arange(len(values))
        self._scaled = torch.where(fraction, value / _FRACTION_SPREAD, (value + 1).log() / _NUMBER_SPREAD)
        same = fraction[:, None] == fraction[None]
        near = torch.exp(-0.5 * (self._scaled[:, None] - self._scaled[None]) ** 2) * same
        self.targets = 0.3 * torch.eye(len(values)) + 0.7 * near / near.sum(-1, keepdim=True)
        self._fraction = fraction

    def code(self, width: int) -> Tensor:
        """Start values (numbers, width) in which neighbours are alike."""
        centres = torch.linspace(0, float(self._scaled.max()), 48)
        bumps = torch.exp(-0.5 * ((self._scaled[:, None] - centres) / (1.5 * (centres[1] - centres[0]))) ** 2)
        features = torch.cat([bumps * self._fraction[:, None], bumps * ~self._fraction[:, None]], -1)
        code = features @ torch.randn(features.shape[1], width)
        return code / code.std()


class LanguageTask(nn.Module):
    """What learns of M3D-LaMed in this stage."""

    def __init__(self, model: LaMed) -> None:
        super().__init__()
        self.language, self.projector, self.seg_projector = model.language, model.projector, model.seg_projector


class LanguageStage(Stage):
    """Stage 3."""

    name = "language"
    shares: ClassVar[Mapping[str, float]] = {"seg": 2.0}

    def __init__(
        self, model: LaMed, table: PromptTable, tokenizer: Tokenizer, bank: FeatureBank, pool: Pool, count: int,
        batch: int = 12, lr: float = 1.5e-3,
    ) -> None:  # fmt: skip
        self.model, self.table, self._tokenizer, self.bank, self.pool = model, table, tokenizer, bank, pool
        self.module = self._task = LanguageTask(model)
        self._count, self._batch, self._lr = count, batch, lr
        self._numbers = Numbers(tokenizer)
        embeddings = model.language.get_input_embeddings().weight
        with torch.no_grad():
            embeddings.normal_(std=0.3)
            code = self._numbers.code(embeddings.shape[1])
            embeddings[self._numbers.tokens] = 0.3 * code
            model.language.lm_head.weight[self._numbers.tokens] = 0.03 * code

    def optimisers(self) -> list[torch.optim.Optimizer]:
        return optimisers(self._task, self._lr, ("language.lm_head",))

    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        reports = bool(draws.random() < _REPORT_BATCHES)
        volumes: list[tuple[int, list[Encoded]]] = []
        for _ in range(self._batch):
            preparation = "cap" if reports else str(draws.choice(list(_SHARES), p=list(_SHARES.values())))
            number = self.number(preparation, draws)
            volumes.append((number, self._questions(number, reports, draws)))
        return self.losses_of(volumes)

    def _questions(self, number: int, report: bool, draws: np.random.Generator) -> list[Encoded]:
        case = self.pool[number]
        examples = [example_of(case, draws, kind="report")] if report else []
        while len(examples) < (1 if report else _QUESTIONS):
            example = example_of(case, draws)
            if example.kind != "report":
                examples.append(example)
        return [self.encode(example) for example in examples]

    def number(self, preparation: str, draws: np.random.Generator) -> int:
        """A volume of this preparation, among those whose features are due."""
        # The features of further volumes are computed as training goes on.
        seen = min(self._count, CHUNK * (2 + int(self._count / CHUNK * 2 * self.progress)))
        places = [place for place, name in enumerate(PREPARATIONS) if name == preparation]
        return (
            int(draws.integers(seen // len(PREPARATIONS))) * len(PREPARATIONS)
            + places[int(draws.integers(len(places)))]
        )

    def encode(self, example: Example) -> Encoded:
        prompt = self._tokenizer.encode(example.prompt, add_special_tokens=False).ids
        answer = self._tokenizer.encode(example.answer, add_special_tokens=False).ids
        return Encoded([*prompt, *answer, 2], len(answer) + 1, example)

    def losses_of(self, volumes: Sequence[tuple[int, Sequence[Encoded]]]) -> dict[str, Tensor]:
        """The loss of every kind of answer, weighted by its share of the batch, and that of the ``[SEG]`` vectors."""
        packed = self.pack(volumes)
        rows = [row for _, several in volumes for row in several]
        flat, targets, weights, kinds = [], [], [], []
        for (index, start), row in zip(packed.places, rows, strict=True):
            end = start + len(row.ids)
            flat.append(packed.states[index, end - row.told - 1 : end - 1])
            targets += row.ids[-row.told :]
            weights += [1 / row.told**0.6] * row.told
            kinds += [row.example.kind] * row.told
        # Among choices a near miss is a miss.
        soft = torch.tensor([kind != "choose" for kind in kinds])
        each = self._token_losses(self._task.language.lm_head(torch.cat(flat)), torch.tensor(targets), soft)
        weighted = each * torch.tensor(weights) / len(rows)
        losses = {kind: weighted[torch.tensor([name == kind for name in kinds])].sum() for kind in dict.fromkeys(kinds)}
        vectors = self.seg_vectors(packed, rows)
        if vectors is not None:
            wanted = self.table([row.example.rows for row in rows if row.example.rows]).detach()
            losses["seg"] = functional.mse_loss(vectors, wanted) / wanted.square().mean()
        return losses

    def pack(self, volumes: Sequence[tuple[int, Sequence[Encoded]]]) -> Packed:
        """States of ``<s>``, a volume's vectors and then all questions on it, which do not see each other.

        Each question has the positions and sees the tokens that it would have alone.
        """
        features = self._task.projector(self.bank.pooled([number for number, _ in volumes]))
        words = self._task.language.get_input_embeddings()
        first = words(torch.tensor([[1]])).expand(len(volumes), -1, -1)
        before = 1 + features.shape[1]
        longest = before + max(sum(len(row.ids) for row in several) for _, several in volumes)
        ids = torch.zeros(len(volumes), longest - before, dtype=torch.long)
        positions = torch.arange(longest).repeat(len(volumes), 1)
        owner = torch.full((len(volumes), longest), -1)
        owner[:, :before] = 0
        places: list[tuple[int, int]] = []
        for index, (_, several) in enumerate(volumes):
            start = before
            for turn, row in enumerate(several):
                end = start + len(row.ids)
                ids[index, start - before : end - before] = torch.tensor(row.ids)
                positions[index, start:end] = torch.arange(before, before + len(row.ids))
                owner[index, start:end] = turn + 1
                places.append((index, start))
                start = end
        sees = (owner[:, None, :] == 0) | (owner[:, None, :] == owner[:, :, None])
        sees = sees & torch.ones(longest, longest, dtype=torch.bool).tril()
        states = self._task.language.model(
            inputs_embeds=torch.cat([first, features, words(ids)], dim=1),
            attention_mask=sees[:, None],
            position_ids=positions,
            use_cache=False,
        ).last_hidden_state
        return Packed(states, places)

    def seg_vectors(self, packed: Packed, rows: Sequence[Encoded]) -> Tensor | None:
        """Projected states that predict ``[SEG]``, one an example that has rows of the table to say."""
        states = [
            packed.states[index, start + row.ids.index(self.model.config.seg_token) - 1]
            for (index, start), row in zip(packed.places, rows, strict=True)
            if row.example.rows
        ]
        return self._task.seg_projector(torch.stack(states)) if states else None

    def _token_losses(self, logits: Tensor, targets: Tensor, soften: Tensor) -> Tensor:
        chances = functional.log_softmax(logits, -1)
        hard = -chances.gather(1, targets[:, None])[:, 0]
        place = self._numbers.place[targets]
        number = (place >= 0) & soften
        if not number.any():
            return hard
        soft = -(self._numbers.targets[place[number]] * chances[number][:, self._numbers.tokens]).sum(-1)
        return hard.masked_scatter(number, soft)
