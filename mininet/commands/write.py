"""``mininet write``: a transformer that has read a novel goes on with a text."""

from .. import datasets, models, seeding
from ..experiments.transformer import text_training
from . import arguments as parse
from .arguments import integer


def add_options(command):
    """Add the options of `run`."""
    command.add_argument("start", nargs="?", default="Call me", help="the text to continue")
    command.add_argument("--count", type=integer(1, 100_000), default=400, help="characters to write")
    command.add_argument("--temperature", type=parse.from_zero(100), default=0.7, help="0 takes the likeliest")
    command.add_argument("--top-k", type=integer(1, 89), default=89, help="draw among so many of the likeliest")
    parse.add_seed(command, "of the draws")


def run(arguments):
    """Let the momentum transformer that ships with mininet, trained on Moby-Dick, continue a text."""
    net, facts = models.pretrained("moby_dick")
    text = datasets.moby_dick()
    how = {"temperature": arguments.temperature, "top_k": arguments.top_k}
    with parse.refusing(), seeding.restored_on_error():
        seeding.manual_seed(arguments.seed)
        print(text_training.sample(net, text, arguments.start or "\n", arguments.count, **how))
    print(f"\n({facts['test_loss']:.3f} nats per character on the part of the novel kept for testing)")
