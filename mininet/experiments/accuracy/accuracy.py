"""A network of N layers has N residual functions: conv3x3 - batch norm - ReLU - conv3x3 - batch norm, on 16 channels.

Every network has the same functions.  A RevNet's functions see half of its channels, so it carries 32.  Trainings take
15 epochs, with the learning rate of 0.03, 0.1 and 0.3 that is best on validation images.  Networks of 100 layers take
0.01: at 0.1, the rate of 30 layers, one of two ResNets ended at 70 %.

"Equal" means that the 90 % interval of the mean difference, paired by seed, lies within one point.  Otherwise "worse"
or "better" means that it excludes 0, and "not known" that it does not.  We fixed that margin before any training.  The
interval covers the chance of weights and batches.  It does not cover the choice of the 360 test images, where one image
is 0.28 points.
"""

from collections.abc import Iterable

from matplotlib.figure import Figure

from ..claim import Options, Report
from . import equivalence, plan, result
from .digits_training import Settings
from .equivalence import Difference
from .plan import Results


def in_words(network: Settings) -> str:
    """The network's name for a reader."""
    if network.kind != "momentum":
        return {"resnet": "ResNet", "revnet": "RevNet"}[network.kind]
    start = ", v₀ learned" * network.learned_velocity
    return f"Momentum, γ = {network.gamma:.3g}{start}" + f", f times {network.scale:.2f}" * (network.scale != 1)


def compared(network: Settings, found: Results) -> Difference | None:
    """`network` against the residual network of its depth."""
    return equivalence.compared(found.of(network), found.of(Settings("resnet", network.depth, epochs=network.epochs)))


def table(networks: Iterable[Settings], found: Results) -> str:
    """The comparison of `networks` as a text table."""
    rows = []
    for network in networks:
        by_seed, against = found.of(network), compared(network, found)
        planned = plan.PLAN.get(network, plan.FEW_SEEDS)
        about = (str(network.depth), in_words(network), f"{found.rate(network) or ''}")
        rows.append(result.row(about, list(by_seed.values()), planned, None if network.kind == "resnet" else against))
    return result.table(rows)


def draw(networks: Iterable[Settings], found: Results) -> Figure:
    """Each network's difference from the residual network, a panel for each depth."""
    by_depth: dict[str, list[tuple[str, Difference]]] = {}
    for network in networks:
        against = compared(network, found)
        if network.kind != "resnet" and against is not None:
            by_depth.setdefault(f"{network.depth} layers", []).append((in_words(network), against))
    return equivalence.draw(by_depth, "Test accuracy minus a ResNet's of equal depth (band: the margin)")


def reproduce(options: Options) -> Report:
    """Run the trainings that are missing, and compare."""
    folder = options.folder / "accuracy"
    if options.train:
        plan.run(plan.quick_trainings() if options.quick else plan.trainings(folder), folder, options.progress)
    found = Results(folder)
    networks = plan.QUICK if options.quick else sorted(plan.MAIN + plan.SLOW + plan.DEEP, key=lambda each: each.depth)
    claims, sentence = [], "A quick run says nothing about accuracy."
    if not options.quick:
        networks_of_30 = plan.rivals(30)[1:]
        rivals = [(f"{in_words(each)} ({len(found.of(each))} seeds)", compared(each, found)) for each in networks_of_30]
        verdicts = equivalence.in_words(rivals)
        sentence = f"With 30 layers, against a ResNet's test accuracy on the digits, within one point: {verdicts}."
        claims = equivalence.claims(rivals, "a ResNet of 30 layers")
    return Report(
        f"{table(networks, found)}\n{unfinished(networks, found)}  {found.trained()}",
        claims,
        {"accuracy": draw(networks, found)},
        title="Are momentum networks as accurate as residual networks?",
        found=sentence,
    )


def unfinished(networks: Iterable[Settings], found: Results) -> str:
    """How many trainings with chosen rates are still to be run."""
    missing = sum(plan.PLAN.get(network, plan.FEW_SEEDS) - len(found.of(network)) for network in networks)
    return f"{missing} trainings are unfinished." if missing else "All trainings are finished."
