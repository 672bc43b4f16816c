"""CEZSAR with weights from a checkpoint: nothing is learnt, stages 7 to 9 alone run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from zsarbench.errors import NotGiven, UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TrainSet
from zsarbench.utils.classifiers import classifier
from zsarbench_cezsar import checkpoints, scoring
from zsarbench_cezsar.checking import check, options_for
from zsarbench_cezsar.model import MAX_STEPS, JointModel, count_parameters, restored
from zsarbench_cezsar.release import colour_order, release_flags

HOW_TO = "Try: --set method.weights=DIR, a folder that `zsarbench cezsar convert` or a fit of method 'cezsar' wrote"


@dataclass(kw_only=True, eq=False)
class Pretrained:
    """Scores a clip by the cosine to each class's sentence in a joint space that was learnt elsewhere.

    Source: CEZSAR, arXiv:2605.01165, and its release valterlej/cezsar (MIT).

    weights: the folder of a checkpoint. The other options are those of method `cezsar`.
    """

    learns_from: ClassVar[LearnsFrom] = "nothing"

    weights: str | None = None
    mode: scoring.Mode = "visual"
    visual_weight: float = scoring.VISUAL_WEIGHT
    objects_per_clip: int = scoring.OBJECTS_PER_CLIP
    neighbours: int | None = None
    prototypes: int | None = None
    max_steps: int = MAX_STEPS
    padding: Literal["mask", "zeros"] = "mask"
    normalise_at_test: bool = True

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            UsageError: options contradict each other or themselves.
        """
        check(self, "cezsar-pretrained")
        self.class_independent = self.neighbours == 1
        self._model: JointModel | None = None
        self._of_parts: dict[str, Any] = {}
        self._record: dict[str, Any] = {}

    def check_parts(self, parts: Parts) -> None:
        """Read the weights.

        Raises:
            UsageError: a part is missing, gives features of another size than the weights take, or has no classifier
                although the mode needs objects.
            ZsarbenchError: the weights cannot be read.
        """
        if self.weights is None:
            raise NotGiven(f"method 'cezsar-pretrained' has no weights. {HOW_TO}")
        self._model, self._record = load_model(Path(self.weights))
        self._of_parts = {"attend_over": self._model.attend_over, "colour_order": colour_order(parts.visual)}
        for kind, part, size in (("visual", parts.visual, "video_dim"), ("text", parts.text, "text_dim")):
            if part is None:
                raise UsageError(f"method 'cezsar-pretrained' needs a {kind} part. Try: zsarbench list {kind}")
            if part.dim != self._model.sizes[size]:
                raise UsageError(
                    f"the weights in {self.weights} take {self._model.sizes[size]} {kind} features, and the run's "
                    f"{kind} part gives {part.dim}. Try: --{kind} with the encoder that they were trained with"
                )
        if self.mode != "visual":
            classifier(parts.visual, "cezsar-pretrained")

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Load the weights; nothing is learnt."""
        self.check_parts(context.parts)
        assert self._model is not None
        self._model.to(context.device)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), as method `cezsar` does."""
        return scoring.scores(self._loaded(), clips, classes, context, self._scoring_options())

    def embed(
        self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return clips (N, J) and class sentences (S, J) in the joint space, and the class of each sentence (S,)."""
        return scoring.in_joint_space(self._loaded(), clips, classes, context, self._scoring_options())

    def _loaded(self) -> JointModel:
        if self._model is None:
            raise ZsarbenchError("method 'cezsar-pretrained' was called for scores before its weights were loaded")
        return self._model

    def _scoring_options(self) -> scoring.Options:
        return options_for(scoring.Options, self)

    def record(self) -> Mapping[str, Any]:
        """Return where the weights come from."""
        if self._model is None:
            return {}
        trained = f"weights trained outside this run: {self._record['weights_sha256'][:12]}"
        return {
            **self._record,
            "parameters": {"model": count_parameters(self._model)},
            "flags": [trained, *release_flags({**asdict(self), **self._of_parts})],
        }


def load_model(folder: Path) -> tuple[JointModel, dict[str, Any]]:
    """Return the model of a checkpoint in evaluation mode, and its sizes and provenance in JSON types.

    Raises:
        ZsarbenchError: the folder has none, or it is damaged.
    """
    try:
        checkpoint = checkpoints.stored(folder)
        tensors = {} if checkpoint is None else checkpoint.tensors("best")
    except ZsarbenchError as error:
        raise ZsarbenchError(f"{error}. {HOW_TO}") from error
    except KeyError:
        raise ZsarbenchError(f"the checkpoint in {folder} has no best weights. {HOW_TO}") from None
    if checkpoint is None:
        raise ZsarbenchError(f"'{folder}' holds no checkpoint ({checkpoints.STATE}). {HOW_TO}")
    try:
        own = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
        model = restored(checkpoint.state["sizes"], own)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ZsarbenchError(f"the checkpoint in {folder} holds no model of this plugin: {error}. {HOW_TO}") from error
    sha256 = checkpoints.identity({name: checkpoints.digest(value) for name, value in tensors.items()})
    return model, {"weights_sha256": sha256, "sizes": model.sizes, "origin": checkpoint.state.get("origin")}
