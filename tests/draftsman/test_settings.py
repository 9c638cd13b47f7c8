"""Settings come from the environment once; a wrong or unknown one is an error that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from draftsman.cli.settings_of import parse
from draftsman.domain.errors import SettingsError
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.secret_files import file_name
from draftsman.settings import Settings, environment_names, load, secret_names, without_urls

ROOT = Path(__file__).parents[2]


def test_defaults_need_nothing() -> None:
    settings = load({})
    assert (settings.port, settings.host) == (3000, "127.0.0.1")
    assert settings.database_url is None
    assert settings.job_slots >= 1


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DRAFTSMAN_PORT": "many"}, "DRAFTSMAN_PORT"),
        ({"DRAFTSMAN_PORT": "70000"}, "DRAFTSMAN_PORT"),
        ({"DRAFTSMAN_PROT": "3000"}, "DRAFTSMAN_PROT"),
        ({"GITHUB_API_URL": "api.github.com"}, "GITHUB_API_URL"),
        ({"DRAFTSMAN_JOB_NETWORK": "host"}, "DRAFTSMAN_JOB_NETWORK"),
        ({"DRAFTSMAN_CACHE_SCOPE": "everybody"}, "DRAFTSMAN_CACHE_SCOPE"),
        ({"GITHUB_APP_ID": "1; DROP"}, "GITHUB_APP_ID"),
        ({"DRAFTSMAN_IMAGE_PREFIX": "mirror.example"}, "DRAFTSMAN_IMAGE_PREFIX"),
        ({"DRAFTSMAN_TRUSTED": "alice,not/a/team"}, "DRAFTSMAN_TRUSTED: .*not/a/team"),
        ({"DRAFTSMAN_APPROVAL": "sometimes"}, "DRAFTSMAN_APPROVAL"),
        ({"DRAFTSMAN_LABELS": "gpu,-x"}, "DRAFTSMAN_LABELS: .*-x"),
        ({"DRAFTSMAN_RUNS_ON": "a b/c"}, "DRAFTSMAN_RUNS_ON: .*b/c"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(environment)


def test_the_instances_policy_is_what_the_settings_say() -> None:
    assert load({}).policy == RepoPolicy()
    said = load({"DRAFTSMAN_TRUSTED": "Alice, renovate[bot] acme/team", "DRAFTSMAN_APPROVAL": "open"})
    assert said.policy == RepoPolicy(ApprovalPolicy.OPEN, ("alice", "renovate[bot]", "acme/team"))


def test_labels_are_read_in_lower_case_and_each_counts_once() -> None:
    said = load({"DRAFTSMAN_LABELS": "GPU, gpu big.memory", "DRAFTSMAN_RUNS_ON": "amd64"})
    assert said.labels == ("gpu", "big.memory")
    assert (said.policy.runs_on, said.terms.runs_on) == (("amd64",), ("amd64",))


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("registry.example.com", True),
        ("registry.example.com/team", True),
        ("registry.example.com:5000/team/a-b", True),
        ("10.0.0.7:5000", True),
        ("localhost/x", True),
        ("registry:5000", True),
        ("registry", False),
        ("team/images", False),
        ("https://registry.example.com", False),
        ("registry.example.com/", False),
        ("Registry.example.com", False),
        ("registry.example.com/team:1", False),
        ("registry.example.com/../x", False),
        ("registry.example.com/a\n", False),
    ],
)
def test_a_registry_is_a_host_that_an_engine_takes_for_one(address: str, fits: bool) -> None:
    if fits:
        assert load({"DRAFTSMAN_REGISTRY": address}).registry == address
        return
    with pytest.raises(SettingsError, match="DRAFTSMAN_REGISTRY"):
        load({"DRAFTSMAN_REGISTRY": address})


def test_the_login_of_a_registry_is_whole_or_none(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hush-hush\n")
    assert load({}).registry_login is None
    given = {"DRAFTSMAN_REGISTRY_USER": "robot", "DRAFTSMAN_REGISTRY_PASSWORD_FILE": str(file)}
    assert load(given).registry_login == ("robot", "hush-hush")
    given = {"DRAFTSMAN_REGISTRY_USER": "robot", "DRAFTSMAN_REGISTRY_PASSWORD": "hush"}
    assert load(given).registry_login == ("robot", "hush")
    assert "hush" not in repr(load(given))
    for part in given:
        with pytest.raises(SettingsError, match="set both, or neither"):
            load({part: given[part]})


def test_an_empty_value_means_the_default() -> None:
    assert load({"DRAFTSMAN_PORT": "", "DRAFTSMAN_CONCURRENCY": ""}).port == 3000


def test_secrets_never_show_when_settings_are_printed() -> None:
    settings = load({"GITHUB_WEBHOOK_SECRET": "hush-hush", "DATABASE_URL": "postgresql://u:hush-hush@h/d"})
    assert "hush-hush" not in repr(settings)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    for name in secret_names().values():
        (tmp_path / name).write_text(f"postgresql://{name}@host/0-long-enough\n")
    settings = load(
        {file_name(name): str(tmp_path / name) for name in secret_names().values() if "PASSWORD" not in name}
    )
    assert settings.github_webhook_secret is not None
    assert settings.github_webhook_secret.get_secret_value() == "postgresql://GITHUB_WEBHOOK_SECRET@host/0-long-enough"
    assert settings.admin_token is not None


@pytest.mark.parametrize(
    ("content", "also", "says"),
    [
        (None, "", "GITHUB_WEBHOOK_SECRET_FILE: .*cannot be read"),
        ("", "", "GITHUB_WEBHOOK_SECRET_FILE: .*is empty"),
        ("\n", "", "GITHUB_WEBHOOK_SECRET_FILE: .*one line"),
        ("one\ntwo\n", "", "GITHUB_WEBHOOK_SECRET_FILE: .*one line"),
        ("one\n", "another", "GITHUB_WEBHOOK_SECRET and GITHUB_WEBHOOK_SECRET_FILE are both set"),
    ],
)
def test_a_file_that_is_no_secret_is_said_and_not_shown(
    tmp_path: Path, content: str | None, also: str, says: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    given = {"GITHUB_WEBHOOK_SECRET_FILE": str(file), "GITHUB_WEBHOOK_SECRET": also}
    with pytest.raises(SettingsError, match=says) as raised:
        load(given)
    assert "two" not in str(raised.value)


def test_the_databases_password_may_stand_apart(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/w:rd\n")
    settings = load({"DATABASE_URL": "postgresql://me@db:5432/d", "DATABASE_PASSWORD_FILE": str(file)})
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://me:p%40ss%2Fw%3Ard@db:5432/d"
    assert "w:rd" not in repr(settings)


@pytest.mark.parametrize("url", ["", "postgresql://db/d", "postgresql://@db/d", "postgresql://me:other@db/d"])
def test_a_password_for_nobody_is_an_error(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_PASSWORD"):
        load({"DATABASE_URL": url, "DATABASE_PASSWORD": "hush"})


def test_where_database_and_queue_are_can_be_said_anew(tmp_path: Path) -> None:
    given = {"DATABASE_URL_FILE": "/x", "DATABASE_PASSWORD": "p", "REDIS_URL": "redis://r", "DRAFTSMAN_PORT": "3001"}
    assert without_urls(given) == {"DRAFTSMAN_PORT": "3001"}


def test_what_only_the_files_for_compose_and_swarm_read_is_no_error() -> None:
    assert load({"DRAFTSMAN_IMAGE": "registry.example.com/draftsman:1"}) == Settings()


def test_the_hosts_certificates_reach_builds_unless_others_are_set(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----")
    assert load({"SSL_CERT_FILE": str(bundle)}).read_ca_bundle() == b"-----BEGIN CERTIFICATE-----"
    assert load({}).read_ca_bundle() is None
    with pytest.raises(SettingsError, match="DRAFTSMAN_CA_BUNDLE"):
        load({"DRAFTSMAN_CA_BUNDLE": str(tmp_path / "absent"), "SSL_CERT_FILE": str(bundle)}).read_ca_bundle()


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), (b"", "empty"), (b"ssh-rsa AAAA", "no PEM private key")]
)
def test_an_unreadable_private_key_is_said_at_start(tmp_path: Path, content: bytes | None, says: str) -> None:
    key = tmp_path / "key.pem"
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        load({"GITHUB_PRIVATE_KEY_FILE": str(key)}).read_private_key()


def test_a_private_key_may_stand_in_one_line() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\\nAAAA\\n-----END RSA PRIVATE KEY-----"
    assert load({"GITHUB_PRIVATE_KEY": key}).read_private_key().splitlines()[1] == "AAAA"


def test_proxies_reach_tools_in_both_spellings() -> None:
    assert load({"https_proxy": "http://proxy:3128"}).proxies == {
        "HTTPS_PROXY": "http://proxy:3128",
        "https_proxy": "http://proxy:3128",
    }


def test_the_example_file_lists_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    listed = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(
        {*environment_names().values(), *_of_compose(), *_of_more_machines(), "COMPOSE_FILE"}
    )


def _of_compose(file: str = "docker-compose.yml") -> set[str]:
    """Return the names that compose alone reads, by its own file."""
    names = set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", (ROOT / file).read_text("utf-8")))
    return names - set(environment_names().values())


def _of_more_machines() -> set[str]:
    files = ("docker-compose.shared.yml", "docker-compose.worker.yml", "docker-stack.yml")
    return set().union(*map(_of_compose, files))


def test_the_example_file_shows_the_defaults_of_compose() -> None:
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    for name in _of_compose():
        assert f"${{{name}:-{shown[name]}}}" in compose


def test_the_example_file_names_the_file_of_every_secret() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    assert {name for name in secret_names().values() if f"{file_name(name)}" not in text} == set()


def test_the_example_file_shows_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", text, flags=re.MULTILINE))
    examples = {"DATABASE_URL", "REDIS_URL", "DOCKER_HOST", "DRAFTSMAN_PUBLIC_URL"}
    examples |= {"DRAFTSMAN_JOB_MOST", "DRAFTSMAN_FENCE_ALLOW", "DRAFTSMAN_REGISTRY"}
    given = {
        name: value
        for name, value in shown.items()
        if name not in examples | _of_compose() | _of_more_machines() | {"COMPOSE_FILE"}
    }
    assert given
    assert load(given) == Settings()


def test_the_example_file_can_be_read_as_an_env_file() -> None:
    assert "GITHUB_APP_ID" in parse(ROOT / ".env.example")


def test_an_env_file_with_a_broken_line_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("# fine\nexport DRAFTSMAN_PORT='4000'\nnonsense\n")
    with pytest.raises(SettingsError, match=r"settings\.env:3"):
        parse(file)
