import nox

PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session(python=PYTHONS)
def tests(session):
    session.install("-e", ".", "pytest")
    session.run("pytest", *session.posargs)


@nox.session(name="lint")
def run_lint(session):
    session.install("ruff")
    session.run("ruff", "check", ".")


@nox.session
def format(session):
    session.install("ruff")
    session.run("ruff", "format", ".")
