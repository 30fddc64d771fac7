"""Which validation was the best, and when there is no point in going on."""

from __future__ import annotations

from benchsuite.training.options import EarlyStoppingOptions
from benchsuite.training.state import TrainingState
from benchsuite.training.validation.validation import Best, Validation


def take(state, value, stopping=None, higher_is_better=True):
    state.step += 1
    best = Best("bbox/AP", higher_is_better)
    return state.take(Validation({"bbox/AP": value}, 3, best), stopping)


def test_the_best_is_kept():
    state = TrainingState()
    assert [take(state, value) for value in (0.1, 0.3, 0.2, 0.3)] == [True, True, False, False]
    assert (state.best, state.best_step) == (0.3, 2)
    assert state.values == {"bbox/AP": 0.3}
    assert state.validated == 4


def test_a_loss_shall_be_low():
    state = TrainingState()
    assert [take(state, value, None, False) for value in (3.0, 2.0, 2.5)] == [True, True, False]
    assert state.best == 2.0


def test_patience():
    state, stopping = TrainingState(), EarlyStoppingOptions(patience=2)
    for value in (0.1, 0.2, 0.15, 0.25, 0.25):
        take(state, value, stopping)
        assert not state.is_hopeless(stopping)
    take(state, 0.2, stopping)
    assert state.is_hopeless(stopping)
    assert not state.is_hopeless(None)


def test_what_is_hardly_better_is_the_best_but_no_reason_to_wait():
    state, stopping = TrainingState(), EarlyStoppingOptions(patience=2, min_delta=0.05)
    assert take(state, 0.5, stopping)
    assert take(state, 0.52, stopping) and take(state, 0.54, stopping)
    assert state.is_hopeless(stopping)
    assert state.best == 0.54
    # All of it together is enough.
    assert take(state, 0.56, stopping)
    assert not state.is_hopeless(stopping)


def test_it_is_carried_over():
    state = TrainingState()
    for value in (0.3, 0.2):
        take(state, value)
    other = TrainingState()
    other.load_state_dict(state.state_dict())
    assert other == state
