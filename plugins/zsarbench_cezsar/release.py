"""State dicts of the public release, turned into checkpoints of this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # an exception; nothing is unpickled here
from typing import Any

from torch import Tensor

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ColourOrdered, VisualEncoder
from zsarbench.utils.targets import OUT, check_folder
from zsarbench_cezsar import checkpoints
from zsarbench_cezsar.model import N_HEADS, JointModel, restored
from zsarbench_encoders.weights import file_sha256, read_state_dict

NAMES = {
    "visual_embedding.visual_dim_reducing.": "video_in.1.",
    "visual_embedding.transf_encoder.layers.0.": "encoder.",
    "visual_embedding.video_joint_embedding.": "video_out.2.",
    "norm_vid.": "video_norm.",
    "sentence_embedding.sentence_joint_embedding.": "sentence_in.1.",
    "norm_sent.": "sentence_norm.",
}
"""What modules are called in the release (valterlej/cezsar f3eef3e, model.py), and what they are called here."""
AS_RELEASED = {
    "attend_over": "batch",
    "normalise_at_test": False,
    "split_by": "triplet",
    "padding": "zeros",
    "colour_order": "bgr",
}
"""Options that reproduce a departure of the release, each of which flags the result."""


def release_flags(options: Mapping[str, Any]) -> list[str]:
    """Return a flag for each of these options that reproduces a departure of the release."""
    return [
        f"{name}={str(value).lower()}: as the release departs, see the README of zsarbench_cezsar"
        for name, value in AS_RELEASED.items()
        if name in options and options[name] == value
    ]


def colour_order(visual: VisualEncoder | None) -> str | None:
    """Return the channel order of the frames that a visual part is fed, or None where it states none."""
    return visual.colour_order if isinstance(visual, ColourOrdered) else None


def convert(file: Path, folder: Path) -> JointModel:
    """Write the release's state dict `file` as a checkpoint into `folder` and return its model.

    The Transformer layer keeps attending over the batch, as these weights were trained; the number of heads is the
    release's, since tensors do not contain it.

    Raises:
        ZsarbenchError: the file is not a state dict of the release (a whole module is never unpickled), or the folder
            holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"folder '{folder}' is not empty; give a new one: zsarbench cezsar convert {file} --out DIR")
    check_folder(folder, "weights", OUT)
    named = renamed(_tensors(file), file)
    model = _model_of(named, file)
    checkpoints.write(
        folder,
        {"best": {f"model.{name}": value for name, value in named.items()}},
        {"best": "best-0000.safetensors"},
        {"identity": "", "sizes": model.sizes, "origin": {"file": file.name, "sha256": file_sha256(file)}},
    )
    return model


def renamed(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Return the tensors of the release under the names of `JointModel`.

    Raises:
        ZsarbenchError: a tensor belongs to no module of the release.
    """
    tensors = {}
    for name, value in state.items():
        prefix = next((start for start in NAMES if name.startswith(start)), None)
        if prefix is None:
            raise ZsarbenchError(f"{file} is not a state dict of CEZSAR's release: its model has no tensor '{name}'")
        tensors[NAMES[prefix] + name.removeprefix(prefix)] = value.float()
    return tensors


def _tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, and where it holds a whole module, say why that is refused and what to do."""
    try:
        return read_state_dict(file)
    except ZsarbenchError as error:
        if not isinstance(error.__cause__, UnpicklingError):
            raise
        raise ZsarbenchError(
            f"{file} holds more than tensors, such as the whole module that the release saves: to load it is to run "
            "whatever code it names, so it is refused. Whoever trusts the file takes the tensors out of it inside the "
            f"release's own folder: python -c \"import torch; m = torch.load('{file.name}', map_location='cpu', "
            "weights_only=False); torch.save(m.state_dict(), 'state.pt')\"; then: zsarbench cezsar convert state.pt "
            "--out DIR"
        ) from error


def _model_of(named: Mapping[str, Tensor], file: Path) -> JointModel:
    """Return the model that holds these tensors, its sizes read from their shapes."""
    try:
        d_model, video_dim = named["video_in.1.weight"].shape
        joint_dim, text_dim = named["sentence_in.1.weight"].shape
        sizes = {
            "video_dim": video_dim, "text_dim": text_dim, "d_model": d_model, "joint_dim": joint_dim,
            "n_heads": N_HEADS, "feedforward": len(named["encoder.linear1.weight"]), "attend_over": "batch",
        }  # fmt: skip
        return restored(sizes, named)
    except (KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise ZsarbenchError(f"{file} is not a state dict of CEZSAR's release: {error}") from error
