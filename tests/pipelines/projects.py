"""A small project with one pipeline, to compile in tests."""

import shutil
from pathlib import Path

from pipelines.compile.compiled import ROOT
from pipelines.declaration import Parameter, PipelineDeclaration

DECLARATION = PipelineDeclaration(
    name="tiny",
    description="Two steps.",
    parameters=(Parameter(name="months", default="2013-01", help="Months."),),
)

FLOW = '''"""Two steps."""

from metaflow import FlowSpec, Parameter, retry, step, timeout

from pipelines.tiny.work import double


class TinyFlow(FlowSpec):
    """Doubles a number."""

    months = Parameter("months", default="2013-01", help="Months.")

    @retry(times=2, minutes_between_retries=1)
    @step(start=True)
    def first(self):
        self.number = double(21)
        self.next(self.second)

    @timeout(minutes=30)
    @step(end=True)
    def second(self):
        print(self.number)


if __name__ == "__main__":
    TinyFlow()
'''

WORK = """from pipelines import contract


def double(number):
    return number * 2 + 0 * contract.VERSION
"""


def project(folder: Path, flow: str = FLOW) -> Path:
    """A project's root with the pipeline `tiny`, which imports the real contract."""
    for name in ("pipelines/__init__.py", "pipelines/contract.py", "stackyard/__init__.py", "stackyard/errors.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    place = folder / "pipelines" / "tiny"
    place.mkdir(exist_ok=True)
    (place / "__init__.py").write_text("")
    (place / "flow.py").write_text(flow)
    (place / "work.py").write_text(WORK)
    (place / "unused.py").write_text("import pipelines.tiny.work\n")
    return folder
