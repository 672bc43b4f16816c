"""Training of the joint model (stage 6): epochs, early stopping on the validation loss, checkpoints."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from zsarbench.errors import NoNegatives, ZsarbenchError
from zsarbench.interfaces import Context, Loss, NegativeSampler, Task
from zsarbench.utils.compute import CopyStream, copy_to_device, use_on_current_stream
from zsarbench_cezsar import checkpoints
from zsarbench_cezsar.batches import ClipsOnDevice, Corpus, Shown, read_ahead, shown
from zsarbench_cezsar.model import MAX_STEPS, JointModel
from zsarbench_cezsar.pair_negatives import Negatives, Tally
from zsarbench_cezsar.pairs import split_pairs

_log = logging.getLogger(__name__)

LEARNING_RATE = 1e-4  # release, stage 6
BETAS = (0.9, 0.99)  # AdamW's decay of both moments; release, stage 6
WEIGHT_DECAY = 1e-5  # AdamW's, per step and learning rate; release, stage 6
BATCH_SIZE = 128  # positives of a step; the release counts triplets, 128 of them
MAX_EPOCHS = 200  # release, stage 6
PATIENCE = 20  # epochs without a better validation loss; release, stage 6
N_NEGATIVES = 10  # negatives of a positive; release, stage 4
VALIDATION_FRACTION = 0.3  # of the source videos; release, stage 6: of the triplets

SplitBy = Literal["video", "triplet"]


@dataclass(frozen=True)
class Options:
    """How to train; see the constants of this module for units and sources."""

    learning_rate: float = LEARNING_RATE
    betas: tuple[float, float] = BETAS
    weight_decay: float = WEIGHT_DECAY
    batch_size: int = BATCH_SIZE
    max_epochs: int = MAX_EPOCHS
    patience: int = PATIENCE
    n_negatives: int = N_NEGATIVES
    validation_fraction: float = VALIDATION_FRACTION
    split_by: SplitBy = "video"
    max_steps: int = MAX_STEPS
    padding: Literal["mask", "zeros"] = "mask"


@dataclass
class History:
    """What became of a fit: one row of losses per epoch, and the best of them (epochs count from 1).

    negatives: what the sampler measured; of one that draws within batches the mean over epochs.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    negatives: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf
    finished: bool = False


class Trainer:
    """Trains a joint model, and a loss where it has parameters, on a corpus.

    Constructed and run inside `zsarbench.utils.seeding.fork_rng`: dropout draws from torch's global state, which
    checkpoints hold.
    """

    def __init__(
        self, model: JointModel, loss: Loss, corpus: Corpus, options: Options, context: Context, folder: Path | None
    ) -> None:
        self.model = model.to(context.device)
        # A copy: the run's loss serves several fits, and each starts from the loss as it was built.
        self.loss = copy.deepcopy(loss)
        self.corpus = corpus
        self.options = options
        self.context = context
        self.folder = folder
        self.modules = nn.ModuleDict({"model": self.model})
        if isinstance(self.loss, nn.Module):
            self.modules["loss"] = self.loss.to(context.device)
        self.optimizer = torch.optim.AdamW(
            self.modules.parameters(), lr=options.learning_rate, betas=options.betas,
            weight_decay=options.weight_decay, fused=True,
        )  # fmt: skip
        self.order = context.generator("batches")
        self.sampler: NegativeSampler = _required(context.parts.negatives)
        self.negatives = Negatives(self.sampler, corpus.pairs, options.n_negatives)
        self.copies = CopyStream(context.device)
        self.clips = ClipsOnDevice(corpus.clips, context.device)
        self.embeddings = corpus.embeddings.to(context.device)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        self.best_file = ""

    def run(self) -> History:
        """Train until the validation loss stops falling; leave the best weights in the model.

        Raises:
            ZsarbenchError: a loss is not finite, or nothing can be trained on.
            KeyboardInterrupt: as it came; the checkpoint of the last whole epoch is kept.
        """
        checkpoint = self._checkpoint()
        if checkpoint is not None:
            self.history = History(**checkpoint.state["history"])
            self.best_file = checkpoint.files["best"]
            self.best = checkpoint.tensors("best")
        if self.history.finished:
            _log.info("this fit finished after epoch %d; its weights are loaded", len(self.history.epochs))
        else:
            drawn = self.negatives.draw(self.corpus.embeddings, self.context.generator("negatives"))
            self.history.negatives |= drawn
            if checkpoint is not None:
                _log.info("resuming at epoch %d", len(self.history.epochs) + 1)
                checkpoints.unpack(
                    checkpoint.tensors("last"), self.modules, self.optimizer, self.order, self.context.device
                )
            self._train()
        self.modules.load_state_dict(self.best)
        self.modules.eval()
        return self.history

    def _train(self) -> None:
        pairs, options = self.corpus.pairs, self.options
        self.rows, self.held = split_pairs(
            pairs, options.validation_fraction, options.split_by, self.context.generator("validation")
        )
        if self.sampler.when == "batch":
            # In the order of the corpus a batch may be of one source video, in which nothing is a negative.
            order = torch.randperm(len(self.held), generator=self.context.generator("validation-order"))
            self.held = self.held[order]
        first = len(self.history.epochs) + 1
        n_batches = self._n_batches(self.rows)
        try:
            with self.context.progress.task("training cezsar", options.max_epochs * n_batches) as task:
                task.advance((first - 1) * n_batches)
                for epoch in range(first, options.max_epochs + 1):
                    self._keep(epoch, self._epoch(epoch, task))
                    if self.history.finished:
                        break
        except KeyboardInterrupt:
            _log.info("%s", self._interrupted())
            raise

    def _epoch(self, epoch: int, task: Task) -> dict[str, float]:
        """Train one epoch and return its losses, means over pairs."""
        losses = (self.history.epochs or [{}])[-1].items()
        before = "".join(f", {name.removesuffix('_loss')} {value:.2f}" for name, value in losses)
        note = f"epoch {epoch}/{self.options.max_epochs}{before}"
        self.modules.train()
        shuffled = self.rows[torch.randperm(len(self.rows), generator=self.order)]
        row = {"loss": self._mean("training", shuffled, self.order, lambda loss: self._step(loss, task, note))}
        self._note_negatives(epoch)
        if len(self.held):
            self.modules.eval()
            # A generator of its own, so that every epoch is measured on the same negatives.
            with torch.inference_mode():
                row["validation_loss"] = self._mean(
                    "validation", self.held, self.context.generator("validation-negatives")
                )
        if not all(map(math.isfinite, row.values())):
            raise ZsarbenchError(
                f"the loss of epoch {epoch} is not finite ({row}): the features hold infinities, or the steps are too "
                "long. Try: --set method.learning_rate=1e-5, or --dtype float32"
            )
        return row

    def _step(self, loss: Tensor, task: Task, note: str) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        task.advance(1, note)

    def _n_batches(self, rows: Tensor) -> int:
        return math.ceil(len(rows) / self.options.batch_size)

    def _mean(
        self, which: str, rows: Tensor, rng: torch.Generator, use: Callable[[Tensor], None] = lambda loss: None
    ) -> float:
        """Return the mean loss over pairs, giving each batch's loss to `use`; batches differ in size by one at most."""
        losses, counts = [], []
        self.tally = Tally()
        for batch, read in read_ahead(self._read, rows.tensor_split(self._n_batches(rows))):
            loss, n = self._loss(batch, read, rng)
            if n > 0:
                use(loss)
                losses.append(loss.detach())
                counts.append(n)
        if not losses and self.tally.n_without:
            raise NoNegatives(_none_within(which, self.tally.n_without, self.options.batch_size))
        if not losses:
            raise ZsarbenchError("no clip to learn from could be read")
        weights = torch.tensor(counts, dtype=torch.float64)
        return float(torch.stack(losses).cpu().double() @ weights / weights.sum())

    def _read(self, batch: Tensor) -> Shown:
        options, model = self.options, self.model
        with self.copies():
            return shown(
                self.corpus, batch, options.max_steps, options.padding, in_order=model.in_order,
                clips=self.clips,
            )  # fmt: skip

    def _loss(self, batch: Tensor, read: Shown, rng: torch.Generator) -> tuple[Tensor, int]:
        """Return the loss of a batch of pairs (B,), of which this was read, and how many of them it is of.

        Left out are pairs whose clip could not be read, and those that have no negative in their batch.
        """
        readable = read.mask.any(1)[read.of_pair]
        batch, of_pair = batch[readable], read.of_pair[readable]
        pool_rows = self.negatives.pool_rows(batch)
        kept = self.negatives.exist(batch, pool_rows)
        batch, of_pair = batch[kept], of_pair[kept]
        self.tally.n_without += len(kept) - len(batch)
        if len(batch) == 0:
            return torch.zeros(()), 0
        pairs, device = self.corpus.pairs, self.context.device
        with torch.autocast(device.type, self.context.dtype, enabled=self.context.dtype != torch.float32):
            values, mask = use_on_current_stream(read.values), copy_to_device(read.mask, device)
            video = self.model.video(values, mask)[copy_to_device(of_pair, device)]
            # Each sentence goes through its branch once, however many triplets it stands in.
            texts, places = torch.cat([pairs.text[batch], pairs.pool_text[pool_rows].flatten()]).unique(
                return_inverse=True
            )
            sentences = self.model.sentence(self.embeddings[copy_to_device(texts, device)])
        video, sentences = video.float(), sentences.float()
        places = copy_to_device(places, device)
        positive, pool = sentences[places[: len(batch)]], sentences[places[len(batch) :]]
        if self.negatives.of_corpus is not None:
            negative = pool.unflatten(0, pool_rows.shape)
        else:
            chosen = self.negatives.within(batch, pool_rows, video, positive, pool, rng, self.tally)
            negative = pool[copy_to_device(chosen, device)]
        return self.loss(video, positive, negative), len(batch)

    def _note_negatives(self, epoch: int) -> None:
        """Take what was measured within this epoch's batches into the mean over epochs."""
        noted = self.history.negatives
        for name, value in self.tally.means().items():
            before = noted.get(name, value)
            noted[name] = before + (value - before) / epoch

    # --- checkpoints ---

    def _keep(self, epoch: int, row: dict[str, float]) -> None:
        """Note the epoch, keep its weights where they are the best, and write the checkpoint."""
        history = self.history
        history.epochs.append(row)
        judged = row.get("validation_loss", -float(epoch))  # without validation the last epoch is the best
        improved = judged < history.best_loss
        if improved:
            history.best_epoch, history.best_loss = epoch, judged
            self.best = {name: value.detach().clone() for name, value in self.modules.state_dict().items()}
        history.finished = epoch == self.options.max_epochs or epoch - history.best_epoch >= self.options.patience
        if self.folder is not None:
            self._write(epoch, improved)

    def _write(self, epoch: int, improved: bool) -> None:
        tensors: dict[str, dict[str, Tensor]] = {}
        if improved:
            self.best_file = f"best-{epoch:04d}.safetensors"
            tensors["best"] = self.best
        files = {"best": self.best_file}
        if not self.history.finished:
            files["last"] = f"last-{epoch:04d}.safetensors"
            tensors["last"] = checkpoints.pack(self.modules, self.optimizer, self.order, self.context.device)
        assert self.folder is not None
        state = {"identity": self.identity, "sizes": self.model.sizes, "history": asdict(self.history), "epoch": epoch}
        try:
            checkpoints.write(self.folder, tensors, files, state)
        except ZsarbenchError as error:
            _log.warning("%s. The fit goes on without checkpoints", error)
            self.folder = None

    def _checkpoint(self) -> checkpoints.Checkpoint | None:
        """Return the checkpoint to continue from, or None."""
        if self.folder is None or not self.context.resume:
            return None
        return checkpoints.read(self.folder, self.identity)

    @cached_property
    def identity(self) -> str:
        """Return a digest of all that decides the fit: options, data, parts, seed and the shapes of the weights."""
        parts = self.context.parts
        decides = {
            "options": asdict(self.options),
            "model": self.model.sizes,
            "parts": [checkpoints.described(part) for part in (parts.visual, parts.text, self.sampler, self.loss)],
            "shapes": {name: list(value.shape) for name, value in self.modules.state_dict().items()},
            "dropout": [module.p for module in self.modules.modules() if isinstance(module, nn.Dropout)],
            "clips": checkpoints.clips(self.corpus.clips),
            "texts": [self.corpus.pairs.texts, checkpoints.digest(self.corpus.embeddings)],
            "pairs": [checkpoints.digest(x) for x in vars(self.corpus.pairs).values() if isinstance(x, Tensor)],
            "seed": self.context.generator("fit").initial_seed(),
            "machine": [self.context.device.type, str(self.context.dtype)],
        }
        return checkpoints.identity(decides)

    def _interrupted(self) -> str:
        done = len(self.history.epochs)
        kept = self.folder is not None and self.context.resume and done > 0
        return f"interrupted in epoch {done + 1}" + (f"; the checkpoint of epoch {done} is kept" if kept else "")


def _none_within(which: str, n: int, batch_size: int) -> str:
    """Return what the error of pairs says none of which has a negative in its batch."""
    more = ", or hold out more videos: --set method.validation_fraction=0.5 (0: none)" if which == "validation" else ""
    return (
        f"none of the {n} {which} pairs has a negative in its batch of at most {batch_size} pairs: the batch holds no "
        "text of another clip and source video. Draw from all clips instead: --negatives uniform, or enlarge the "
        f"batches: --set method.batch_size={2 * batch_size}{more}"
    )


def _required(sampler: NegativeSampler | None) -> NegativeSampler:
    if sampler is None:
        raise ZsarbenchError("method 'cezsar' needs a negative sampler. Try: --negatives cosine-window")
    return sampler
