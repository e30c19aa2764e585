"""What a specimen is."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Specimen:
    """What is checked, and what the check needs to know about it."""

    subject: Any
    arguments: dict[str, Any] = field(default_factory=dict)
