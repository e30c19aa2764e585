"""What a mutant is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One bug: a family with natural parameters, a component, or a structure, and arguments of its check."""

    family: tuple[Any, Any] | None = None
    component: Any = None
    structure: Any = None
    arguments: Any = None
