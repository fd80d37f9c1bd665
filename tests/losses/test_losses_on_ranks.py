"""Losses over several processes, against one process with all their rows."""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from sscl_geo.losses.info_nce import InfoNCELoss
from sscl_geo.losses.nt_xent import NTXentLoss
from sscl_geo.losses.vicreg import VICRegLoss

ROWS, RANKS = 6, 2


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = torch.randn(2, ROWS, 5, generator=generator)
    return 0.5 * draw[0], draw[1]


def on_rank(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=RANKS)
    mine = slice(rank * ROWS // RANKS, (rank + 1) * ROWS // RANKS)
    a, b = (x[mine].clone().requires_grad_() for x in rows())
    weight = torch.ones(len(a))
    found = {}
    for name, loss in (("nt_xent", NTXentLoss()), ("vicreg", VICRegLoss())):
        value = loss(a, b, weight)
        found[name] = value.detach()
        (found[f"{name}_gradient"],) = torch.autograd.grad(value, a)
    queue = InfoNCELoss(5, 16)
    queue.enqueue(b.detach())
    found["queue"] = queue.queue[:ROWS]
    found["pointer"] = queue.pointer
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("ranks")
    mp.start_processes(on_rank, (str(folder),), nprocs=RANKS, start_method="spawn")
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize(("name", "loss"), [("nt_xent", NTXentLoss()), ("vicreg", VICRegLoss())])
def test_ranks_together_have_the_loss_and_gradient_of_all_rows(name: str, loss, found) -> None:
    a, b = (x.requires_grad_() for x in rows())
    expected = loss(a, b, torch.ones(ROWS))
    (gradient,) = torch.autograd.grad(expected, a)
    torch.testing.assert_close(torch.stack([f[name] for f in found]).mean(), expected.detach())
    # Distributed training takes the mean of the ranks' gradients of shared weights.
    shares = torch.cat([f[f"{name}_gradient"] for f in found]) / RANKS
    torch.testing.assert_close(shares, gradient)


def test_every_rank_enqueues_the_keys_of_all(found) -> None:
    keys = torch.nn.functional.normalize(rows()[1], dim=1)
    for each in found:
        torch.testing.assert_close(each["queue"], keys)
        assert int(each["pointer"]) == ROWS
