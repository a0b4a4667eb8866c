"""What clients that mean no good, or mean well and are many, do to everybody else.

    python3 benches/hostile [--leveret NAME=PROGRAM]... [--directory DIR] [--json FILE] [CASE...]

    --leveret      a program to measure, and what to call it; may be repeated; by default target/release/leveret
    --directory    where the data go meanwhile (not into memory: a sync costs nothing there); by default target/
    --json         write the figures to this file too
    CASE           the cases to play; by default all of them. `python3 benches/hostile --list` says which there are

Each case gets a broker of its own on an empty directory, and beside it a pair that behaves well: a publisher of 300
persistent messages a second with confirms, and a consumer that acknowledges. The figures are what the pair got through
while the attack lasts, in percent of what it got through before; the longest time that one of its messages waited for
its confirm; and the broker's resident memory before, at most, and some seconds after. What else the case is about is
said in words. Cases whose name begins with `quiet-` are no attacks: there only the slowest confirm counts, while much
work is done on another queue.

The programs take turns, case by case, so that they meet the same machine. `strace` is wanted for the case `read-error`,
which is left out without it.
"""

import argparse
import json
import os
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


def main():
    parser = argparse.ArgumentParser(description="What hostile clients do to everybody else.")
    parser.add_argument("--leveret", action="append", metavar="NAME=PROGRAM")
    parser.add_argument("--directory", default=os.path.join(HERE, "..", "..", "target"))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    chosen = parser.parse_args()
    if chosen.list:
        for name, work in CASES.items():
            print(f"{name:<18} {work.__doc__}")
        return
    unknown = [name for name in chosen.cases if name not in CASES]
    if unknown:
        parser.error(f"there is no case '{unknown[0]}'; --list says which there are")
    programs = [one.partition("=")[::2] for one in chosen.leveret or [f"leveret={HERE}/../../target/release/leveret"]]
    for _, program in programs:
        if not os.access(program, os.X_OK):
            parser.error(f"no program at {program}; cargo build --release makes one")
    all_figures = []
    print(f"{'case':<17} {'broker':<8} {'share':>6} {'slowest':>10} {'resident MiB':>16}  what else")
    for name in chosen.cases or CASES:
        for called, program in programs:
            figures = play(name, os.path.abspath(program), chosen.directory)
            all_figures.append({"case": name, "broker": called} | figures)
            memory = f"{figures['idle_mib']}/{figures['most_mib']}/{figures['after_mib']}"
            print(f"{name:<17} {called:<8} {figures['share']:>4} % {figures['slowest_ms']:>7.0f} ms {memory:>16}  "
                  f"{figures['words']}", flush=True)
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(all_figures, file, indent=1)




main()
