"""CEZSAR: clips and sentences in one learnt space, unseen classes by the nearest sentence (stages 4 to 9)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from zsarbench.errors import NoNegatives, UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TrainSet
from zsarbench.utils import classifiers
from zsarbench.utils.seeding import fork_rng
from zsarbench_cezsar import model as joint
from zsarbench_cezsar import pairing, scoring, training
from zsarbench_cezsar.batches import Corpus
from zsarbench_cezsar.checking import check, options_for
from zsarbench_cezsar.model import AttendOver, JointModel, Positions, count_parameters
from zsarbench_cezsar.pairs import Pairs, Positives, make_pairs
from zsarbench_cezsar.release import colour_order, release_flags
from zsarbench_cezsar.training import History, SplitBy, Trainer

_log = logging.getLogger(__name__)

# Share of the seen classes held out to choose the positives where the protocol names none: a fifth, the rule of
# zsarbench for the lists of its protocols (benchmarks/splits/ucf101-truze-v1-validation.txt).
DRAWN_VALIDATION = 0.2


@dataclass(frozen=True)
class Fitted:
    """A trained model with what the fit measured."""

    model: JointModel
    history: History
    pairs: Pairs
    pairing: Mapping[str, Any]
    positives: Positives
    n_loss_parameters: int


@dataclass(kw_only=True, eq=False)
class Cezsar:
    """Learns a joint space of clips and sentences, and scores a clip by the cosine to each class's sentence.

    Source: CEZSAR, arXiv:2605.01165, and its release valterlej/cezsar (MIT); defaults are theirs.

    positives: "captions" aligns a clip with its own captions, "classes" with the sentences of its seen class, "auto"
        takes captions, and where steps come from captions chooses by accuracy on validation classes.
    object_sentences: sentences about the objects of a window that are added to each caption (stages 2 and 3); None: 2
        where the visual part has a classifier with named labels, else 0.
    mode: what stands for a clip at test (stage 8): its steps, a sentence about its objects, or both (`visual_weight`).
    neighbours: sentences that vote (stage 9); None: 1 where every class has one sentence, else 3.
    prototypes: sentences kept of each class, those nearest to the centres of so many clusters; None: all.
    positions: "sinusoidal" has the model see the order of the steps, which the published one does not.
    attend_over, normalise_at_test, split_by, padding: `release.AS_RELEASED` has the release's values, which
        flag the result.
    The others: see the constants of `zsarbench_cezsar.model`, `training`, `pairing` and `scoring`.
    """

    learns_from: ClassVar[LearnsFrom] = "captions"

    positives: Literal["auto", "captions", "classes"] = "auto"
    d_model: int = joint.D_MODEL
    joint_dim: int = joint.JOINT_DIM
    dropout: float = joint.DROPOUT
    n_heads: int = joint.N_HEADS
    feedforward: int = joint.FEEDFORWARD
    max_steps: int = joint.MAX_STEPS
    learning_rate: float = training.LEARNING_RATE
    betas: tuple[float, float] = training.BETAS
    weight_decay: float = training.WEIGHT_DECAY
    batch_size: int = training.BATCH_SIZE
    max_epochs: int = training.MAX_EPOCHS
    patience: int = training.PATIENCE
    n_negatives: int = training.N_NEGATIVES
    validation_fraction: float = training.VALIDATION_FRACTION
    object_sentences: int | None = None
    n_windows: int = pairing.N_WINDOWS
    window_seconds: float = pairing.WINDOW_SECONDS
    objects_per_window: int = pairing.OBJECTS_PER_WINDOW
    mode: scoring.Mode = "visual"
    visual_weight: float = scoring.VISUAL_WEIGHT
    objects_per_clip: int = scoring.OBJECTS_PER_CLIP
    neighbours: int | None = None
    prototypes: int | None = None
    attend_over: AttendOver = "time"
    positions: Positions = "none"
    normalise_at_test: bool = True
    split_by: SplitBy = "video"
    padding: Literal["mask", "zeros"] = "mask"

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            UsageError: options contradict each other or themselves.
        """
        check(self, "cezsar")
        # A vote of several sentences depends on which other sentences vote. Until `fit` knows how many sentences a
        # class has, False is the safe answer.
        self.class_independent = self.neighbours == 1
        self._fitted: Fitted | None = None
        self._choice: dict[str, Any] = {}
        self._colour_order: str | None = None  # of the frames that the visual part was fed

    # --- learning ---

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Train the joint model; see `zsarbench.interfaces.Method`."""
        if train is None:
            raise ZsarbenchError("method 'cezsar' learns from clips with sentences, and was given no training set")
        one_sentence = all(len(described.texts) == 1 for described in train.classes) and len(train.classes) > 0
        self.class_independent = self.neighbours == 1 or (self.neighbours is None and one_sentence)
        self._colour_order = colour_order(context.parts.visual)
        chosen = self._choose(train, context)
        self._fitted = self._train(train, chosen, context)

    def _train(self, train: TrainSet, positives: Positives, context: Context, trial: bool = False) -> Fitted:
        """Return a model trained with these positives; a trial keeps its checkpoints apart."""
        loss = context.parts.loss
        if loss is None:
            raise UsageError("method 'cezsar' needs a loss. Try: --loss triplet")
        folder = context.checkpoints and context.checkpoints / (f"trial-{positives}" if trial else "fit")
        paired: Mapping[str, Any] = {}
        options = self._pairing_options(context.parts) if positives == "captions" else None
        if options is not None and train.clips.captions_in_steps == "none":
            pairing_folder = context.checkpoints and context.checkpoints / ("trial-pairing" if trial else "pairing")
            train, paired = pairing.add_sentences(train, options, context, pairing_folder)
        pairs = make_pairs(train, positives, self.max_steps)
        corpus = Corpus(joint.first_steps(train.clips, self.max_steps), pairs, scoring.embeddings(pairs.texts, context))
        with fork_rng(context.generator("fit")):
            model = JointModel(
                train.clips.dim, corpus.embeddings.shape[1], d_model=self.d_model, joint_dim=self.joint_dim,
                dropout=self.dropout, n_heads=self.n_heads, feedforward=self.feedforward, attend_over=self.attend_over,
                positions=self.positions,
            )  # fmt: skip
            trainer = Trainer(model, loss, corpus, self._training_options(), context, folder)
            history = trainer.run()
        n_loss = count_parameters(trainer.loss) if isinstance(trainer.loss, nn.Module) else 0
        return Fitted(trainer.model, history, pairs, paired, positives, n_loss)

    def check_parts(self, parts: Parts) -> None:
        """Raise where objects are requested and the visual part names none."""
        if self.mode != "visual" or self.object_sentences:
            classifiers.classifier(parts.visual, "cezsar")
        self._pairing_options(parts)  # a classifier that cannot be loaded is reported before anything is extracted

    def _training_options(self) -> training.Options:
        return options_for(training.Options, self)

    def _pairing_options(self, parts: Parts) -> pairing.Options | None:
        """Return how to pair clips with sentences about their objects; None where that is not done."""
        n_sentences = self.object_sentences
        if n_sentences is None:
            n_sentences = 0 if classifiers.find_classifier(parts.visual) is None else pairing.OBJECT_SENTENCES
        if n_sentences == 0:
            return None
        return options_for(pairing.Options, self, object_sentences=n_sentences)

    def _scoring_options(self) -> scoring.Options:
        return options_for(scoring.Options, self)

    def _choose(self, train: TrainSet, context: Context) -> Positives:
        """Return which positives to train with, and keep why."""
        self._choice = {}
        if self.positives != "auto":
            return self.positives
        how = train.clips.captions_in_steps
        if train.clips.captions is None or how == "all":
            return "classes"
        if how == "none" or train.labels is None:
            return "captions"
        return self._choose_by_trial(train, train.labels, context)

    def _choose_by_trial(self, train: TrainSet, labels: Tensor, context: Context) -> Positives:
        """Fit with both positives without the validation classes, and return the one that recognises these better."""
        validation = train.validation_set
        if validation is not None and validation.labels is not None and len(validation.labels.unique()) > 1:
            return self._better(replace(train, validation=(), validation_set=None), validation, context)
        names = [described.name for described in train.classes]
        filled = [name for number, name in enumerate(names) if (labels == number).any()]  # those that have clips
        held = [name for name in filled if name in train.validation]
        if len(held) < 2:
            order = torch.randperm(len(names), generator=context.generator("validation-classes")).tolist()
            drawn = [names[i] for i in order if names[i] in filled]
            held = sorted(drawn[: max(2, round(DRAWN_VALIDATION * len(filled)))])
        if len(held) > len(filled) - 2:
            _log.warning("%d seen classes are too few to choose the positives by; captions are taken", len(filled))
            return "captions"
        is_held = torch.tensor([name in held for name in names])
        return self._better(_of_classes(train, labels, ~is_held), _of_classes(train, labels, is_held), context)

    def _better(self, rest: TrainSet, validation: TrainSet, context: Context) -> Positives:
        """Return the positives that, fitted on some classes, recognise the clips of others better, and keep why."""
        held = [described.name for described in validation.classes]
        accuracy: dict[Positives, float | None] = {}
        for positives in ("captions", "classes"):
            try:
                fitted = self._train(rest, positives, context, trial=True)
            except NoNegatives as error:
                _log.warning("positives '%s' cannot be tried: %s", positives, error)
                accuracy[positives] = None
                continue
            scores = scoring.scores(
                fitted.model, validation.clips, validation.classes, context, self._scoring_options()
            )
            assert validation.labels is not None
            accuracy[positives] = float((scores.argmax(1) == validation.labels).float().mean())
            _log.info("positives '%s': top-1 %.4f on %d validation classes", positives, accuracy[positives], len(held))
        self._choice = {"positives_top1_on_validation_classes": dict(accuracy), "validation_classes": held}
        return max(accuracy, key=lambda positives: accuracy[positives] or 0.0)

    # --- scoring ---

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), the cosine to each class's nearest sentence, or votes; NaN for a clip that was not read."""
        if self._fitted is None:
            raise ZsarbenchError("method 'cezsar' was called for scores before it was fitted")
        return scoring.scores(self._fitted.model, clips, classes, context, self._scoring_options())

    def embed(
        self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return clips (N, J) and class sentences (S, J) in the joint space, and the class of each sentence (S,)."""
        if self._fitted is None:
            raise ZsarbenchError("method 'cezsar' was called for embeddings before it was fitted")
        return scoring.in_joint_space(self._fitted.model, clips, classes, context, self._scoring_options())

    # --- reporting ---

    def record(self) -> Mapping[str, Any]:
        """Return what the fit chose and measured."""
        if self._fitted is None:
            return {"flags": self.flags()}
        fitted, history = self._fitted, self._fitted.history
        return {
            **self._choice,
            "positives": fitted.positives,
            "positions": fitted.model.positions,
            "n_sentences": len(fitted.pairs.texts),
            "n_pairs": len(fitted.pairs),
            "n_triplets": len(fitted.pairs) * self.n_negatives,
            "n_captions_skipped": fitted.pairs.n_skipped,
            "pairing": dict(fitted.pairing),
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            "losses": [dict(row) for row in history.epochs],
            "negatives": dict(history.negatives),
            "parameters": {"model": count_parameters(fitted.model), "loss": fitted.n_loss_parameters},
            "flags": self.flags(),
        }

    def flags(self) -> list[str]:
        """Return which departures of the release are reproduced, and that windows could not lie anywhere in a clip."""
        paired = pairing.flags(self._fitted.pairing) if self._fitted is not None else []
        return [*release_flags({**asdict(self), "colour_order": self._colour_order}), *paired]


def _of_classes(train: TrainSet, labels: Tensor, kept: Tensor) -> TrainSet:
    """Return the part of a training set, labelled (N,), that belongs to some of its classes, (C,) bool."""
    index = kept[labels].nonzero().flatten()
    return replace(
        train,
        clips=train.clips.subset(index),
        labels=(kept.cumsum(0) - 1)[labels[index]],
        groups=tuple(train.groups[int(i)] for i in index),
        classes=tuple(described for described, keep in zip(train.classes, kept, strict=True) if keep),
        validation=(),
    )
