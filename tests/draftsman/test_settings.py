"""Settings come from the environment once; a wrong or unknown one is an error that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from draftsman.cli.settings_of import parse
from draftsman.domain.errors import SettingsError
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.settings import Settings, environment_names, load

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
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(environment)


def test_the_instances_policy_is_what_the_settings_say() -> None:
    assert load({}).policy == RepoPolicy()
    said = load({"DRAFTSMAN_TRUSTED": "Alice, renovate[bot] acme/team", "DRAFTSMAN_APPROVAL": "open"})
    assert said.policy == RepoPolicy(ApprovalPolicy.OPEN, ("alice", "renovate[bot]", "acme/team"))


def test_an_empty_value_means_the_default() -> None:
    assert load({"DRAFTSMAN_PORT": "", "DRAFTSMAN_CONCURRENCY": ""}).port == 3000


def test_secrets_never_show_when_settings_are_printed() -> None:
    settings = load({"GITHUB_WEBHOOK_SECRET": "hush-hush", "DATABASE_URL": "postgresql://u:hush-hush@h/d"})
    assert "hush-hush" not in repr(settings)


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
    assert sorted(listed) == sorted(environment_names().values())


def test_the_example_file_shows_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", text, flags=re.MULTILINE))
    examples = {"DATABASE_URL", "REDIS_URL", "DOCKER_HOST", "DRAFTSMAN_PUBLIC_URL"}
    examples |= {"DRAFTSMAN_JOB_MOST", "DRAFTSMAN_FENCE_ALLOW"}
    given = {name: value for name, value in shown.items() if name not in examples}
    assert given
    assert load(given) == Settings()


def test_the_example_file_can_be_read_as_an_env_file() -> None:
    assert "GITHUB_APP_ID" in parse(ROOT / ".env.example")


def test_an_env_file_with_a_broken_line_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("# fine\nexport DRAFTSMAN_PORT='4000'\nnonsense\n")
    with pytest.raises(SettingsError, match=r"settings\.env:3"):
        parse(file)
