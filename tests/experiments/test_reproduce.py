"""Every experiment runs in its quick form, prints numbers and claims that hold, and saves its figures."""

import inspect
import re

import pytest
from command_support import refusal
from matplotlib import pyplot
from matplotlib.animation import FuncAnimation

from mininet import models
from mininet.__main__ import main
from mininet.experiments import reproduce
from mininet.experiments.claim import Claim, Report
from mininet.experiments.too_deep.limited import unavailable
from mininet.training import Training

SAVED = {
    "animations": ["crossing_flow.gif", "rings_flow.gif"],
    "rings": ["rings.png", "rings_layers.png"],
    "memory": ["memory.png", "memory_by_depth.png", "image_memory.png"],
    "table_one": [],
    "accuracy": ["accuracy.png", "cifar10.png", "short_stages.png"],
    "too_deep": [] if unavailable() else ["too_deep.png"],
}
"""By experiment; one figure with its name unless it says otherwise."""


@pytest.mark.slow
@pytest.mark.parametrize("name", reproduce.EXPERIMENTS)
def test_quick(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Training, "_write_curves", lambda self: None)  # takes longer than the training
    assert main(["reproduce", name, "--quick", "--quiet", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "DOES NOT HOLD" not in printed
    saved = SAVED.get(name, [f"{name}.png"])
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted([*saved, f"{name}.md"])
    page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert f"\n\n`mininet reproduce {name} --quick`" in page
    assert all(f"]({file})" in page for file in saved)
    for file in saved:
        assert (tmp_path / file).stat().st_size > 10_000
        assert str(tmp_path / file) in printed


def fake(claims):
    figure, axes = pyplot.subplots(figsize=(1, 1))
    (line,) = axes.plot([0, 1])
    animation = FuncAnimation(pyplot.figure(figsize=(1, 1)), lambda frame: (line,), frames=2, blit=False)

    class Experiment:
        """What it is about."""

        @staticmethod
        def reproduce(options):
            assert options.seeds == 7
            return Report("the numbers", claims, {"drawn": figure}, {"moving": animation})

    return (Experiment,)


def test_all_is_every_experiment_without_data_and_claims_are_counted(tmp_path, capsys, monkeypatch):
    figures = pyplot.get_fignums()
    good, bad = Claim("1 is 1", "1", True), Claim("1 is 2", "1", False)
    experiments = {"first": fake([good]), "accuracy": None, "second": fake([good, bad]), "fine_tuning": None}
    monkeypatch.setattr(reproduce, "EXPERIMENTS", experiments)
    monkeypatch.setattr(reproduce, "OPTIONS", {"first": "seeds", "second": "seeds"})
    assert main(["reproduce", "all", "--seeds", "7", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:3] == ["first:", "the numbers", "holds: 1 is 1 (1)"]
    assert "DOES NOT HOLD: 1 is 2 (1)" in printed
    assert printed[-1] == "2 of 3 claims hold"
    files = ["drawn.png", "first.md", "moving.gif", "second.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    title, held, *pictures, about, numbers, made = (tmp_path / "second.md").read_text(encoding="utf-8").split("\n\n")
    assert title == "# second"
    assert re.match(r"`mininet reproduce second --seeds 7`, \d+ s on 20\d\d-", made)
    assert about == "What it is about."
    assert held == "- holds: 1 is 1 (1)\n- DOES NOT HOLD: 1 is 2 (1)"
    assert numbers == "```\nthe numbers\n```"
    assert pictures == ["![drawn](drawn.png)", "![moving](moving.gif)"]
    assert pyplot.get_fignums() == figures


def test_options_are_those_that_experiments_heed():
    for name, modules in reproduce.EXPERIMENTS.items():
        source = "".join(map(inspect.getsource, modules))
        heeded = set(re.findall(r"options\.(data|epochs|seeds|weights|train)\b", source))
        assert heeded == set(reproduce.OPTIONS.get(name, "").split()), name


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("MININET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    given = ["--weights", tmp_path / "resnet32.npz", "--output", tmp_path]
    models.save_pytorch_state_dict(models.resnet32(), tmp_path / "resnet32.npz")
    assert re.match("mininet: CIFAR-10 is not there.*MININET_DATA", refusal(["reproduce", "fine_tuning", *given]))
    assert "weights must be given" in refusal(["reproduce", "fine_tuning", "--output", tmp_path])


@pytest.mark.parametrize("error", [OverflowError("x left the range"), FloatingPointError("layer 3 returned NaN")])
def test_divergence_is_said(error, tmp_path, monkeypatch):
    def reproduce_(options):
        raise error

    experiment = type("Experiment", (), {"__doc__": "What it is about.", "reproduce": staticmethod(reproduce_)})
    monkeypatch.setattr(reproduce, "EXPERIMENTS", {"first": (experiment,)})
    assert f"mininet: first diverged, {error}" in refusal(["reproduce", "all", "--output", tmp_path])
    assert not list(tmp_path.iterdir())
