"""What is run in every round: sections of entries, each a case with the jobs that measure it."""

import dataclasses

from .cases import LAYERS, NETWORKS, QUICK_LAYERS, QUICK_NETWORKS, QUICK_SMALL_NETWORKS, SMALL_NETWORKS

SECTIONS = ("layers", "networks", "small", "bridge", "limits", "startup")

# For `timing.repeat`
LAYER_EFFORT = {"seconds": 1.0, "least": 5, "warm_up": 3}
NETWORK_EFFORT = {"seconds": 5.0, "least": 3, "warm_up": 2}
BRIDGE_TURNS = 5
QUICK_EFFORT = {"seconds": 0.02, "least": 2, "warm_up": 1}
COMPILING_EFFORT = {"seconds": 0.0, "least": 1, "warm_up": 0}

FORMATS = ("channels_last", "contiguous")
WAYS = (("exact", "reversible"), ("exact", "stored"), ("float", "reversible"))
BRIDGE_WAYS = ("exact", "exact, stored", "float", "float, stored", "autograd", "checkpoint", "authors")
DEPTHS = (5, 20, 80)


@dataclasses.dataclass(frozen=True)
class Job:
    """A measurement in a process of its own: the arguments of `processes.run_worker`."""

    module: str
    function: str
    arguments: dict


@dataclasses.dataclass(frozen=True)
class Entry:
    """A case, and the jobs whose results stand side by side.

    Attributes
    ----------
    section : str
    case : dict
        The fields of a `Layer` or `Network`; otherwise what the report wants to know.
    jobs : list of Job
        Run one after the other in every round, in the first one only if `once`.
    compiling : list of Job
        Run before the first round, so that no later process compiles: that would cost it memory and time.
    """

    section: str
    case: dict
    jobs: list
    compiling: list = dataclasses.field(default_factory=list)
    once: bool = False


def plan(sections, threads, quick):
    """The entries of some of the `SECTIONS`."""
    makers = {
        "layers": _layers, "networks": _networks, "small": _small, "bridge": _bridge, "limits": _limits,
        "startup": _startup,
    }  # fmt: skip
    return [entry for section in sections for entry in makers[section](threads, quick)]


def _layers(threads, quick):
    for layer in QUICK_LAYERS if quick else LAYERS:
        common = {"case": dataclasses.asdict(layer), "threads": threads}
        arguments = common | {"effort": QUICK_EFFORT if quick else LAYER_EFFORT}
        jobs = [Job(module, "measure_layer", arguments) for module in ("with_mininet", "with_torch")]
        compiling = [Job("with_mininet", "measure_layer", common | {"effort": COMPILING_EFFORT})]
        yield Entry("layers", common["case"], jobs, compiling)


def _networks(threads, quick):
    return _training("networks", QUICK_NETWORKS if quick else NETWORKS, threads, quick)


def _small(threads, quick):
    return _training("small", QUICK_SMALL_NETWORKS if quick else SMALL_NETWORKS, threads, quick)


def _training(section, networks, threads, quick):
    for network in networks:
        case = dataclasses.asdict(network)
        common = {"case": case, "threads": threads, "effort": QUICK_EFFORT if quick else NETWORK_EFFORT}
        shallow = common | {"case": case | {"depth": 1}, "effort": COMPILING_EFFORT}
        ways = [{"arithmetic": arithmetic, "backprop": backprop} for arithmetic, backprop in WAYS]
        jobs = [
            *(Job("with_mininet", "measure_network", common | way) for way in ways),
            *(
                Job("with_torch", "measure_network", common | {"library": library, "memory_format": memory_format})
                for library in ("torch", "momentumnet")
                for memory_format in FORMATS
            ),
            Job("with_mininet", "measure_exact_share", common),
        ]
        compiling = [Job("with_mininet", "measure_network", shallow | way) for way in ways]
        yield Entry(section, case, jobs, compiling)


def _bridge(threads, quick):
    networks = QUICK_NETWORKS if quick else NETWORKS
    for network in networks:
        arguments = {"case": dataclasses.asdict(network), "threads": threads, "turns": 1 if quick else BRIDGE_TURNS}
        yield Entry("bridge", arguments["case"], [Job("with_bridge", "measure_times", arguments)], once=True)
    for depth in DEPTHS[:1] if quick else DEPTHS:
        common = {"case": dataclasses.asdict(networks[0]) | {"depth": depth, "batch": 16}, "threads": threads}
        jobs = [Job("with_bridge", "measure_memory", common | {"way": way}) for way in BRIDGE_WAYS]
        yield Entry("bridge", common["case"], jobs, once=True)


def _limits(threads, quick):
    case = {"matrix_size": 256, "copy_mib": 16} if quick else {"matrix_size": 2048, "copy_mib": 256}
    common = {"threads": threads, "effort": QUICK_EFFORT if quick else LAYER_EFFORT}
    products = [
        Job("limits", function, common | {"size": case["matrix_size"]})
        for function in ("measure_numpy", "measure_torch")
    ]
    yield Entry("limits", case, [*products, Job("limits", "measure_copy", common | {"mib": case["copy_mib"]})])


def _startup(threads, quick):
    networks = QUICK_NETWORKS if quick else NETWORKS
    common = {"threads": threads, "case": dataclasses.asdict(networks[0]) | {"depth": 2}}
    first_step = Job("startup", "measure_first_step", common)
    imports = Job("startup", "measure_import", {"repetitions": 1 if quick else 5})
    yield Entry("startup", common["case"], [imports, first_step], compiling=[first_step])
    cases = [dataclasses.asdict(network) | {"depth": 1} for network in networks]
    compilation = Job("startup", "measure_compilation", {"threads": threads, "cases": cases})
    yield Entry("startup", {"networks": len(networks)}, [compilation], once=True)
