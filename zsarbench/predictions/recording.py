"""The result of predictions: what was measured of them, what their file is, and what their user states of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zsarbench import results
from zsarbench.errors import UsageErrors, unknown
from zsarbench.evaluation import contamination
from zsarbench.evaluation.declared import Declared
from zsarbench.evaluation.measures import measure_round, summarise_scores
from zsarbench.evaluation.summary import RoundResult
from zsarbench.harness.environment import environment_of
from zsarbench.plugins.distributions import distributions_of
from zsarbench.predictions import account as kinds
from zsarbench.predictions.account import Account
from zsarbench.predictions.identity import KIND, digest, in_file, is_of_predictions
from zsarbench.predictions.mapping import LABELS
from zsarbench.results import (
    ClassTextInfo,
    ClipFailure,
    Coverage,
    DatasetInfo,
    Flag,
    MethodInfo,
    ProtocolInfo,
    RunResult,
    names_sha256,
)
from zsarbench.utils.schema import parse, plain

if TYPE_CHECKING:
    from zsarbench.evaluation.scores import Scores
    from zsarbench.plugins.registry import Registry
    from zsarbench.predictions.files import PredictionFile
    from zsarbench.predictions.matching import Matched
    from zsarbench.predictions.target import Target

NOT_STATED = "not stated"
MAX_NAME = 80
OF_ANOTHER = "Predictions of another program, scored from a file."


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a user states of predictions that the file does not show.

    name: of what predicted. trained_on: label sets seen in training, None where that is not known. train_on: "none",
    "seen" or a data set: what it learnt from. source: paper, address, licence.
    """

    name: str
    trained_on: tuple[str, ...] | None = None
    train_on: str = "none"
    source: str = ""

    def check(self, registry: Registry) -> None:
        """Refuse a claim that cannot be.

        Raises:
            UsageErrors: the name is empty, too long or that of a registered method; a data set does not exist.
        """
        problems = []
        if not self.name.strip() or len(self.name) > 80 or not self.name.isprintable():
            problems.append(f"--name '{self.name:.80}' is not valid: a name has up to 80 printable characters")
        if self.name in registry.names("method"):
            problems.append(
                f"--name {self.name} is a registered method, whose rows zsarbench measures itself. "
                f"Try: --name {self.name}-elsewhere"
            )
        known = ("none", "seen", *registry.names("dataset"))
        if self.train_on not in known:
            problems.append(unknown("training data", self.train_on, known))
        if problems:
            raise UsageErrors(problems)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Predictions of a file as they were scored.

    options: how classes came from what the file holds; part of the result's identity. record: what was counted while
    zsarbench wrote the file, {} for a file of another program. command: what repeats it.
    """

    file: PredictionFile
    options: Mapping[str, Any]
    record: Mapping[str, Any]
    found: Matched
    scores: Scores
    command: str
    seconds: float


def record(scored: Scored, claim: Claim, target: Target, registry: Registry) -> RunResult:
    """Return the result of predictions; its spec names no method of a plugin, and the digest of the predictions."""
    protocol, hash_ = target.protocol, target.protocol.hash(target.dataset)
    rounds, coverage = _rounds(scored, target), _coverage(scored)
    spec = _spec(scored, claim, target, hash_)
    return RunResult(
        method=_method(scored, claim, target),
        parts={},
        sampling=None,
        views=1,
        protocol=ProtocolInfo(
            name=protocol.name,
            version=protocol.version,
            hash=hash_,
            setting=protocol.setting,
            summary=protocol.summary,
            source=protocol.source,
        ),
        dataset=DatasetInfo(
            name=target.part.name, revision=target.dataset.revision, options=target.part.identity()["options"]
        ),
        train_on=claim.train_on,
        class_text=ClassTextInfo(form=NOT_STATED, sha256=names_sha256(())),
        denominator="all",
        control="none",
        limit=None,
        seed=0,
        seeds=(0,),
        rounds=rounds,
        summary=summarise_scores(rounds, scored.scores, protocol.setting, "all", partial=coverage.is_partial),
        failures=tuple(
            ClipFailure(clip, kinds.REASONS[kind], missing=kind == kinds.MISSING)
            for clip, kind in sorted(scored.found.failures.items())
        ),
        objections=(),
        flags=_flags(scored, coverage),
        environment=environment_of(torch="not used", device="cpu", dtype="float32", threads=1),
        seconds={"score": round(scored.seconds, 3)},
        created=results.utc_now(),
        spec=spec,
        spec_id=results.spec_id(spec),
        command=scored.command,
        contamination=_contamination(scored, claim, target, registry),
        coverage=coverage,
        distributions=distributions_of([protocol.plugin, target.part.plugin]),
    )


def _spec(scored: Scored, claim: Claim, target: Target, protocol_hash: str) -> dict[str, Any]:
    """Return what identifies the result."""
    spec: dict[str, Any] = plain(
        {
            "kind": KIND,
            "method": {"name": claim.name, "options": scored.options},
            "predictions": digest(scored.scores, target.protocol.setting),
            "parts": {},
            "protocol": target.protocol.name,
            "protocol_hash": protocol_hash,
            "dataset": target.part.identity(),
            "train_on": claim.train_on,
            "class_text": NOT_STATED,
            "denominator": "all",
            "control": "none",
            "limit": None,
            "seed": 0,
            "seeds": 1,
        },
        "spec",
    )
    return spec


def _rounds(scored: Scored, target: Target) -> tuple[RoundResult, ...]:
    return tuple(
        RoundResult(
            round=item.index,
            seed=0,
            fit=0,
            n_seen=len(item.seen),
            candidates_sha256=names_sha256(item.candidates),
            duplicate_of=target.protocol.rounds[item.index].duplicate_of,
            **measure_round(scored.scores, number, target.protocol.setting, "all")._asdict(),
        )
        for number, item in enumerate(target.rounds)
    )


def _coverage(scored: Scored) -> Coverage:
    """Return how many test clips the file has; an answer that names no class was given, and is wrong."""
    return Coverage(
        n_test=len(scored.found.in_file),
        n_test_missing=int((~scored.found.in_file).sum()),
        n_test_unreadable=0,
        n_train=0,
        n_train_missing=0,
        n_train_unreadable=0,
    )


def _method(scored: Scored, claim: Claim, target: Target) -> MethodInfo:
    file = scored.file
    return MethodInfo(
        name=claim.name,
        plugin=KIND,
        summary="Answers of a model that was shown every clip." if scored.record else OF_ANOTHER,
        source=claim.source,
        options=scored.options,
        learns_from="nothing" if claim.train_on == "none" else "seen-classes",
        trained_on=claim.trained_on,
        record={
            "file": {"name": file.path.name, "sha256": file.sha256},
            "account": plain(scored.found.account, "account"),
            "clips_in_file": in_file(scored.scores, scored.found.in_file, target.protocol.setting),
            **({"questions": dict(scored.record)} if scored.record else {}),
        },
    )


def _flags(scored: Scored, coverage: Coverage) -> tuple[Flag, ...]:
    account, file = scored.found.account, scored.file
    whose = "answers of a model" if scored.record else "predictions of another program"
    flags = [Flag("remark", f"{whose}, from {file.path.name} (sha256 {file.sha256[:8]})")]
    if text := coverage.lacks:
        flags.append(Flag("partial" if coverage.is_partial else "remark", text))
    silent = [finding.count for kind, finding in account.findings.items() if kind in kinds.REASONS]
    if n_silent := sum(silent) - account.n_missing:
        text = (
            "clip has no prediction that counts, and is wrong"
            if n_silent == 1
            else ("clips have no prediction that counts, and are wrong")
        )
        flags.append(Flag("remark", f"{n_silent:,} {text}"))
    return tuple(flags)


def _contamination(scored: Scored, claim: Claim, target: Target, registry: Registry) -> contamination.Contamination:
    """Return which unseen classes are in what the predictions' maker was trained on, as far as the user states it."""
    unseen = list(dict.fromkeys(name for item in target.rounds for name in item.unseen))
    learnt = claim.train_on if claim.train_on in registry.names("dataset") else None
    declared = contamination.declarations(registry, None, {}, target.part.name, learnt)
    audit = contamination.audit(
        {Declared("method", claim.name): claim.trained_on} | declared,
        unseen,
        registry,
        aliases=target.dataset.aliases,
    )
    overlapping = {overlap.candidate for overlap in audit.overlapping}
    return replace(audit, accuracy=contamination.accuracies(scored.scores, overlapping, "all"))


def side_by_side(found: Sequence[RunResult], left_out: Mapping[str, str]) -> list[RunResult]:
    """Return the results of one file with the accuracies of every mapping in each; left_out: why mappings are not.

    The result of predictions that name classes stays as it is.
    """
    if len(found) == 1 and not left_out:
        return list(found)
    table = {
        str(result.method.options["mapping"]): {name: summary.mean for name, summary in result.summary.items()}
        for result in found
    }
    return [
        replace(result, method=replace(result.method, record={**result.method.record, "mappings": table,
                                                              "mappings_left_out": dict(left_out)}))
        for result in found
    ]  # fmt: skip


def no_confidences(result: RunResult) -> str:
    """Return why the scores of predictions say nothing of how sure their maker was; "" where they may.

    Raises:
        DoesNotFit: the account of a result of predictions is none.
    """
    if not is_of_predictions(result):
        return ""
    if result.method.options.get("mapping") != LABELS:
        return "no confidences: answers in words carry none"
    account = parse(Account, result.method.record.get("account"), "record.account")
    if not account.n_unscored:
        return ""
    return f"no confidences: {account.n_unscored:,} of {account.n_predicted:,} predictions are labels without scores"


def account_lines(result: RunResult) -> list[str]:
    """Return the account of a result of predictions in words, and its metrics over the clips of the file alone.

    Raises:
        DoesNotFit: the result is none of predictions.
    """
    account = parse(Account, result.method.record.get("account"), "record.account")
    texts = account.lines()
    if account.n_missing and (alone := result.method.record.get("clips_in_file")):
        figures = ", ".join(f"{name} {100 * alone[name]:.2f} instead of {100 * summary.mean:.2f}"
                            for name, summary in result.summary.items() if name in alone)  # fmt: skip
        n_clips = account.n_expected - account.n_missing
        texts.append(f"over the {n_clips:,} clips of the file alone, as papers count: {figures}")
    return texts
