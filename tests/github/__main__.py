"""`python -m tests.github`: a GitHub of your own on this machine, to try Draftsman without an account.

It prints the settings that a Draftsman needs to talk to it, then serves until Ctrl-C.
"""

import argparse
import asyncio
import shlex
import signal
import tempfile
from pathlib import Path

from tests.github import control
from tests.github.git_repository import read_folder
from tests.github.repository import Repository
from tests.github.stand_in import GitHubStandIn

PERSON = "octocat"


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m tests.github",
        description=__doc__,
        epilog=control.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    found.add_argument("--port", type=int, default=9999, help="0 takes a free one (default: %(default)s)")
    found.add_argument("--public-host", help="host in the addresses given out (default: that of --host)")
    found.add_argument(
        "--api-prefix", default="", help="path of the API, /api/v3 for the shape of Enterprise Server (default: none)"
    )
    found.add_argument("--webhook-url", help="where the App's events go, e.g. http://127.0.0.1:3000/webhooks/github")
    found.add_argument("--webhook-secret", help="the App's webhook secret (default: a random one)")
    found.add_argument("--key-file", type=Path, help="where to write the App's private key (default: a new folder)")
    found.add_argument(
        "--repo",
        action="append",
        default=[],
        metavar="[OWNER/NAME=]PATH",
        help="a repository to start with: a git checkout (its HEAD is taken) or a plain folder, as acme/<folder name> "
        "if no name is given; may be repeated",
    )
    found.add_argument("--local-webhooks", action="store_true", help="let a new App's events go to this machine")
    found.add_argument("--password", help=f"with which {PERSON} may push (default: a random one)")
    found.add_argument("--public", action="store_true", help="make these repositories public")
    return found


async def add_repository(github: GitHubStandIn, wanted: str, *, private: bool) -> Repository:
    """The repository made from `[OWNER/NAME=]PATH`. Raises `ValueError` if there is no such folder."""
    name, _, path = wanted.rpartition("=")
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise ValueError(f"--repo {wanted}: {folder} is no folder")
    full_name = name or f"acme/{folder.name}"
    if (folder / ".git").exists() or (folder / "HEAD").is_file():
        repository = await github.create_repository(full_name, private=private)
        await repository.push(folder)
        return repository
    return await github.create_repository(full_name, private=private, files=read_folder(folder))


def write_key(github: GitHubStandIn, path: Path | None) -> Path:
    """The file that now holds the App's private key, readable by its owner only."""
    target = path or Path(tempfile.mkdtemp(prefix="github-stand-in-key-")) / "private-key.pem"
    target.touch(mode=0o600)
    target.chmod(0o600)
    target.write_text(github.app.private_key_pem, encoding="utf-8")
    return target.resolve()


def settings(github: GitHubStandIn, key_file: Path) -> dict[str, str]:
    """The environment of a Draftsman that talks to this stand-in."""
    return {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY_FILE": str(key_file),
        "GITHUB_WEBHOOK_SECRET": github.app.webhook_secret,
    }


def greeting(github: GitHubStandIn, environment: dict[str, str], password: str) -> str:
    lines = ["# Settings for Draftsman:"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += ["", f"# Events go to {github.webhook_url or 'nobody (say --webhook-url)'}"]
    for repo in github.state.repositories.values():
        lines.append(f"# {repo.full_name}: git push {with_login(repo.clone_url, password)} HEAD:my-branch")
    lines.append(f"# State: curl {github.server_url}{control.PREFIX}/   Check runs: .../check-runs   More: --help")
    return "\n".join(lines)


def with_login(url: str, password: str) -> str:
    return url.replace("://", f"://{PERSON}:{password}@")


async def run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    start = GitHubStandIn.start(
        arguments.host, arguments.port, prefix=arguments.api_prefix, public_host=arguments.public_host
    )
    async with start as github:
        if arguments.webhook_secret:
            github.app.webhook_secret = arguments.webhook_secret
        for wanted in arguments.repo:
            await add_repository(github, wanted, private=not arguments.public)
        github.webhook_url = arguments.webhook_url
        github.auto_deliver = True
        github.manifests.local_webhooks = arguments.local_webhooks
        environment = settings(github, write_key(github, arguments.key_file))
        print(greeting(github, environment, github.add_person(PERSON, arguments.password)), flush=True)
        await stopped.wait()


def main() -> None:
    found = parser()
    try:
        asyncio.run(run(found.parse_args()))
    except (ValueError, OSError) as error:
        found.error(str(error))


if __name__ == "__main__":
    main()
