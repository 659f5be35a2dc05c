"""`geolabel project ...`: make, change and list projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from geolabel.cli.app import AsJson, Workspace, app, open_workspace
from geolabel.console import out, say, show_json, show_project
from geolabel.errors import InvalidInput

_FILES = {".yaml", ".yml", ".json"}

commands = typer.Typer(help="Make, change and list projects.", no_args_is_help=True)
app.add_typer(commands, name="project")


_CLASSES = (
    "'water,forest,...', or a YAML or JSON file with `classes`, and `attributes` and `guidelines` if it has them."
)
_UNLABELLED = "What unlabelled ground means: background or ignore."
_ON_INVALID = "What happens to invalid shapes unless an import says: reject, repair or skip."
_ATTRIBUTES = "A YAML or JSON file with a list of attributes: name, kind, values, minimum, maximum, required, classes."


@commands.command("create")
def project_create(
    name: str,
    scene: Annotated[list[str] | None, typer.Option("--scene", help="Scenes to label; repeat the option.")] = None,
    classes: Annotated[str, typer.Option("--classes", help=_CLASSES)] = "",
    crs: Annotated[
        str,
        typer.Option(
            "--crs",
            help="CRS in which the labels rest: auto (the first scene's), a code such as EPSG:32633, WKT, or pixel.",
        ),
    ] = "auto",
    attributes: Annotated[Path | None, typer.Option("--attributes", help=_ATTRIBUTES)] = None,
    guidelines: Annotated[Path | None, typer.Option("--guidelines", help="A Markdown file: how to label.")] = None,
    unlabelled: Annotated[str | None, typer.Option("--unlabelled", help=_UNLABELLED)] = None,
    on_invalid: Annotated[str | None, typer.Option("--on-invalid", help=_ON_INVALID)] = None,
    require_if_match: Annotated[
        bool, typer.Option("--require-if-match", help="A change must name the version that it changes.")
    ] = False,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Make a project: scenes, label schema, and the CRS in which the labels rest."""
    from geolabel import workflows

    schema = _read_schema(classes, attributes, guidelines)
    with open_workspace(workspace) as store:
        made = workflows.create_project(
            store,
            name,
            scenes=scene or [],
            classes=schema.pop("classes", []),
            crs=crs,
            unlabelled=unlabelled,
            on_invalid=on_invalid,
            require_if_match=require_if_match,
            **schema,
        )
        show_project(made, store.counts(made.id), as_json=as_json)


@commands.command("update")
def project_update(
    project: str,
    title: Annotated[str | None, typer.Option("--title", help="A new title; the name in URLs stays.")] = None,
    classes: Annotated[str, typer.Option("--classes", help=_CLASSES + " The whole list.")] = "",
    attributes: Annotated[Path | None, typer.Option("--attributes", help=_ATTRIBUTES + " The whole list.")] = None,
    guidelines: Annotated[Path | None, typer.Option("--guidelines", help="A Markdown file: how to label.")] = None,
    unlabelled: Annotated[str | None, typer.Option("--unlabelled", help=_UNLABELLED)] = None,
    on_invalid: Annotated[str | None, typer.Option("--on-invalid", help=_ON_INVALID)] = None,
    require_if_match: Annotated[
        bool | None,
        typer.Option(
            "--require-if-match/--no-require-if-match", help="A change must name the version that it changes."
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="What becomes of labels: OLD=NEW for a class (the same NEW for several merges them); or a YAML or JSON file "
            "with classes, attributes, values, fill. Repeat the option.",
        ),
    ] = None,
    workspace: Workspace = ".",
    as_json: AsJson = False,
) -> None:
    """Change a project's title, label schema or settings; what is not given stays.

    Labels that would not fit the new schema are counted, and nothing is changed, unless --map says what becomes of them.
    """
    from geolabel import workflows

    with open_workspace(workspace) as store:
        changed = workflows.update_project(
            store,
            project,
            title=title,
            unlabelled=unlabelled,
            on_invalid=on_invalid,
            require_if_match=require_if_match,
            mapping=_read_mapping(mapping or []),
            **_read_schema(classes, attributes, guidelines),
        )
        show_project(changed, store.counts(changed.id), as_json=as_json)


def _read_schema(classes: str, attributes: Path | None, guidelines: Path | None) -> dict[str, Any]:
    """What was given of `classes`, `attributes` and `guidelines`."""
    schema: dict[str, Any] = {}
    path = Path(classes)
    if path.suffix.lower() in _FILES:
        value = _read_file(path)
        schema = dict(value) if isinstance(value, dict) else {"classes": value}
        unknown = set(schema) - {"classes", "attributes", "guidelines"}
        if unknown or not isinstance(schema.get("guidelines", ""), str):
            raise InvalidInput(
                f"{path} holds a list of classes, or an object with 'classes' and any of 'attributes' and 'guidelines' (a "
                f"text); got {', '.join(sorted(map(str, unknown))) or 'other guidelines'}."
            )
        _check_list(path, "classes", schema.get("classes"), "{name: water, color: '#4478ff'}")
    elif classes:
        schema["classes"] = [name.strip() for name in classes.split(",") if name.strip()]
    if attributes is not None:
        value = _read_file(attributes)
        schema["attributes"] = value.get("attributes") if isinstance(value, dict) else value
    if "attributes" in schema:
        _check_list(attributes or path, "attributes", schema["attributes"], "{name: height, kind: number}")
    if guidelines is not None:
        schema["guidelines"] = _read_text(guidelines)
    return schema


def _check_list(path: Path, what: str, listed: Any, example: str) -> None:
    if not isinstance(listed, list) or not all(isinstance(item, str | dict) for item in listed):
        raise InvalidInput(f"{path} has no list of {what}: expected names or objects such as {example}.")


def _read_mapping(given: list[str]) -> dict[str, Any]:
    """`OLD=NEW` for classes, and files with a whole mapping; put together."""
    mapping: dict[str, Any] = {}
    for item in given:
        old, equals, new = item.partition("=")
        if Path(item).suffix.lower() in _FILES and not (equals and not Path(item).exists()):
            value = _read_file(Path(item))
            if not isinstance(value, dict):
                raise InvalidInput(
                    f"{item} holds no mapping: expected an object with any of classes, attributes, values, fill."
                )
            mapping |= {**value, "classes": {**mapping.get("classes", {}), **(value.get("classes") or {})}}
        elif equals and old.strip() and new.strip():
            mapping["classes"] = {**mapping.get("classes", {}), old.strip(): new.strip()}
        else:
            raise InvalidInput(f"A mapping is OLD=NEW, or a YAML or JSON file; got {item!r}.")
    return mapping


def _read_file(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


@commands.command("list")
def project_list(workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """List the projects."""
    with open_workspace(workspace) as store:
        projects = store.projects()
        counts = {p.id: store.counts(p.id) for p in projects}
    if as_json:
        show_json({"projects": [{**p.to_json(), "counts": counts[p.id]} for p in projects]})
    elif not projects:
        say("No projects yet. Make one with: geolabel project create NAME --scene SCENE --classes water,forest")
    else:
        from geolabel.geo.crs import label

        table = Table("project", "title", "CRS", "scenes", "classes", "labels", box=None, pad_edge=False)
        for p in projects:
            crs = label(p.crs) if p.crs else "-"
            labels = sum(counts[p.id].values())
            table.add_row(p.id, escape(p.title), escape(crs), str(len(p.scenes)), str(len(p.classes)), str(labels))
        out.print(table)


@commands.command("info")
def project_info(project: str, workspace: Workspace = ".", as_json: AsJson = False) -> None:
    """Show one project and its labels by class."""
    with open_workspace(workspace) as store:
        show_project(store.project(project), store.counts(project), as_json=as_json)
