"""What the command line prints: sentences, tables, JSON, errors, a progress bar."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from geolabel.errors import Conflicts, GeolabelError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from geolabel.model import Project, Scene

out = Console()
err = Console(stderr=True)


def show_error(error: GeolabelError) -> None:
    """The sentence of an error, and the first problems that it lists, on stderr."""
    err.print("[bold red]Error:[/] ", end="")
    err.print(str(error), markup=False, highlight=False, soft_wrap=True)
    problems = error.problems if isinstance(error, InvalidInput | Conflicts) else ()
    for problem in problems[:10]:
        err.print(f"  {problem.pointer}: {problem.message}", markup=False, highlight=False, soft_wrap=True)
    if len(problems) > 10:
        err.print(f"  ... and {len(problems) - 10} more")


@contextmanager
def bar(*, quiet: bool = False) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on stderr; silent when asked, or when stderr is not a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda share, message: shown.update(task, completed=share, description=message)


def show_json(value: Any) -> None:
    """One JSON object on stdout, and nothing else."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def say(sentence: str) -> None:
    """A line of text as it is: names of users may look like markup."""
    out.print(sentence, markup=False, highlight=False, soft_wrap=True)


def show_scene(scene: Scene) -> None:
    """A scene, with what is odd about it."""
    from geolabel.geo.crs import label

    grid = scene.grid
    out.print(f"[bold]{scene.id}[/]  ", end="")
    say(scene.href)
    dtypes = ", ".join(sorted({b.dtype for b in scene.bands}))
    rows = [
        ("size", f"{grid.width} x {grid.height} px, {len(scene.bands)} bands, {dtypes}"),
        ("CRS", label(grid.crs) if grid.crs else "none"),
        ("pixel", f"{scene.resolution:.4g} m" if scene.resolution else "unknown"),
        ("lon/lat", ", ".join(f"{v:.6f}" for v in scene.bounds) if scene.bounds else "none"),
        ("date", scene.datetime or "unknown"),
    ]
    for name, value in rows:
        say(f"  {name:8} {value}")
    for warning in scene.warnings:
        out.print("  [yellow]note[/]     ", end="")
        say(warning)


def show_project(project: Project, counts: Mapping[str, int], *, as_json: bool) -> None:
    """A project and its labels by class."""
    from geolabel.geo.crs import label

    if as_json:
        show_json({**project.to_json(), "counts": dict(counts)})
        return
    out.print(f"[bold]{project.id}[/]  ", end="")
    say(project.title)
    say(f"  CRS     {label(project.crs) if project.crs else 'none (pixel project)'}")
    say(f"  scenes  {', '.join(project.scenes) or 'none'}")
    for c in project.classes:
        out.print(f"  [{c.color}]■[/] ", end="")
        say(f"{c.name:24} {counts.get(c.name, 0):8}")
    for a in project.attributes:
        of = f", for {', '.join(a.classes)}" if a.classes else ""
        say(f"  · {a.name:24} {a.expected()}{', required' if a.required else ''}{of}")
