import numpy as np

from mininet import datasets


def test_the_novel_is_whole_and_in_order():
    text = datasets.moby_dick()
    whole = np.concatenate(text[:3])
    assert len(whole) == 1213010
    assert len(text.characters) == 89 == whole.max() + 1
    assert "Call me Ishmael. Some years ago" in text.decode(text.train)
    assert text.decode(text.test).endswith("only found another orphan.\n")
    assert np.array_equal(text.encode(text.decode(text.validation)), text.validation)


def test_windows_cover_the_text_once_and_each_epoch_differs_by_seed():
    batches = datasets.TextBatches(np.arange(101), 10, 3, seed=1)
    epochs = [[window for windows, _ in batches.of_epoch(epoch) for window in windows] for epoch in (0, 1, 0)]
    assert np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(np.sort(epochs[0], axis=0), np.sort(epochs[1], axis=0))  # another beginning
    places = np.sort(np.concatenate(epochs[0]))
    assert np.array_equal(places, np.arange(places[0], places[0] + 90))
    for windows, following in batches:
        assert np.array_equal(following, windows + 1)
    assert [len(windows) for windows, _ in batches.of_epoch(0, 2)] == [3]
