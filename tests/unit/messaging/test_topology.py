"""A topology is read strictly, and its faults are named by their key path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from messaging.errors import TopologyInvalid
from messaging.rabbit_declare import arguments
from messaging.topology import Topology

SHIPPED = Path(__file__).parents[3] / "queue" / "topology.yaml"


@pytest.fixture
def data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return loaded


def test_the_shipped_topology_is_sound(data: dict[str, Any]) -> None:
    """The shipped file reads without a fault and holds the channels that the hub relies on."""
    topology = Topology.from_mapping(data)

    assert {queue.name for queue in topology.queues} >= {"caf.work", "caf.parked", "caf.dead"}
    assert topology.routes("caf.work") == {"caf.work"}
    assert topology.for_partner("northshire") == "caf.out.northshire"


def test_every_queue_refuses_and_never_drops(data: dict[str, Any]) -> None:
    """All queues are quorum queues, bounded, explicit, and lose nothing when full or failing."""
    topology = Topology.from_mapping(data)

    for queue in topology.queues:
        given = arguments(queue, topology)
        assert given["x-queue-type"] == "quorum"
        assert given["x-overflow"] == "reject-publish"
        assert given["x-max-length-bytes"] > 0
        assert given["x-delivery-limit"] >= 20
    work = topology.queue("caf.work")
    assert work is not None
    assert arguments(work, topology) == {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-max-length-bytes": 268435456,
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "caf.dead-letter",
        "x-dead-letter-routing-key": "caf.dead",
        "x-dead-letter-strategy": "at-least-once",
    }


Spoil = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda d: d.update(colour="red"), "colour: is not known"),
        (lambda d: d.update(version=2), "version: must be 1"),
        (lambda d: d.pop("publish_to"), "publish_to: must be a name"),
        (lambda d: d.update(publish_to="x"), "publish_to: is not one of the exchanges"),
        (
            lambda d: d["exchanges"]["caf"].update(type="headers"),
            "exchanges.caf.type: must be one of",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(prio=1),
            "queues.caf.work.prio: is not known",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(max_length_bytes="1"),
            "queues.caf.work.max_length_bytes: must be a whole number",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(max_length_bytes=True),
            "queues.caf.work.max_length_bytes: must be a whole number",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(message_ttl=0),
            "queues.caf.work.message_ttl: must be seconds above 0",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(dead_letter="nowhere"),
            "queues.caf.work.dead_letter: is not bound",
        ),
        (
            lambda d: d["queues"]["caf.work"].pop("dead_letter"),
            "queues.caf.work.delivery_limit: needs dead_letter",
        ),
        (
            lambda d: d["queues"]["caf.parked"].update(message_ttl=5),
            "queues.caf.parked.message_ttl: needs dead_letter",
        ),
        (
            lambda d: d["queues"]["caf.work"].update(express="nowhere"),
            "queues.caf.work.express: is not bound",
        ),
        (
            lambda d: d["queues"].update({"caf.lonely": {"max_length_bytes": 1}}),
            "queues.caf.lonely: has no binding",
        ),
        (lambda d: d["bindings"][0].pop("queue"), "bindings[0].queue: must be a name"),
        (lambda d: d["bindings"][1].update(queue="q"), "bindings[1].queue: is not one of the"),
        (lambda d: d["bindings"][1].update(exchange="x"), "bindings[1].exchange: is not one of"),
        (lambda d: d.update(bindings={}), "bindings: must be a list"),
        (lambda d: d.update(queues=[]), "queues: must be a mapping"),
        (
            lambda d: d["partner_queues"].update(pattern="caf.out"),
            "partner_queues.pattern: must hold <partner>",
        ),
    ],
)
def test_a_fault_is_named_by_its_key_path(data: dict[str, Any], spoil: Spoil, fault: str) -> None:
    """Whatever is wrong with a topology, the error names the key where it is wrong."""
    spoil(data)

    with pytest.raises(TopologyInvalid) as refused:
        Topology.from_mapping(data)

    assert any(each.startswith(fault) for each in refused.value.faults), refused.value.faults


def test_all_faults_are_told_at_once(data: dict[str, Any]) -> None:
    """Several faults come in one error, so that a file is mended once."""
    data["colour"] = "red"
    data["queues"]["caf.work"]["prio"] = 1
    data["version"] = "one"

    with pytest.raises(TopologyInvalid) as refused:
        Topology.from_mapping(data)

    assert len(refused.value.faults) == 3


def test_a_partner_queue_takes_the_pattern_and_its_limits(data: dict[str, Any]) -> None:
    """A partner's queue is bound by its name, and has the pattern's limits unless told others."""
    topology = Topology.from_mapping(data)

    more = topology.with_queue("caf.out.north", max_length_bytes=5, message_ttl=None)
    again = more.with_queue("caf.out.north", max_length_bytes=5, message_ttl=None)

    queue = more.queue("caf.out.north")
    assert queue is not None
    assert (queue.max_length_bytes, queue.message_ttl) == (5, 1209600)
    assert more.routes("caf.out.north") == {"caf.out.north"}
    assert again == more


@pytest.mark.parametrize("name", ["caf.work", "caf.out.", "other", "caf.out." + "x" * 250])
def test_other_names_are_no_partner_queues(data: dict[str, Any], name: str) -> None:
    """A name outside the pattern is refused: a partner cannot be given the work queue."""
    topology = Topology.from_mapping(data)

    with pytest.raises(ValueError, match="not of the pattern"):
        topology.with_queue(name, max_length_bytes=None, message_ttl=None)
