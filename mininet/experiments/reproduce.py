"""The paper's experiments by name: each runs, prints what it found, and saves its figures."""

from .. import plotting
from . import fine_tuning, image_memory, images, table_one

EXPERIMENTS = {
    "memory": (image_memory,),
    "table_one": (table_one,),
    "images": (images,),
    "fine_tuning": (fine_tuning,),
}
"""The files of each experiment, in the order of the course."""

WITH_DATA = ("images", "fine_tuning")
"""Those that need CIFAR-10 or pretrained weights, and an hour: `all` leaves them out."""


def names(chosen):
    """The experiments that the name `chosen`, or "all", stands for."""
    return [name for name in EXPERIMENTS if name not in WITH_DATA] if chosen == "all" else [chosen]


def run(name, options):
    """Run an experiment, print its `Report`, and save figures and animations in the folder of `options`.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`.
    options : Options

    Returns
    -------
    list of Claim
    """
    claims = []
    for module in EXPERIMENTS[name]:
        report = module.reproduce(options)
        print(report, flush=True)
        claims += report.claims
        for stem, figure in report.figures.items():
            path = options.folder / f"{stem}.png"
            plotting.save(figure, path)
            print(f"saved {path}")
        for stem, animation in report.animations.items():
            path = options.folder / f"{stem}.gif"
            plotting.save_animation(animation, path)
            print(f"saved {path}")
    return claims
