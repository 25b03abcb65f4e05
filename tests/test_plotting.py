"""Figures in one style, saved whole or not at all."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from mininet import plotting


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1.02e+03 B"), (1024, "1 KiB"), (1536 * 1024, "1.5 MiB"), (3 << 30, "3 GiB")]
)
def test_readable_bytes(count, text):
    assert plotting.readable_bytes(count) == text


def test_methods_look_different():
    looks = [(look["color"], look["linestyle"]) for look in plotting.STYLES.values()]
    assert len(set(looks)) == len(looks)
    assert len({look["label"] for look in plotting.STYLES.values()}) == len(looks)
    assert plotting.style("exact", label="other")["label"] == "other"


def test_figure_leaves_settings_alone_and_saves(tmp_path):
    before = dict(mpl.rcParams)
    with plotting.figure(columns=2) as (made, axes):
        axes[0].plot([1, 10], [1024, 2**20], **plotting.style("stored"))
        plotting.bytes_upwards(axes[0])
    assert dict(mpl.rcParams) == before
    plotting.save(made, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert made.number not in plt.get_fignums()
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
