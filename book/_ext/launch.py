"""Lead the buttons of a notebook's page to the one for students, and publish no notebook that holds solutions."""

import json
import shutil
from pathlib import Path

STUDENT = Path("book", "teach", "student")  # where the notebooks are stored
LAB = "lab/student"  # where .binder/postBuild lays them out, to be worked in
PUBLISHED = "notebooks"  # where the site has them


def notebook(app, page):
    """Return the student's notebook of a page, or nothing where it has none."""
    path = Path(app.srcdir, STUDENT, f"{Path(page).name}.ipynb")
    is_notebook = page in app.env.found_docs and app.env.doc2path(page).endswith(".ipynb")
    return path if is_notebook and path.exists() else None


def lead(app, pagename, templatename, context, doctree):
    """Change the addresses of the buttons that launch and download."""
    path = notebook(app, pagename)
    if path is None:
        return
    ref = json.loads(path.read_text(encoding="utf-8"))["metadata"]["moelaws"]["ref"]
    services = app.config.html_theme_options["launch_buttons"]
    repository = "/".join(app.config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:])
    addresses = {
        "Binder": f"{services['binderhub_url']}/v2/gh/{repository}/{ref}?urlpath=lab/tree/{LAB}/{path.name}",
        "Colab": f"{services['colab_url']}/github/{repository}/blob/{ref}/{(STUDENT / path.name).as_posix()}",
    }
    for group in context["header_buttons"]:
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["url"] = addresses[button["text"]]
        elif group.get("label") == "download-buttons":
            source = next(button for button in group["buttons"] if button["label"] == "download-source-button")
            source["url"] = context["pathto"](f"{PUBLISHED}/{path.name}", 1)
            source["tooltip"] = "Download the notebook for students"


def publish(app, exception):
    """Put the students' notebooks on the site in place of the pages' own, which hold the solutions."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, PUBLISHED)
    folder.mkdir(exist_ok=True)
    for page in app.env.found_docs:
        if path := notebook(app, page):
            shutil.copy(path, folder)
        if app.env.doc2path(page).endswith(".ipynb"):
            Path(app.outdir, "_sources", f"{page}.ipynb").unlink(missing_ok=True)


def setup(app):
    """Register with Sphinx, after the theme has made its buttons."""
    app.connect("html-page-context", lead, priority=900)
    app.connect("build-finished", publish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
