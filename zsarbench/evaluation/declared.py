"""What of a run was trained on something: who declares the label sets that contamination is looked for in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from zsarbench.utils.schema import TextForm

DeclaredKind = Literal[
    "method", "visual", "text", "negatives", "loss", "training data", "captions of", "label set", "other"
]


@dataclass(frozen=True)
class Declared(TextForm):
    """One trained thing of a run; a result file holds it as one text.

    kind: a kind of component; "training data" and "captions of" (a data set); "label set", one that a component
    declares and nobody lists; "other" in the result of another version. name: of the component or the data set.
    """

    kind: DeclaredKind
    name: str

    @property
    def saw_clips(self) -> bool:
        """Whether it may have seen clips or images of a class in training: a text encoder has not."""
        return self.kind != "text"

    @classmethod
    def parse(cls, text: str) -> Declared:
        """Return who declares, of a text in a result file.

        >>> Declared.parse("captions of ucf101"), Declared.parse("label set laion of text clip").saw_clips
        (Declared(kind='captions of', name='ucf101'), True)
        """
        for kind in get_args(DeclaredKind):
            if kind != "other" and text.startswith(f"{kind} "):
                return cls(kind, text.removeprefix(f"{kind} "))
        return cls("other", text)

    def __str__(self) -> str:
        return self.name if self.kind == "other" else f"{self.kind} {self.name}"
