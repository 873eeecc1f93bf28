"""How the text metrics compare with a per-row loop over the plain libraries, as ratios measured in the same run.

    python benchmarks/scoring.py [--pairs 300] [--words 120] [--encoder FOLDER --layer N]

A ratio above 1 says that the metrics are faster. Absolute times are of this machine and load. The plain METEOR loop
needs nltk_data of its own; without it that loop reads the same shipped tables but keeps nothing between rows.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable, Sequence

from m3dbench.metrics import assets
from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text import bertscore, bleu, meteor, rouge, wordnet, words

PHRASES = (
    "no focal hepatic lesion is seen",
    "the gallbladder is distended with a stone",
    "bilateral pleural effusions are noted",
    "mild splenomegaly measuring 14.5 cm",
    "the kidneys enhance normally",
    "a hypodense mass in segment IV of the liver",
    "degenerative changes of the lumbar spine",
    "small amount of free fluid in the pelvis",
    "the pancreas, adrenals and spleen are unremarkable",
    "enlarged mediastinal lymph nodes",
)


def reports(count: int, length: int, rng: random.Random) -> list[TextPair]:
    """Pairs of report-like texts of about ``length`` words, some of them rare, that share about half their phrases."""
    rare = [row.split("\t", 1)[0] for row in assets.lines(assets.LEMMAS)[::40] if "_" not in row.split("\t", 1)[0]]

    def text(phrases: Sequence[str]) -> str:
        parts = [f"{phrase} {rng.choice(rare)}".capitalize() for phrase in phrases]
        return ". ".join(parts) + "."

    pairs = []
    for _ in range(count):
        reference = [rng.choice(PHRASES) for _ in range(max(1, length // 8))]
        prediction = [phrase if rng.random() < 0.5 else rng.choice(PHRASES) for phrase in reference]
        pairs.append(TextPair(text(prediction), text(reference)))
    return pairs


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def judge_all(metrics: Sequence[Metric], pairs: Sequence[TextPair], chunk: int = 256) -> None:
    for start in range(0, len(pairs), chunk):
        for metric in metrics:
            list(metric.outcomes(pairs[start : start + chunk]))


def plain_bleu(pair: TextPair) -> None:
    from sacrebleu import sentence_bleu

    sentence_bleu(pair.prediction, [pair.reference], lowercase=True)


def plain_rouge(variant: str) -> Callable[[TextPair], object]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([variant])
    return lambda pair: scorer.score(pair.reference, pair.prediction)


def plain_meteor() -> Callable[[TextPair], object]:
    from nltk.corpus import wordnet as full
    from nltk.data import find
    from nltk.tokenize import word_tokenize
    from nltk.translate.meteor_score import single_meteor_score

    tables: object = full
    tokenize: Callable[[str], Sequence[str]] = word_tokenize
    try:
        find("corpora/wordnet")
        find("tokenizers/punkt_tab")
    except LookupError:
        print("(no nltk_data here: the plain METEOR loop reads the shipped tables without remembering)")
        sentences, split = words._tokenizers()

        def tokenize_anew(text: str) -> Sequence[str]:
            return [word for sentence in sentences(text) for word in split(sentence)]

        tokenize = tokenize_anew

        class Forgetful(wordnet.CompactWordNet):
            def synsets(self, word: str) -> tuple[wordnet.Names, ...]:  # type: ignore[override]
                return wordnet.CompactWordNet.synsets.__wrapped__(self, word)

        tables = Forgetful()

    def score(pair: TextPair) -> None:
        single_meteor_score(tokenize(pair.reference), tokenize(pair.prediction), wordnet=tables)

    return score


def plain_bertscore(folder: str, layer: int) -> Callable[[TextPair], object]:
    from bert_score import BERTScorer

    scorer = BERTScorer(model_type=folder, num_layers=layer, device="cpu")
    return lambda pair: scorer.score([pair.prediction], [pair.reference])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--words", type=int, default=120)
    parser.add_argument("--encoder", help="local folder of a BERTScore encoder; without it BERTScore is left out")
    parser.add_argument("--layer", type=int, default=17)
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many is compared")
    options = parser.parse_args()
    pairs = reports(options.pairs, options.words, random.Random(0))
    warm_up = reports(3, options.words, random.Random(1))
    start = time.perf_counter()
    wordnet.wordnet().names("liver")
    print(f"loading WordNet: {time.perf_counter() - start:.2f} s")
    contests: dict[str, tuple[list[Metric], Callable[[TextPair], object]]] = {
        "bleu4": ([bleu.bleu4()], plain_bleu),
        "rouge1": ([rouge.rouge1()], plain_rouge("rouge1")),
        "rougeL": ([rouge.rouge_l()], plain_rouge("rougeL")),
        "meteor": ([meteor.meteor()], plain_meteor()),
        "bleu1+rouge1+meteor, upstream and corrected": (
            [
                bleu.bleu1(),
                rouge.rouge1(),
                meteor.meteor(),
                bleu.upstream_bleu1(),
                rouge.upstream_rouge1(),
                meteor.upstream_meteor(),
            ],
            lambda pair: [plain(pair) for plain in (plain_bleu, one_rouge, one_meteor)],
        ),
    }
    one_rouge, one_meteor = contests["rouge1"][1], contests["meteor"][1]
    scorers: list[bertscore.Scorer] = []
    if options.encoder:
        metric = bertscore.bertscore_f1(model=options.encoder, layer=options.layer, device="cpu")
        scorers.append(bertscore._scorer(options.encoder, options.layer, "cpu"))
        contests["bertscore_f1"] = [metric], plain_bertscore(options.encoder, options.layer)
    for name, (metrics, plain) in contests.items():
        judge_all(metrics, warm_up)
        plain(warm_up[0])
        theirs, ours = float("inf"), float("inf")
        for _ in range(options.repeats):
            clear(scorers)
            theirs = min(theirs, seconds(lambda plain=plain: [plain(pair) for pair in pairs]))
            clear(scorers)
            ours = min(ours, seconds(lambda metrics=metrics: judge_all(metrics, pairs)))
        print(f"{name}: {theirs / ours:.2f} times as fast as the plain loop ({1000 * ours / len(pairs):.2f} ms a pair)")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def clear(scorers: Sequence[bertscore.Scorer]) -> None:
    """Forget what an earlier contest computed for the same pairs; sacrebleu's tokenizers remember lines unasked."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp

    Tokenizer13a.__call__.cache_clear()
    TokenizerRegexp.__call__.cache_clear()
    for scorer in scorers:
        scorer.recent.clear()
    rouge._f1.cache_clear()
    meteor._score.cache_clear()
    words.word_tokenize.cache_clear()
    words._sentence_words.cache_clear()


if __name__ == "__main__":
    main()
