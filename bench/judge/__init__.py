"""The judge: a language model that compares answers with references under a rubric, and the audit of such a judge."""
