"""``replay``: answers from a file, for models that ran elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.benchmark import EIGHT_TASKS
from m3dbench.data.answers import AnswerFile, AnswerRow, declared_convention
from m3dbench.data.embedding_files import EmbeddingFile
from m3dbench.data.mask_files import read_mask_file
from m3dbench.data.prediction import Prediction


class Replay(Adapter):
    """Looks every id up in a file of answers (see ``m3dbench score``); an id that is not there is an error.

    An npz file holds embeddings (arrays ``id``, ``image``, ``text``) and answers retrieval alone.
    box_convention: ``inclusive``, or axes,unit,upper,form.
    """

    name = "replay"
    version = "1.0"
    tasks = EIGHT_TASKS
    looks = False

    def __init__(self, *, file: str, box_convention: str = "dhw,fraction,exclusive,corners") -> None:
        self._path = Path(file)
        self._embeddings: EmbeddingFile | None = None
        self._file: AnswerFile | None = None
        if self._path.suffix == ".npz":
            self._embeddings = EmbeddingFile.read(self._path)
            self.tasks = frozenset({"retrieval"})
        else:
            self._file = AnswerFile(self._path)
            self.tasks = self.tasks - {"retrieval"}
        self._digest = sha256(self._path.read_bytes()).hexdigest()
        self.boxes = declared_convention(box_convention)  # type: ignore[misc]
        self._convention = box_convention

    def prepare(self, context: Context) -> None:
        self._answer = context.answer
        self._rows: dict[str, AnswerRow] = {}
        for row in self._file or ():
            self._rows.setdefault(row.id, row)

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._look_up(query.id) for query in queries]

    def _look_up(self, query_id: str) -> Prediction:
        if self._embeddings is not None and query_id in self._embeddings.rows:
            place = self._embeddings.rows[query_id]
            image, text = self._embeddings.image[place], self._embeddings.text[place]
            return Prediction(query_id, image_embedding=image, text_embedding=text)
        row = self._rows.get(query_id)
        if row is None:
            return Prediction(query_id, status="error", reason=f"{self._path.name} has no answer to this sample")
        if row.status != "ok":
            return Prediction(query_id, status=row.status, reason=row.reason)
        if row.prediction is None:
            return Prediction(query_id, absent=self._answer in ("box", "mask"))
        if isinstance(row.prediction, list):
            return Prediction(query_id, box=tuple(row.prediction))
        if self._answer == "mask":
            return Prediction(query_id, mask=read_mask_file(self._path.parent, row.prediction).mask)
        return Prediction(query_id, text=row.prediction)

    def facts(self) -> dict[str, str]:
        return {"file_sha256": self._digest, "box_convention": self._convention}
