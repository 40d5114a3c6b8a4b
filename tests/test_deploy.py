"""`deploy/`, `compose.yaml` and the Dockerfile: sound, pinned, nobody is root, nothing has a default password.

Nothing here starts a container. The schemas of Kubernetes come with `kubernetes-validate`, where it is installed.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from _pages import ROOT
from memoranda.settings import Settings

yaml = pytest.importorskip('yaml')

MANIFESTS = sorted((ROOT / 'deploy' / 'kubernetes').glob('*.yaml'))
PINNED = re.compile(r'[\w./-]+:v?\d+\.\d+[\w.-]*')
IDENTITY = 10001


def resources(*kinds: str) -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        for resource in yaml.safe_load_all(path.read_text(encoding='utf-8')):
            if resource['kind'] in kinds or not kinds:
                yield resource


def pods() -> list[dict[str, Any]]:
    return [resource['spec']['template'] for resource in resources('Deployment', 'StatefulSet')]


@pytest.fixture(scope='module')
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / 'compose.yaml').read_text(encoding='utf-8'))


@pytest.mark.parametrize('path', MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_what_kubernetes_takes(path: Path) -> None:
    schemas = pytest.importorskip('kubernetes_validate')
    for resource in yaml.safe_load_all(path.read_text(encoding='utf-8')):
        if resource['kind'] != 'Kustomization':  # read by kubectl, not by the server
            schemas.validate(resource, schemas.latest_version(), strict=True)


def test_the_list_of_manifests_names_files_that_exist_and_leaves_out_the_secret() -> None:
    (listed,) = resources('Kustomization')
    names = {path.name for path in MANIFESTS}
    assert set(listed['resources']) <= names
    assert names - set(listed['resources']) == {'kustomization.yaml', 'qdrant.yaml', 'secret.example.yaml'}


def test_every_pod_runs_without_rights_on_a_file_system_it_can_not_write() -> None:
    assert len(pods()) == 3
    for pod in pods():
        spec = pod['spec']
        assert spec['securityContext']['runAsNonRoot'] is True
        assert spec['securityContext']['seccompProfile'] == {'type': 'RuntimeDefault'}
        assert spec['automountServiceAccountToken'] is False
        for container in spec['containers']:
            assert container['securityContext'] == {
                'allowPrivilegeEscalation': False,
                'readOnlyRootFilesystem': True,
                'capabilities': {'drop': ['ALL']},
            }
            assert {'requests', 'limits'} <= container['resources'].keys()
            assert 'livenessProbe' in container


def test_selectors_find_the_pods_they_are_about() -> None:
    labels = [pod['metadata']['labels'] for pod in pods()]

    def finds(selector: dict[str, str]) -> int:
        return sum(selector.items() <= these.items() for these in labels)

    for resource in resources('Deployment', 'StatefulSet', 'PodDisruptionBudget'):
        assert finds(resource['spec']['selector']['matchLabels']) == 1
    for resource in resources('Service'):
        assert finds(resource['spec']['selector']) == 1
    for resource in resources('NetworkPolicy'):
        assert finds(resource['spec']['podSelector']['matchLabels']) == 1
        for rule in resource['spec'].get('egress', ()):
            for peer in rule.get('to', ()):
                if set(peer) == {'podSelector'}:
                    assert finds(peer['podSelector']['matchLabels']) == 1


def test_what_a_pod_reads_is_in_the_config_map_or_the_example_of_the_secret() -> None:
    (secret,), (config,) = resources('Secret'), resources('ConfigMap')
    assert set(secret['stringData'].values()) == {'REPLACE'}
    for pod in pods():
        for container in pod['spec']['containers']:
            for source in container.get('envFrom', ()):
                reference = source.get('secretRef') or source['configMapRef']
                assert reference['name'] == secret['metadata']['name'] == config['metadata']['name']
            for variable in container.get('env', ()):
                if 'valueFrom' in variable:
                    assert variable['valueFrom']['secretKeyRef']['key'] in secret['stringData']


def test_a_pod_is_given_the_time_that_its_worker_takes_to_end() -> None:
    (config,) = resources('ConfigMap')
    (worker,) = [pod for pod in pods() if 'worker' in pod['metadata']['labels'].values()]
    assert worker['spec']['terminationGracePeriodSeconds'] >= int(config['data']['MEMORANDA_DRAIN_SECONDS']) + 15
    assert worker['spec']['securityContext']['runAsUser'] == IDENTITY
    (server,) = [pod for pod in pods() if 'server' in pod['metadata']['labels'].values()]
    drain = int(config['data']['MEMORANDA_DRAIN_SECONDS'])
    assert server['spec']['terminationGracePeriodSeconds'] >= 5 + 2 * drain + 15  # of requests, then of jobs
    assert server['spec']['securityContext']['runAsUser'] == IDENTITY


def test_a_server_is_started_with_options_that_exist_and_only_behind_a_proxy(compose: dict[str, Any]) -> None:
    import typer

    from memoranda.cli._app import app

    root = typer.main.get_command(app)
    known = {option for parameter in root.commands['serve'].params for option in parameter.opts}
    (container,) = [c for pod in pods() for c in pod['spec']['containers'] if c['name'] == 'server']
    for words in (container['args'], compose['services']['server']['command']):
        assert words[0] == 'serve'
        assert {word for word in words if word.startswith('--')} <= known
        assert '--behind-tls-proxy' in words
    unit = (ROOT / 'deploy' / 'systemd' / 'memoranda-server.service').read_text(encoding='utf-8')
    started = shlex.split(re.findall(r'^ExecStart=(.+)$', unit, re.MULTILINE)[0])
    assert started[1] == 'serve'
    assert {word for word in started if word.startswith('--')} <= known


def test_the_unit_is_not_root_and_may_write_its_own_folder_only() -> None:
    import configparser

    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / 'deploy' / 'systemd' / 'memoranda-server.service', encoding='utf-8')
    service = dict(unit['Service'])
    assert service['User'] == 'memoranda'
    assert (service['ProtectSystem'], service['NoNewPrivileges']) == ('strict', 'yes')
    assert service['StateDirectory'] == 'memoranda'
    drain = int(re.findall(r'--drain-seconds (\d+)', service['ExecStart'])[0])
    assert int(service['TimeoutStopSec']) >= 2 * drain + 15


def test_settings_that_are_named_exist(compose: dict[str, Any]) -> None:
    (config,), (secret,) = resources('ConfigMap'), resources('Secret')
    named = {*config['data'], *secret['stringData']}
    for name in ('worker', 'server'):
        named |= set(compose['services'][name]['environment'])
    known = {f'MEMORANDA_{name.upper()}' for name in Settings.model_fields}
    assert {name for name in named if name.startswith('MEMORANDA_')} <= known


def test_services_have_a_health_check_and_may_not_gain_rights(compose: dict[str, Any]) -> None:
    services = compose['services']
    for name in ('postgres', 'qdrant', 'server'):
        assert services[name]['healthcheck']['test']
    for service in services.values():
        assert 'no-new-privileges:true' in service['security_opt']
        assert service['restart'] == 'unless-stopped'
        for port in service.get('ports', ()):
            assert port.startswith('127.0.0.1:'), 'nothing listens to the outside'
    for name in ('worker', 'server'):
        assert services[name]['read_only'] is True
        assert services[name]['cap_drop'] == ['ALL']
    assert 'ports' not in services['worker']


def test_no_password_has_a_default(compose: dict[str, Any]) -> None:
    for service in compose['services'].values():
        for name, value in service['environment'].items():
            if re.search('PASSWORD|KEY', name):
                assert value is None or re.fullmatch(r'\$\{\w+(:-|:\?[^}]+)?\}', str(value)), name
    required = (ROOT / 'compose.yaml').read_text(encoding='utf-8')
    assert '${POSTGRES_PASSWORD:?' in required
    assert '${MEMORANDA_DB_PASSWORD:?' in required
    example = (ROOT / 'deploy' / 'example.env').read_text(encoding='utf-8')
    assert not re.findall(r'^\w*(?:PASSWORD|KEY)=.+', example, re.MULTILINE)


def test_everything_that_is_mounted_exists(compose: dict[str, Any]) -> None:
    for service in compose['services'].values():
        for volume in service.get('volumes', ()):
            source = volume.split(':')[0]
            if source.startswith('.'):
                assert (ROOT / source).is_file()
            else:
                assert source in compose['volumes']


def test_images_have_a_version(compose: dict[str, Any]) -> None:
    images = [container['image'] for pod in pods() for container in pod['spec']['containers']]
    images += [service['image'] for service in compose['services'].values()]
    (listed,) = resources('Kustomization')
    ours = {image['name'] for image in listed['images']} | {'memoranda:local'}
    assert all(image in ours or PINNED.fullmatch(image) for image in images), images


def test_the_image_is_not_root_and_holds_what_the_code_needs() -> None:
    lines = (ROOT / 'Dockerfile').read_text(encoding='utf-8').replace('\\\n', ' ').splitlines()
    told = [shlex.split(line, comments=True) for line in lines if line and not line.startswith('#')]
    last = [words for words in told if words[0] in ('USER', 'ENTRYPOINT', 'FROM', 'CMD')]
    assert ['USER', f'{IDENTITY}:{IDENTITY}'] in last
    images = [
        value
        for words in told
        if words[0] == 'ARG'
        for _, _, value in [words[1].partition('=')]
        if '_IMAGE=' in words[1]
    ]
    assert len(images) == 2
    assert all(PINNED.fullmatch(image) for image in images)
    extras = next(words[1].partition('=')[2].split() for words in told if words[:1] == ['ARG'] and 'EXTRAS' in words[1])
    import tomllib

    offered = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']['optional-dependencies']
    assert set(extras) <= offered.keys()
    ignored = (ROOT / '.dockerignore').read_text(encoding='utf-8').splitlines()
    for words in told:
        if words[0] == 'COPY' and not words[1].startswith('--'):
            for source in words[1:-1]:
                assert (ROOT / source).exists(), source
                assert f'!{source}' in ignored


def test_the_shell_script_is_sound() -> None:
    script = ROOT / 'deploy' / 'postgres' / 'init.sh'
    assert subprocess.run(['sh', '-n', script], check=False).returncode == 0
