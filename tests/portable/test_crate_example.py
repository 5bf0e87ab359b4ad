"""The example of the Rust crate's page, line for line. The README quotes the body of the function."""

# isort: off


def test_crate_example():
    from faction import ACCEPTED, LOCAL_PARTICIPATION_COMPLETED, PARTICIPATION_OBSERVED, PROBE, PROBED, READY_OBSERVED, REJECTED
    from faction import Config, Faction

    # A 5-node cluster. We need 4 to agree before proceeding.
    config = Config(
        0,  # our peer id
        (0, 1, 2, 3, 4),  # all peers
        4,  # quorum threshold
    )

    machine = Faction(config)

    # Phase 1: feed participation signals as they arrive from the wire.
    assert machine.process(PARTICIPATION_OBSERVED, 1) & ACCEPTED
    assert machine.process(PARTICIPATION_OBSERVED, 2) & ACCEPTED

    # Duplicate signal? The machine rejects it, tells you why, and tells you
    # what IS valid right now.
    result = machine.process(PARTICIPATION_OBSERVED, 1)
    assert result & REJECTED
    # The caller can use this to steer its protocol loop.
    assert (READY_OBSERVED, 2) in machine.admissible_commands()

    # Probe at any time: read-only, zero side effects.
    assert machine.process(PROBE) == PROBED
    assert list(machine.pinging) == [1, 2]

    # Phase 2: local participation done, now collecting readiness.
    machine.process(LOCAL_PARTICIPATION_COMPLETED)
    machine.process(READY_OBSERVED, 1)
    machine.process(READY_OBSERVED, 2)
    machine.process(READY_OBSERVED, 3)

    # Quorum of 4 reached, for we count too: Bootstrapped. A fifth comes too late.
    result = machine.process(READY_OBSERVED, 4)
    assert result & REJECTED
    assert machine.is_concluded
    # The cluster is live. Hand off to the application.
