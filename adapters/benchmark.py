"""The eight tasks of M3D-Bench, for adapters that do them all."""

EIGHT_TASKS = frozenset(
    {
        "rec",
        "reg",
        "report_generation",
        "retrieval",
        "seg_referring",
        "seg_semantic",
        "vqa_closed",
        "vqa_open",
    }
)
