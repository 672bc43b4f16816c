"""`zsarbench doctor`: what is installed, what works, and what failed to load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import Any

import click

from zsarbench import __version__
from zsarbench.cli.toolkit import echo, echo_json, host_of, json_option
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.cores import cores


@click.command("doctor", short_help="Check versions, devices, plugins, decoding and caches.")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Print versions, devices, plugins and what failed to load, a decoder self-test, and cache sizes.

    \b
    Examples:
      zsarbench doctor
      zsarbench doctor --json > doctor.json     to send along with a question
    """
    host = host_of(ctx)
    content: dict[str, Any] = {
        "zsarbench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cores(),
        "packages": {name: _version(name) for name in _requirements()},
        "devices": _devices(),
        "bfloat16": _bfloat16(),
        "plugins": sorted({entry.plugin for entry in host.registry}),
        "failed_plugins": {
            failure.plugin: {"version": failure.version, "reason": failure.reason} for failure in host.failures
        },
        "decoder": _decoder_self_test(),
        "cache": {"folder": str(cache_dir()), "megabytes": _megabytes(cache_dir())},
        "environment": {name: value for name, value in os.environ.items() if name.startswith("ZSARBENCH_")},
    }
    if as_json:
        echo_json(content)
    else:
        for key, value in content.items():
            if isinstance(value, dict):
                echo(f"{key}:" + ("" if value else " none"))
                for name, item in value.items():
                    inner = [f"{key} {one}" for key, one in item.items()] if isinstance(item, dict) else [str(item)]
                    echo(f"  {name}: {', '.join(inner)}")
            else:
                echo(f"{key}: {', '.join(value) if isinstance(value, list) else value}")
    ctx.exit(0 if content["decoder"] == "ok" and not host.failures else 1)


def _requirements() -> list[str]:
    """Return the packages that zsarbench needs, those of its extras for users too."""
    lines = importlib.metadata.requires("zsarbench") or []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if not re.search("extra == .tests", line)]
    return sorted(dict.fromkeys(names))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    """Return the devices that torch can compute on, or why there is none."""
    try:
        import torch

        from zsarbench.utils.compute import processor
    except ImportError as error:
        return [f"none: {error}"]
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [f"{name} ({processor(torch.device(name))})" for name in names]


def _bfloat16() -> str:
    """Return whether `--dtype bfloat16` is of use on the CPU."""
    try:
        from zsarbench.utils.compute import gains_by_bfloat16
    except ImportError as error:
        return f"unknown: {error}"
    gains = gains_by_bfloat16()
    if gains is None:
        return "this version of torch cannot report whether the CPU is faster with it"
    return "the CPU is faster with it" if gains else "the CPU has no instructions for it: use --dtype float32 there"


def _decoder_self_test() -> str:
    """Encode eight grey frames, decode them, and compare: "ok" or what went wrong."""
    try:
        import av
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "test.mp4"
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", rate=8)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for level in range(8):
                    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 30 * level, dtype=np.uint8), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            with av.open(str(path)) as container:
                levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    except Exception as error:  # whatever a broken installation raises is the finding
        return f"{type(error).__name__}: {error}"
    if len(levels) != 8:
        return f"8 frames were written, {len(levels)} were read"
    worst = max(abs(level - 30 * index) for index, level in enumerate(levels))
    return "ok" if worst < 6 else f"grey levels are off by up to {worst:.0f}"


def _megabytes(folder: Path) -> dict[str, float]:
    if not folder.is_dir():
        return {}
    return {
        part.name: round(sum(file.stat().st_size for file in part.rglob("*") if file.is_file()) / 1e6, 1)
        for part in sorted(folder.iterdir())
        if part.is_dir()
    }
