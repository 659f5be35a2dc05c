"""`geolabel doctor`: is all well here?"""

from __future__ import annotations

import typer

from geolabel.cli.app import AsJson, Workspace, app
from geolabel.console import bar, out, say, show_json


@app.command()
def doctor(workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Try attacks that must fail, and look at database, rights, room, settings and scenes; changes nothing."""
    from geolabel.doctor import examine
    from geolabel.settings import load_settings

    with bar(quiet=as_json) as progress:
        found = examine(load_settings(workspace=workspace), progress)
    faults = sum(finding.state == "fault" for finding in found)
    if as_json:
        show_json({"faults": faults, "findings": [finding.to_json() for finding in found]})
    else:
        area = ""
        for finding in found:
            if finding.area != area:
                area = finding.area
                out.print(f"[bold]{area}[/]")
            mark = {"ok": "[green]ok   [/]", "note": "[yellow]note [/]", "fault": "[red]fault[/]"}[finding.state]
            out.print(f"  {mark} ", end="")
            say(f"{finding.name}: {finding.detail}")
        say(f"{faults} to be mended." if faults else "All is well.")
    if faults:
        raise typer.Exit(1)
