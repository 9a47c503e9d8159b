"""A batch and what the network made of it → the five quantities that training lowers."""

from __future__ import annotations

import math

import torch
from nano.architecture import Network, Reading
from nano.lessons import Batch, Stage
from torch import Tensor, nn
from torch.nn import functional

LOCAL_HEADS = 2  # first-layer heads that learn to look one and two tokens back


class Judge(nn.Module):
    """Two thrown-away readings of the stream: is the text damaged here, is a candidate good?

    The second is read a layer above the first, so that it can build on it; and the last layer,
    which names labels, can build on the second.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.damaged = nn.Linear(width, 1)
        self.good = nn.Linear(width, 1)
        for read in (self.damaged, self.good):
            nn.init.zeros_(read.weight)

    def wrong(self, checked: Tensor) -> Tensor:
        read: Tensor = self.damaged(functional.rms_norm(checked.float(), checked.shape[-1:]))
        return read[:, 0]

    def verdict(self, judged: Tensor) -> Tensor:
        read: Tensor = self.good(functional.rms_norm(judged.float(), judged.shape[-1:]))
        return read[:, 0]


def losses(model: Network, judge: Judge, batch: Batch, stage: Stage) -> dict[str, Tensor]:
    """Weighted terms; their sum is the loss."""
    with torch.autocast("cpu", torch.bfloat16):
        reading = model(batch.ids, batch.positions)
    checked, judged, final = (
        stream.flatten(0, 1) for stream in (reading.checked, reading.judged, reading.final)
    )
    terms = {
        "wrong": binary(judge.wrong(checked[batch.wrong_at]), batch.wrong),
        "verdict": binary(judge.verdict(judged[batch.verdict_at]), batch.verdict),
        "language": stage.language * 0.25 * language(model, final, batch),
        "local": stage.guide * 0.4 * local_look(reading),
    }
    if len(batch.answer_at):
        terms["answer"] = answer(model, final, batch)
        terms["look"] = stage.guide * 0.5 * answer_look(reading, batch)
    return terms


def binary(scores: Tensor, truth: Tensor) -> Tensor:
    if not len(truth):
        return scores.sum()
    return functional.binary_cross_entropy_with_logits(scores, truth)


def language(model: Network, final: Tensor, batch: Batch) -> Tensor:
    if not len(batch.fluent_at):
        return final.sum() * 0.0
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.logits(final[batch.fluent_at])
    return functional.cross_entropy(logits.float(), batch.next_ids)


def answer(model: Network, final: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy to the even spread over the labels that are still right."""
    certain = functional.log_softmax(model.logits(final[batch.answer_at].float()), dim=-1)
    which, token, share = batch.answer.unbind(dim=1)
    return -(share.float() * certain[which.long(), token.long()]).sum() / len(batch.answer_at)


def answer_look(reading: Reading, batch: Batch) -> Tensor:
    """The first head of the last layer shall look at the closing labels that may be named."""
    query, key = (part[:, 0].float() for part in reading.last)
    _, time, width = query.shape
    row, at = batch.answer_at // time, batch.answer_at % time
    scores = torch.einsum("ad,atd->at", query[row, at], key[row]) / math.sqrt(width)
    scores = scores.masked_fill(torch.arange(time)[None] > at[:, None], -torch.inf)
    certain = functional.log_softmax(scores, dim=-1)
    which, target = batch.looks.unbind(dim=1)
    each = torch.bincount(which, minlength=len(at)).clamp(min=1)
    return -(certain[which, target % time] / each[which]).sum() / len(at)


def local_look(reading: Reading, sample: int = 48) -> Tensor:
    """Heads of the first layer shall look one and two tokens back."""
    query, key = (part[:, :LOCAL_HEADS].float() for part in reading.first)
    rows, heads, time, width = query.shape
    at = torch.randint(LOCAL_HEADS, time, (rows, min(sample, 2048 // rows + 1)))
    chosen = query.gather(2, at[:, None, :, None].expand(-1, heads, -1, width))
    scores = chosen @ key.transpose(2, 3) / math.sqrt(width)
    scores = scores.masked_fill(torch.arange(time) > at[:, None, :, None], -torch.inf)
    back = torch.arange(1, heads + 1)[None, :, None]
    certain = functional.log_softmax(scores, dim=-1)
    return -certain.gather(3, (at[:, None] - back)[..., None]).mean()
