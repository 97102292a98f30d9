"""Write the parts of docs/ that follow from the code: state machine, presets, and every field of the resources.

`generate.py` writes them, `generate.py --check` only says which ones are not current (exit status 1).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import presets_page
import yaml
from pydantic.alias_generators import to_camel

from serinus.api import supported
from serinus.rollout import machine

DOCS = Path(__file__).parent
CRDS = DOCS.parent / "crds"
GENERATED = "<!-- Written by `make docs`. -->\n\n"
NOT_YET = "Not supported yet."
REFUSED = {
    "spec": supported._SPEC,
    "spec.rollout": supported._ROLLOUT,
    "spec.rollout.steps[]": supported._STEP,
    "spec.analysis.signals[]": supported._SIGNAL,
    "spec.traffic": ("gateway", "session_affinity"),
}
REFUSED_PATHS = {f"{holder}.{to_camel(name)}" for holder, names in REFUSED.items() for name in names}
UNREAD_KINDS = ("RolloutPolicy", "ClusterRolloutPolicy")
KINDS = ("ModelDeployment", "RolloutPolicy", "ClusterRolloutPolicy", "RolloutReport")


def state_machine() -> str:
    """Return the page of the transition table: its states in words, and the diagram."""
    states = "".join(f"| {state.value} | {first_line(state)} |\n" for state in machine.State)
    return (
        "# The state machine of a rollout\n\n"
        + GENERATED
        + "Drawn from the table in `operator/serinus/rollout/machine.py`, "
        "which is the only place where transitions stand. The states are not part of the interface: what tools may "
        "rely on are the [conditions](conditions.md).\n\n"
        "| state | is |\n|---|---|\n" + states + "\n```mermaid\n" + machine.diagram() + "```\n"
    )


def first_line(state: machine.State) -> str:
    """Return the words under a state in the source; enum members keep no docstring of their own."""
    source = Path(machine.__file__).read_text()
    after = source.split(f'    {state.name} = "{state.value}"\n', 1)[1].lstrip()
    return after.split('"""')[1]


def kind_of(schema: dict[str, Any]) -> str:
    """Return the type of a field as a person would say it."""
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {kind_of(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "map"
    return kind


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk a schema depth first; yield the path and the schema of each field."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, field
        inside = field.get("items", field)
        yield from fields(inside, here + ("[]" if inside is not field else ""))


def row(path: str, field: dict[str, Any]) -> str:
    """Return one line of the table of fields."""
    words = " ".join(str(field.get("description", "")).split()).replace("|", "\\|").removesuffix("Reserved.")
    if any(path == refused or path.startswith((f"{refused}.", f"{refused}[]")) for refused in REFUSED_PATHS):
        words = f"{words} {NOT_YET}".strip()
    default = f" Default `{field['default']}`." if "default" in field and not isinstance(field["default"], dict) else ""
    return f"| `{path}` | {kind_of(field)} | {words}{default} |\n"


def reference() -> str:
    """Return the page with every field of every resource, from the CRDs."""
    page = (
        "# Every field\n\n"
        + GENERATED
        + "From the CRDs, which `kubectl explain` reads too. Defaults shown here are written "
        "into the object; all others, and what is not supported yet, are in [the resource](resource.md).\n"
    )
    crds = {crd["spec"]["names"]["kind"]: crd for crd in map(read, sorted(CRDS.glob("*.yaml")))}
    for kind in KINDS:
        schema = crds[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        page += f"\n## {kind}\n\n" + (f"{NOT_YET}\n\n" if kind in UNREAD_KINDS else "")
        page += "| field | type | is |\n|---|---|---|\n"
        page += "".join(
            row(*each) for part in ("spec", "status") if part in schema for each in fields(schema[part], part)
        )
    return page


def read(path: Path) -> dict[str, Any]:
    """Return the one document of a YAML file."""
    return dict(yaml.safe_load(path.read_text()))


def main() -> int:
    """Write or check the pages; return the exit status."""
    presets = "# Model servers\n\n" + GENERATED + presets_page.page()
    pages = {"state-machine.md": state_machine(), "presets.md": presets, "reference.md": reference()}
    stale = [name for name, text in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]
    if "--check" in sys.argv[1:]:
        print("".join(f"docs/{name} is not current: run `make docs`\n" for name in stale), end="")
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(pages[name])
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
