"""A finished run is shown, an interrupted one goes on, and no refit destroys what is finished."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import small

import zsarbench
from zsarbench import results
from zsarbench.cli.main import main
from zsarbench.plugins import loading
from zsarbench.results import RunResult

SETTINGS = dict.fromkeys(word for word in small.CEZSAR if "=" in word)
LAST = "its weights are loaded"


class InterruptedAt:
    """Shows nothing, and presses Ctrl-C at a step of the training."""

    def __init__(self, step: int) -> None:
        self.step, self.count = step, 0

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[InterruptedAt]:
        self.counts = description.startswith("training")
        yield self

    def advance(self, n: int = 1, note: str = "") -> None:
        self.count += n if self.counts else 0
        if self.counts and n and self.count == self.step:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    points = small.entry_points()
    monkeypatch.setattr(loading, "entry_points", lambda: points)
    caplog.set_level(logging.INFO)


@pytest.fixture
def cezsar(tmp_path: Path) -> Callable[..., RunResult]:
    """Return a function that measures CEZSAR, three epochs of one batch each."""
    protocol = small.write_protocol(tmp_path)

    def run(step: int = 0, out: str = "out", refit: bool = False) -> RunResult:
        return zsarbench.run(
            "cezsar", protocol=str(protocol), visual="captions", text="toy", threads=1, negatives="uniform",
            settings=list(SETTINGS), out=str(tmp_path / out), refit=refit, progress=InterruptedAt(step),
        )  # fmt: skip

    return run


def bits(result: RunResult) -> bytes:
    assert result.path is not None
    return results.scores_file(result.path, result).read_bytes()


def test_a_finished_run_is_read_and_not_measured_again(
    cezsar: Callable[..., RunResult], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    first = cezsar()
    caplog.clear()
    again = cezsar()
    assert again == first
    assert again.path == first.path
    assert "measured before" in caplog.text
    assert "measure it again: --refit" in caplog.text
    assert "fit 1 of 1" not in caplog.text
    assert first.path is not None
    first.path.with_suffix(".npz").unlink()
    assert cezsar().path != first.path  # without its scores it answers nothing
    assert len(results.find(tmp_path / "out")) == 2


def test_an_interrupted_fit_goes_on_with_the_same_command(
    cezsar: Callable[..., RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        cezsar(step=2)
    assert "interrupted in epoch 2; the checkpoint of epoch 1 is kept" in caplog.text
    done = cezsar()
    assert "resuming at epoch 2" in caplog.text
    assert bits(done) == bits(cezsar(refit=True))


def test_an_interrupted_refit_leaves_the_finished_checkpoint(
    cezsar: Callable[..., RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    first = cezsar()
    with pytest.raises(KeyboardInterrupt):
        cezsar(step=2, refit=True)
    caplog.clear()
    other = cezsar(out="other")
    assert LAST in caplog.text
    assert bits(other) == bits(first)


def test_a_refit_trains_and_its_checkpoint_takes_the_place_of_the_old(
    cezsar: Callable[..., RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    first = cezsar()
    caplog.clear()
    again = cezsar(refit=True)
    assert LAST not in caplog.text
    assert (again.path, bits(again)) != (first.path, b"")
    assert bits(again) == bits(first)
    cezsar(out="other")
    assert LAST in caplog.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "what was finished is kept. Type the same command again to continue"),
        (("--refit",), "what was finished before --refit is kept. With --refit the fits begin again"),
    ],
    ids=["run", "refit"],
)
def test_what_is_printed_at_ctrl_c_is_what_works(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def pressed(self: object, form: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(small.Small, "class_texts", pressed)
    line = ["run", *small.NEAREST, "--protocol", str(small.write_protocol(tmp_path)), "--out", str(tmp_path), *words]
    with pytest.raises(SystemExit) as end:
        main(line)
    assert end.value.code == 130
    assert says in capsys.readouterr().err


def test_where_nothing_is_kept_nothing_is_promised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "read_all", pressed)
    with pytest.raises(SystemExit):
        main(["compare"])
    assert capsys.readouterr().err.split("\n") == ["", "interrupted", ""]


@pytest.mark.parametrize("verb", ["run", "sweep", "compare"])
def test_the_format_is_checked_before_the_work(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {
        "run": [*small.NEAREST, "--protocol", str(small.write_protocol(tmp_path))],
        "sweep": [*small.NEAREST, "--protocol", str(small.write_protocol(tmp_path)), "--grid", "seed=0,1"],
        "compare": [],
    }
    with pytest.raises(SystemExit) as end:
        main([verb, *words[verb], "--format", "xml"])
    assert end.value.code == 2
    assert "unknown reporter 'xml'" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
