"""What clients that mean no good, or mean well and are many, do to everybody else.

    python3 benches/hostile [--leveret NAME=PROGRAM]... [--rounds N] [--directory DIR] [--json FILE] [CASE...]

    --leveret      a program to measure, and what to call it; may be repeated; by default target/release/leveret
    --rounds       how often each case is played with each program; the figures are the medians; by default 1
    --directory    where the data go meanwhile (not into memory: a sync costs nothing there); by default target/
    --json         write the figures to this file too
    CASE           the cases to play; by default all of them. `python3 benches/hostile --list` says which there are

Each case gets a broker of its own on an empty directory, and beside it a pair that behaves well: a publisher of 300
persistent messages a second with confirms, and a consumer that acknowledges. The figures are what the pair got through
while the attack lasts, in percent of what it got through before; the longest time that one of its messages waited for
its confirm; and the broker's resident memory before, at most, and some seconds after. What else the case is about is
said in words. Cases whose name begins with `quiet-` are no attacks: there only the slowest confirm counts, while much
work is done on another queue.

The programs take turns, round by round, so that they meet the same machine; at the end their medians stand side by side.
`strace` is wanted for the case `read-error` and libfaketime for the case `clock`, which are left out without them.
"""

import argparse
import json
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True

import attacks
import quiet
from amqp import Refused
from stage import Stage

HERE = os.path.dirname(os.path.abspath(__file__))


CASES = {
    name.removeprefix("case_").replace("_", "-"): work
    for module in (attacks, quiet)
    for name, work in vars(module).items()
    if name.startswith("case_")
}


def play(name, program, directory):
    work = CASES[name]
    stage = Stage(program, directory, getattr(work, "settings", ""), **getattr(work, "more", {}))
    try:
        try:
            work(stage)
        except (OSError, EOFError, Refused, RuntimeError) as error:
            stage.say(f"BROKEN OFF: {type(error).__name__}: {error}")
            stage.began = stage.began or time.time() - 1
        return stage.figures()
    finally:
        stage.end()


FIGURES = ("share", "slowest_ms", "idle_mib", "most_mib", "after_mib")


def medians(rounds):
    """The median of each figure, and all that was said, each once."""
    said = list(dict.fromkeys(one["words"] for one in rounds if one["words"]))
    return {name: statistics.median(one[name] for one in rounds) for name in FIGURES} | {"words": " | ".join(said)}


def row(name, called, figures):
    memory = "/".join(f"{figures[one]:.0f}" for one in ("idle_mib", "most_mib", "after_mib"))
    return (f"{name:<17} {called:<8} {figures['share']:>4.0f} % {figures['slowest_ms']:>7.0f} ms {memory:>16}  "
            f"{figures['words']}")


def side_by_side(found, names):
    """A line for each case, the programs beside each other."""
    print("\nmedians: share of the pair, slowest confirm, most resident memory")
    print(f"{'case':<17}" + "".join(f" {name:>28}" for name in names))
    for case in dict.fromkeys(case for case, _ in found):
        line = f"{case:<17}"
        for name in names:
            one = found[case, name]
            text = f"{one['share']:.0f} % {one['slowest_ms']:.0f} ms {one['most_mib']:.0f} MiB"
            line += f" {text:>28}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description="What hostile clients do to everybody else.")
    parser.add_argument("--leveret", action="append", metavar="NAME=PROGRAM")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--directory", default=os.path.join(HERE, "..", "..", "target"))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    chosen = parser.parse_args()
    if chosen.list:
        for name, work in CASES.items():
            print(f"{name:<18} {work.__doc__}")
        return
    if chosen.rounds < 1:
        parser.error("at least one round is played")
    unknown = [name for name in chosen.cases if name not in CASES]
    if unknown:
        parser.error(f"there is no case '{unknown[0]}'; --list says which there are")
    programs = [one.partition("=")[::2] for one in chosen.leveret or [f"leveret={HERE}/../../target/release/leveret"]]
    for _, program in programs:
        if not os.access(program, os.X_OK):
            parser.error(f"no program at {program}; cargo build --release makes one")
    all_figures, found = [], {}
    print(f"{'case':<17} {'broker':<8} {'share':>6} {'slowest':>10} {'resident MiB':>16}  what else")
    for name in chosen.cases or CASES:
        played = {called: [] for called, _ in programs}
        for number in range(1, chosen.rounds + 1):
            for called, program in programs:
                figures = play(name, os.path.abspath(program), chosen.directory)
                played[called].append(figures)
                all_figures.append({"case": name, "broker": called, "round": number} | figures)
        for called, rounds in played.items():
            found[name, called] = medians(rounds)
            print(row(name, called, found[name, called]), flush=True)
    if len(programs) > 1:
        side_by_side(found, [called for called, _ in programs])
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(all_figures, file, indent=1)


main()
