"""What `make image` prints and writes around the build."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from components.image.built import DEFAULT_BASE, BuiltImage
from operations import image, image_contents
from operations.workspace import Workspace

console = Console(soft_wrap=True, highlight=False)

#: What site-packages may take. More would slow every start on a platform that pulls the image first.
MOST_PACKAGES = 230 << 20


def build_and_tell(workspace: Workspace, *, base: str | None, push: str | None, builder: str | None) -> BuiltImage:
    """Build, write the lists, load into the container engine, and say what came out. Raises OperationError."""
    built = image.build(workspace, base=base or DEFAULT_BASE, builder=builder, push=push)
    contents = image_contents.read(built.archive)
    found = image_contents.packages(contents)
    folder = built.archive.parent
    image_contents.write_sbom(contents, found, built.digest, built.revision, folder / "sbom.json")
    image_contents.write_licences(found, folder / "licences.csv")
    console.print(_table(contents, found))
    if contents.packages_size > MOST_PACKAGES:
        console.print(
            f"[yellow]the packages take more than {MOST_PACKAGES >> 20} MiB: every cold start pays for it[/yellow]"
        )
    loaded = image.load(built.archive)
    console.print(f"digest   {built.digest}")
    console.print(f"image id {built.id}{'' if loaded else ' (no container engine here: not loaded)'}")
    console.print(f"archive  {built.archive}\nparts    {folder / 'sbom.json'}\nlicences {folder / 'licences.csv'}")
    if push:
        console.print(f"image.ref: {push.rsplit(':', 1)[0] if ':' in push.rsplit('/', 1)[-1] else push}@{built.digest}")
    return built


def _table(contents: image_contents.Contents, found: list[image_contents.Package]) -> Table:
    table = Table("package", "version", "MiB", title="Python packages in the image", show_footer=True)
    table.columns[0].footer = "all"
    table.columns[2].footer = f"{contents.packages_size / (1 << 20):.1f}"
    table.columns[2].justify = "right"
    for name, version, size in image_contents.table(contents, found):
        table.add_row(name, version, f"{size / (1 << 20):.1f}")
    return table
