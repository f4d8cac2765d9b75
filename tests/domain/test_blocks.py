"""The reorg rule: what to do next, from four facts."""

from __future__ import annotations

import pytest

from tests.factories import make_hash, make_ref
from watcher.domain.blocks import Block, BlockRef, Connect, Disconnect, Hash, Step, Wait, plan_step

TIP = make_ref(5, "a")
CHILD = Block(make_ref(6, "a"))
STRANGER = Block(make_ref(6, "b"))


@pytest.mark.parametrize(
    ("head", "following", "ours", "step"),
    [
        pytest.param(CHILD.ref, CHILD, None, Connect(CHILD), id="the next block builds on ours"),
        pytest.param(make_ref(99), CHILD, None, Connect(CHILD), id="far behind"),
        pytest.param(STRANGER.ref, STRANGER, None, Disconnect(TIP), id="it builds on another"),
        pytest.param(make_ref(99, "b"), STRANGER, None, Disconnect(TIP), id="a long fork"),
        pytest.param(TIP, None, TIP.hash, Wait(), id="nothing new"),
        pytest.param(make_ref(5, "b"), None, TIP.hash, Disconnect(TIP), id="same height, other"),
        pytest.param(make_ref(4, "b"), None, make_ref(4).hash, Disconnect(TIP), id="shorter fork"),
        pytest.param(make_ref(4), None, make_ref(4).hash, Wait(), id="the node lags"),
        pytest.param(make_ref(0), None, None, Wait(), id="it lags below what we keep"),
        pytest.param(make_ref(0, "b"), None, None, Wait(), id="another one there is no evidence"),
        pytest.param(CHILD.ref, None, None, Wait(), id="a head whose block is not there yet"),
        pytest.param(TIP, CHILD, TIP.hash, Connect(CHILD), id="mined between the two answers"),
        pytest.param(
            TIP, STRANGER, TIP.hash, Disconnect(TIP), id="reorganised between the answers"
        ),
        pytest.param(
            make_ref(4, "b"), CHILD, make_ref(4).hash, Connect(CHILD), id="a link beats a head"
        ),
    ],
)
def test_plan_step(head: BlockRef, following: Block | None, ours: Hash | None, step: Step) -> None:
    assert plan_step(TIP, head, following, ours) == step


def test_the_tip_taken_off_is_ours_and_not_the_node_s() -> None:
    step = plan_step(TIP, make_ref(5, "b"), None, TIP.hash)
    assert step != Disconnect(make_ref(5, "b"))


def test_only_the_parent_s_hash_links() -> None:
    # Same height and time as the true child, and a hash of its own: yet another parent.
    orphan = BlockRef(6, CHILD.ref.hash, make_hash("elsewhere"), CHILD.ref.timestamp)
    assert plan_step(TIP, orphan, Block(orphan), None) == Disconnect(TIP)
