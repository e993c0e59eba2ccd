from azext_iotjobs.simulator.rng import Rng


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    first, again, other = (Rng(seed) for seed in ("7/pump-1", "7/pump-1", "7/pump-2"))
    throws = [first.random() for _ in range(100)]
    assert [again.random() for _ in range(100)] == throws
    assert [other.random() for _ in range(100)] != throws
    assert throws[:2] == [0.9835651063448647, 0.16593899646080368]


def test_numbers_are_spread_evenly() -> None:
    throws = [Rng(f"1/{number}").random() for number in range(10_000)]
    assert all(0 <= each < 1 for each in throws)
    for tenth in range(10):
        assert 850 < sum(tenth / 10 <= each < (tenth + 1) / 10 for each in throws) < 1150
