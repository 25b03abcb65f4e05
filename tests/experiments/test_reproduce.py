"""Every experiment runs in its quick form, prints numbers and saves a figure."""

import pytest

from mininet.__main__ import main
from mininet.experiments.reproduce import EXPERIMENTS

PRINTED = {
    "memory": "a layer", "images": "standard error", "fine_tuning": "momentum network   test accuracy [%]",
    "table_one": "closed form inverse",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_quick(name, tmp_path, capsys):
    assert main(["reproduce", name, "--quick", "--quiet", "--output", str(tmp_path)]) == 0
    assert PRINTED[name] in capsys.readouterr().out
    assert name == "table_one" or (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("MININET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(SystemExit, match=r"mininet: CIFAR-10 is not there.*MININET_DATA"):
        main(["reproduce", "images", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="mininet: weights must be given"):
        main(["reproduce", "fine_tuning", "--output", str(tmp_path)])
    with pytest.raises(SystemExit):
        main(["reproduce", "everything"])
