"""`localsel compare`: data and several selectors, or finished runs → how they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

import click

from localsel.cli.options import (
    Sectioned,
    home,
    settings_from,
    settings_options,
    typed,
    typed_names,
)
from localsel.cli.output import json_text, print_json, say
from localsel.errors import UsageError
from localsel.events import Event
from localsel.settings import flag_of

if TYPE_CHECKING:
    from localsel.pipeline.contest import Contest
    from localsel.settings import Settings

FAILED = 4
RUN = re.compile("[0-9a-f]{1,8}|last")
DRAWN = "Draws of each baseline; of random 3 at least. [default: 3]"
OWN = ("model", "orders", "out")
CONTEST = ("model", "baseline", "queries", "seeds")

EPILOG = """\b
Examples:
  localsel compare data.jsonl --budget 300 --model gemma.gguf --model llama.gguf --out cmp
  localsel compare data.jsonl --budget 300 --queries 100 --model a.gguf --model b.gguf
  localsel compare data.jsonl --budget 300 --model a.gguf --baseline length --baseline kmeans
  localsel compare 1a2b3c4d 5e6f7a8b

All selectors answer the same queries in the same orders. RUN is an id or the beginning of one;
runs that were compared before, or carried here by `localsel runs import`, are not asked again.
Give the same command again after an interruption: it goes on where it stopped. How to read the
figures: docs/comparing.md.
"""


@click.command("compare", cls=Sectioned, epilog=EPILOG)
@click.argument("what", metavar="DATA | RUN RUN…", nargs=-1, required=True)
@click.option("--model", multiple=True, metavar="PATH", help="A selector; give several.")
@click.option(
    "--baseline",
    multiple=True,
    metavar="METHOD",
    help="A method beside random; several. See `localsel methods`.",
)
@click.option(
    "--human", type=click.Path(path_type=Path), help="A file that names the rows a person chose."
)
@click.option(
    "--queries",
    type=click.IntRange(1),
    metavar="N",
    help="Ask only a seeded sample of about so many.",
)
@click.option("--seeds", type=click.IntRange(1), metavar="N", help=DRAWN)
@click.option("--orders", metavar="N", help="Ask each query in this many orders. [default: 2]")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A folder for the report: HTML, Markdown, JSON."
)
@settings_options(*OWN)
@click.option("--dry-run", is_flag=True, help="Only say what would be asked, and for how long.")
@click.option("--detach", is_flag=True, help="Go on without this terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    what: tuple[str, ...],
    out: Path | None,
    human: Path | None,
    dry_run: bool,
    detach: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Compare selectors and baselines on identical queries, or finished runs of one plan."""
    if dry_run and detach:
        raise UsageError("--dry-run and --detach do not go together.", "Give one of them.")
    if len(what) > 1 and (dry_run or detach):
        raise UsageError("Finished runs are asked nothing: leave --dry-run and --detach away.")
    if human and not human.is_file():
        raise UsageError(f"--human: there is no file {human}.", "Check the path.")
    if len(what) > 1 and Path(what[0]).is_file():
        raise UsageError(
            f"A comparison reads one data file: what is {what[1]}?",
            "Put --model before every selector.",
        )
    if len(what) > 1:
        tell(lambda: of_runs(what, human, flags), flags["display"], out, as_json)
        return
    if not Path(what[0]).exists() and RUN.fullmatch(what[0]):
        raise UsageError("One run alone cannot be compared.", "Name two, or see `localsel report`.")
    settings, contest = contest_of(what[0], human, out, flags)
    if dry_run:
        rehearse(settings, contest, as_json)
    elif detach:
        go_on_alone(what[0], {**flags, "human": human, "out": out}, settings.home, as_json)
    else:
        tell(lambda: of_data(settings, contest), settings.display, out, as_json)


def tell(
    comparing: Callable[[], dict[str, Any]], display: str | None, out: Path | None, as_json: bool
) -> None:
    """Compares, and says what came of it: on stdout, and in a folder."""
    from localsel.cli.comparing import check_folder, print_comparison, write_report

    if as_json and display == "json":
        raise UsageError("--json and --display json both write to stdout.", "Give one of them.")
    if out:
        check_folder(out)
    found = comparing()
    if out:
        write_report(found, out)
    if as_json:
        print_json(found)
    elif display != "json":
        print_comparison(found)
    if out:
        say(f"The whole of it: {out / 'report.html'}; also report.md and comparison.json.")
    if found["failed"] or any(each.get("state") == "over-limit" for each in found["selectors"]):
        raise click.exceptions.Exit(FAILED)


def of_runs(names: tuple[str, ...], human: Path | None, flags: dict[str, Any]) -> dict[str, Any]:
    """Finished runs, asked nothing."""
    from localsel.comparison import compare_runs, entries_of
    from localsel.pipeline.naming import rows_in
    from localsel.store import Store

    given = {name for name, value in flags.items() if value not in (None, (), False)}
    if odd := sorted(given - {"workspace", "display"}):
        raise UsageError(
            "Finished runs are compared as they are.",
            f"Leave {flag_of(odd[0])} away, or name one data file.",
        )
    with closing(Store(home(flags["workspace"]))) as store:
        entries = entries_of(store, names)
        people = {"human": rows_in(human, store, store.run(entries[0].run))} if human else {}
        found = compare_runs(store, entries, people)
    if flags["display"] == "json":
        print(json_text(Event("done", "export", details={"comparison": found}).as_json()))
    return found


def of_data(settings: Settings, contest: Contest) -> dict[str, Any]:
    """Everybody is asked, one after the other, each in a process of its own."""
    from localsel.cli.comparing import show
    from localsel.pipeline.comparing import run_all

    with closing(run_all(settings, contest)) as events:
        return show(events, settings.display)


def contest_of(
    data: str, human: Path | None, out: Path | None, flags: Mapping[str, Any]
) -> tuple[Settings, Contest]:
    """The settings that all share, and who takes part."""
    from localsel.pipeline.comparing import ORDERS
    from localsel.pipeline.contest import Contest, fitting_all

    line = typed({**flags, "human": human, "out": out})
    shared = {name: value for name, value in flags.items() if name not in CONTEST}
    settings = settings_from(Path(data), shared.pop("config"), shared, {"orders": ORDERS})
    models = flags["model"] or ((settings.model,) if settings.model else ())
    own = (flags["baseline"], flags["queries"], flags["seeds"], human)
    command = join(["localsel", "compare", str(settings.data.resolve()), *line])
    contest = Contest(models, *own, command=command)
    return fitting_all(settings, contest, typed_names(shared)), contest


def go_on_alone(data: str, flags: dict[str, Any], folder: Path, as_json: bool) -> None:
    """Starts the comparison in the background; returns once its data is being read."""
    from localsel.detached import launch

    line = typed({**flags, "display": "json"})
    launch(["compare", *line, "--", data], folder, ("stage",))
    if as_json:
        print_json({"state": "running"})
    say("The comparison goes on in the background, whatever happens to this terminal.")
    say("Once its first run is in `localsel runs`, `attach` follows that and `stop` ends it all.")
    say("The same command without --detach shows it once it has ended.")


def rehearse(settings: Settings, contest: Contest, as_json: bool) -> None:
    """Prints for every selector what it would be asked, and for how long."""
    from localsel.cli.comparing import show
    from localsel.cli.estimate import print_estimate
    from localsel.pipeline.comparing import rehearse_all

    with closing(rehearse_all(settings, contest)) as events:
        plans = show(events, settings.display, "plans")
    if as_json:
        print_json(plans)
    elif settings.display != "json":
        for name, plan in plans.items():
            print_estimate(plan, name)
