"""A negative sampler: draws texts that an anchor is pushed away from."""

import torch
from zsarbench.errors import NoNegatives


class OtherTexts:
    """Draws uniformly among the texts of other groups: another text, of another source video."""

    when = "corpus"  # once over all texts; "batch" draws for every batch again

    def sample(self, draw):
        """Return (B, K) int64 indices into the pool; `draw` is a zsarbench.interfaces.NegativeDraw."""
        admissible = (draw.anchor_groups[:, None] != draw.pool_groups[None]).all(-1)
        if not admissible.any(1).all():
            raise NoNegatives("an anchor has no text of another group")
        return torch.multinomial(admissible.float(), draw.k, replacement=True, generator=draw.rng)
