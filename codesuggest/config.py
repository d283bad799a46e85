"""SuggestConfig: the choices that shape results, frozen, checked once, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from codesuggest.errors import OptionError

TOGETHER = 8  #: notes that go through a model at a time (`CodeSuggester.suggest_together`): more bring nothing


@dataclass(frozen=True, slots=True)
class SuggestConfig:
    """limit: suggestions listed a system. terms_per_segment, coverage_floor: how wide the index is asked (see
    `TermIndex.search`). evidence_per_suggestion: spans kept a suggestion. confidence_floor: suggestions below it are not
    listed, a probability in [0, 1].

    Raises OptionError for an impossible value.
    """

    limit: int = 50
    terms_per_segment: int = 45
    coverage_floor: float = 0.45
    evidence_per_suggestion: int = 6
    confidence_floor: float = 0.0

    def __post_init__(self) -> None:
        for name in ("limit", "terms_per_segment", "evidence_per_suggestion"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}")
        for name in ("coverage_floor", "confidence_floor"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
                raise OptionError(f"{name} must lie in [0, 1], not {value!r}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SuggestConfig:
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise OptionError(f"unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return cls(**values)
