"""What is said of networks, from results on disk."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from mininet.experiments.accuracy import accuracy, plan, short_stages
from mininet.experiments.accuracy.digits_training import Settings
from mininet.experiments.accuracy.plan import Results
from mininet.experiments.claim import Options

RESNET, SAME, WORSE = plan.rivals(30)[:3]
ACCURACIES = {
    RESNET: (0.98, 0.99, 0.985, 0.98, 0.98), SAME: (0.979, 0.99, 0.985, 0.98, 0.98), WORSE: (0.90, 0.91, 0.9, 0.9),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "accuracy").mkdir()
    for network, accuracies in ACCURACIES.items():
        for seed, value in enumerate(accuracies):
            for depth, rate in itertools.product((10, 30), plan.RATES):
                settings = dataclasses.replace(network, depth=depth, seed=seed, learning_rate=rate)
                score = {"accuracy": value, "loss": rate}
                result = {"settings": dataclasses.asdict(settings), "validation": score, "test": score}
                result |= {"peak_bytes": 2**20, "seconds": 60, "loss": [2.0, 1.0, 0.5, 0.25]}
                result |= {"machine": {"processor": "P", "architecture": f"A{depth}"}, "date": f"2026-01-0{1 + seed}"}
                (tmp_path / "accuracy" / f"{settings.name}.json").write_text(json.dumps(result))
    return tmp_path


def test_pairs_are_of_the_same_seed(folder):
    found = Results(folder / "accuracy")
    assert accuracy.compared(WORSE, found).mean == pytest.approx(-0.08125)  # of the seeds that both have
    assert accuracy.compared(Settings("revnet", 30), found) is None


def test_report(folder):
    report = accuracy.reproduce(Options(folder, train=False))
    assert "**equal**: Momentum, γ = 0.5 (5 seeds). **worse**: Momentum, γ = 0.9 (4 seeds). **not kn" in report.found
    assert [claim.holds for claim in report.claims] == [True, False]
    row = next(line for line in report.text.splitlines() if "γ = 0.5" in line and line.startswith("    30"))
    assert row.endswith("5/10  98.28 ± 0.47  -0.02 (-0.06 to +0.02)    equal   1 MiB        5")
    assert "trainings are unfinished.  All trainings on these data: 42 on P (A10 to LLVM), 42 on P (A" in report.text
    assert "until 2026-01-05." in report.text
    assert [panel.get_title() for panel in report.figures["accuracy"].axes] == ["10 layers", "30 layers"]
    early, final = short_stages.reproduce(Options(folder, train=False)).figures["short_stages"].axes
    assert [line.get_label() for line in final.lines] == ["ResNet", "γ = 0.9", "γ = 1 - 1/k"]
    assert final.lines[0].get_xydata() == pytest.approx(np.array([(10, 1.7), (30, 1.7)]))
    assert early.lines[0].get_ydata() == pytest.approx([0.25, 0.25])
