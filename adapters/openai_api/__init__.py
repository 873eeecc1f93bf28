"""``openai``: any OpenAI-compatible chat endpoint, fed with slices."""

from m3dbench.adapters.openai_api.adapter import OpenAIChat

__all__ = ["OpenAIChat"]
