"""What is particular to each rival, against brute force and against lightly."""

import math

import pytest
import torch
import torch.nn.functional as F

from sscl_geo.tasks.methods import build_task
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap

SMALL = {"encoder": "tu-test_resnet", "in_channels": 2, "projection_dim": 16, "hidden_dim": 32}


@pytest.fixture
def build(quiet):
    def make(method: str, **options: object) -> PairTask:
        return quiet(build_task(method, **SMALL | options)).eval()

    return make


@pytest.fixture
def views(make_batch) -> PairViews:
    batch = make_batch(3, size=96, shift=24.0)
    batch["valid"][1, 0, :40] = False
    for pair, (degrees, zoom) in enumerate([(7.0, 0.9), (-11.0, 1.05), (40.0, 1.3)]):
        # Turned and zoomed, so that no two distances are equal.
        batch["pixel_to_map"][pair, 1] = turned(batch["pixel_to_map"][pair, 1], degrees, zoom)
    return PairViews.from_batch(batch, 2)


def turned(matrix: torch.Tensor, degrees: float, zoom: float) -> torch.Tensor:
    cos, sin = (f(math.radians(degrees)) * zoom for f in (math.cos, math.sin))
    linear = matrix[:, :2] @ torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    return torch.cat([linear, matrix[:, 2:]], dim=1)


def test_views_of_a_pair_are_exchanged() -> None:
    rows = torch.arange(6)
    assert swap(rows).tolist() == [1, 0, 3, 2, 5, 4]


def test_simsiam_is_lightlys_loss_of_both_directions(build, views) -> None:
    from lightly.loss import NegativeCosineSimilarity

    task = build("simsiam")
    got = task.compute_terms(views)["instance"]
    z = task.model["projector"](views.pool(task.encoder(views.image)[-1]))
    p = task.predictor(z)
    loss = NegativeCosineSimilarity()
    expected = (loss(p[::2], z[1::2].detach()) + loss(p[1::2], z[::2].detach())) / 2
    torch.testing.assert_close(got, expected)


def test_moco_asks_the_queue_before_it_is_filled_with_the_targets_views(build, views) -> None:
    task = build("moco", queue_size=32)
    before = task.loss.queue.clone()
    got = task.compute_terms(views)["instance"]
    q = task.model["projector"](views.pool(task.encoder(views.image)[-1]))
    k = swap(task.target["projector"](views.pool(task.target["encoder"](views.image)[-1])))
    q, k = F.normalize(q, dim=1), F.normalize(k, dim=1)
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ before.T], dim=1) / 0.2
    torch.testing.assert_close(got, F.cross_entropy(logits, torch.zeros(6, dtype=torch.long)))
    torch.testing.assert_close(task.loss.queue[:6], k)
    assert torch.equal(task.loss.queue[6:], before[6:])


def test_densecl_matches_each_cell_with_the_most_similar_one_that_has_data(build, views) -> None:
    task = build("densecl", queue_size=32)
    queue = task.dense_loss.queue.clone()
    got = task.compute_terms(views)["dense"]
    f = task.encoder(views.image)[-1].flatten(2)
    q = F.normalize(task.model["dense_projector"](task.encoder(views.image)[-1]).flatten(2), dim=1)
    tf = task.target["encoder"](views.image)[-1]
    k = F.normalize(task.target["dense_projector"](tf).flatten(2), dim=1)
    known = views.cells((3, 3), 0.5).flatten(1)
    losses = []
    for row in range(6):
        other = row ^ 1
        for i in range(9):
            if not known[row, i]:
                continue
            cosine = F.cosine_similarity(f[row, :, i, None], tf[other].flatten(1), dim=0)
            j = int(cosine.masked_fill(~known[other], -1).argmax())
            logits = torch.cat([(q[row, :, i] @ k[other, :, j])[None], queue @ q[row, :, i]]) / 0.2
            losses.append(torch.logsumexp(logits, 0) - logits[0])
    torch.testing.assert_close(got, torch.stack(losses).mean())


def test_pixpro_compares_cells_nearer_than_its_share_of_the_larger_diagonal(build, views) -> None:
    task = build("pixpro", distance=0.6)
    got = task.compute_terms(views)["dense"]
    projected = task.model["dense_projector"](task.encoder(views.image)[-1])
    known = views.cells((3, 3), 0.5)
    online = task.propagation(projected, known).flatten(2)
    target = task.target["dense_projector"](task.target["encoder"](views.image)[-1]).flatten(2)
    known = known.flatten(1)
    centers = torch.tensor([[32 * c + 16, 32 * r + 16] for r in range(3) for c in range(3)])
    matrices = views.pixel_to_map.flatten(0, 1)
    ground = [centers.double() @ m[:, :2].T + m[:, 2] for m in matrices]
    diagonal = [32 * 2**0.5 * abs(float(torch.linalg.det(m[:, :2]))) ** 0.5 for m in matrices]
    losses = []
    for row in range(6):
        other, cosines = row ^ 1, []
        limit = 0.6 * max(diagonal[row], diagonal[other])
        for i in range(9):
            for j in range(9):
                near = float((ground[row][i] - ground[other][j]).norm()) < limit
                if near and known[row, i] and known[other, j]:
                    a, b = online[row, :, i], target[other, :, j]
                    cosines.append(F.cosine_similarity(a, b, dim=0))
        if cosines:
            losses.append(-torch.stack(cosines).mean())
    torch.testing.assert_close(got, torch.stack(losses).mean())


def test_vicregl_takes_the_best_matches_by_place_and_by_features(build, views) -> None:
    task = build("vicregl", matches=4)
    got = task.compute_terms(views)["dense"]
    features = task.encoder(views.image)[-1]
    rows = features.flatten(2).mT
    z = task.model["dense_projector"](rows.reshape(-1, rows.shape[2])).reshape(6, 9, -1)
    known = views.cells((3, 3), 0.5).flatten(1)
    centers = torch.tensor([[32 * c + 16, 32 * r + 16] for r in range(3) for c in range(3)])
    matrices = views.pixel_to_map.flatten(0, 1)
    ground = [centers.double() @ m[:, :2].T + m[:, 2] for m in matrices]
    cell = [32 * abs(float(torch.linalg.det(m[:, :2]))) ** 0.5 for m in matrices]
    total = 0.0
    for by_place in (True, False):
        own, others = [], []
        for row in range(6):
            other, found = row ^ 1, []
            for i in range(9):
                if by_place:
                    distances = (ground[row][i] - ground[other]).norm(dim=1) / cell[other]
                    distances[distances > 0.5**0.5] = torch.inf
                else:
                    distances = (z[row, i] - z[other]).norm(dim=1).double()
                distances = distances.masked_fill(~(known[other] & known[row, i]), torch.inf)
                j = int(distances.argmin())
                found.append((float(distances[j]), i, j))
            for distance, i, j in sorted(found)[:4]:
                if math.isfinite(distance):
                    own.append(z[row, i])
                    others.append(z[other, j])
        total += task.dense_loss(torch.stack(own), torch.stack(others), torch.ones(len(own)))
    torch.testing.assert_close(got, total, rtol=1e-4, atol=1e-4)


def test_byol_and_consistency_are_the_branches_of_sscl(build, views) -> None:
    whole = build("sscl")
    terms = whole.compute_terms(views)
    for method, names in (("byol", {"instance"}), ("consistency", {"spatial", "semantic"})):
        part = build(method)
        part.load_state_dict(whole.state_dict(), strict=False)
        found = part.compute_terms(views)
        assert found.keys() == names
        for name in names:
            torch.testing.assert_close(found[name], terms[name])
