"""The pool of past pictures that a discriminator is shown beside the present ones, so that it forgets less.

Source: Zhu et al. 2017, section 4, arXiv 1703.10593; Shrivastava et al. 2017, section 2.3, arXiv 1612.07828
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

SHARE = 0.5  # chance that a past picture is shown in a present one's place


class Pool(nn.Module):
    """Generated pictures of earlier steps: buffers, so that checkpoints hold them; there is nothing to learn.

    With several processes each has a pool of its own, and a run that goes on has the first one's in all.
    """

    pictures: Tensor  # float32 (size, 3, h, w)
    count: Tensor  # int64: how many of them there are by now

    def __init__(self, size: int, side: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(size, 3, side, side))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self._count, self._changes = 0, dict[int, Tensor]()

    @torch.no_grad()
    def forward(self, fakes: Tensor, generator: torch.Generator) -> Tensor:
        """Generated pictures (b, 3, h, w) → those to show.

        While the pool isn't full they are shown as they are; then each is, or a past one by chance, whose
        place it takes. Nothing changes until `keep`. As much is drawn whatever the pool holds.
        """
        chances = torch.rand(len(fakes), generator=generator, device=fakes.device).tolist()
        size = len(self.pictures)
        rows = torch.randint(size, (len(fakes),), generator=generator, device=fakes.device).tolist()
        count, changes, shown = int(self.count), dict[int, Tensor](), []
        for fake, chance, row in zip(fakes, chances, rows, strict=True):
            sound = bool(fake.isfinite().all())  # another one would be shown again and again
            if sound and count < size:
                changes[count], count = fake, count + 1
            elif sound and chance < SHARE:
                shown.append(changes.get(row, self.pictures[row]).to(fake.dtype))
                changes[row] = fake
                continue
            shown.append(fake)
        self._count, self._changes = count, changes
        return torch.stack(shown)

    @torch.no_grad()
    def keep(self) -> None:
        """Take in the pictures of the last `forward`."""
        for row, picture in self._changes.items():
            self.pictures[row] = picture
        self.count.fill_(self._count)
        self._changes = {}


class Pools(nn.Module):
    """A pool for each of several discriminators; of size 0 all is shown as it is."""

    def __init__(self, discriminators: int, size: int, side: int) -> None:
        super().__init__()
        self.pools = nn.ModuleList(Pool(size, side) for _ in range(discriminators if size else 0))

    def forward(self, fakes: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
        """The generated pictures of each → those to show it."""
        if not self.pools:
            return [*fakes]
        return [pool(of_one, generator) for pool, of_one in zip(self.pools, fakes, strict=True)]

    def keep(self) -> None:
        """Take in the pictures of the last `forward`."""
        for pool in self.pools:
            cast("Pool", pool).keep()
