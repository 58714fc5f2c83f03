// The chart: whatever set of values is installed, Kubernetes takes every object, and no pod has more rights than it needs.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { isInstalled } from '../support/is-installed.ts';
import {
  CHART,
  find,
  helm,
  podOf,
  readChart,
  render,
  renderValues,
  SETS,
  type KubernetesObject,
  type Role,
} from './chart.ts';
import { findSchemaFaults, findTypeFaults } from './kubernetes.ts';

const ROLES: Role[] = ['api', 'worker'];

describe.skipIf(!isInstalled('helm'))('the chart (skipped where Helm is not installed)', () => {
  let rendered: Map<string, KubernetesObject[]>;
  const of = (set: string) => rendered.get(set) ?? [];

  beforeAll(async () => {
    rendered = new Map(await Promise.all(SETS.map(async (set) => [set, await render(set)] as const)));
  });

  test.each(SETS)('%s · is linted · without a complaint', async (set) => {
    const { stdout } = await helm(['lint', '--strict', CHART, '-f', `${CHART}/ci/${set}.yaml`]);
    expect(stdout).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  test('every object · of every set · is valid by Kubernetes’s schemas and has no field they do not know', () => {
    const objects = [...rendered.values()].flat();
    expect(objects.length).toBeGreaterThan(50);
    expect(findSchemaFaults(objects)).toEqual([]);
    expect(findTypeFaults(objects)).toEqual([]);
  }, 60_000);

  test('a misspelt field deep in a pod · a value of the wrong type · are found', () => {
    const deployment = structuredClone(find(of('minimal'), 'Deployment', 'api'));
    Object.assign(podOf([deployment], 'api').containers[0], { readinesProbe: {} });
    expect(findTypeFaults([deployment])).toEqual([expect.stringMatching(/^Deployment .*readinesProbe/)]);
    const service = { ...structuredClone(find(of('minimal'), 'Service')), spec: { ports: [{ port: 'eighty' }] } };
    expect(findSchemaFaults([service])).toEqual([expect.stringMatching(/^Service .*port must be integer/)]);
    expect(findSchemaFaults([{ ...service, kind: 'Pot' }])).toEqual(['Pot is not known']);
  }, 60_000);

  test.each(SETS.flatMap((set) => ROLES.map((role) => [set, role] as const)))(
    '%s · the pods of the %s · have none of the rights they do not need',
    (set, role) => {
      const pod = podOf(of(set), role);
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(pod.containers).toHaveLength(1);
      expect(pod.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(pod.containers[0]).toMatchObject({ resources: { requests: {}, limits: {} } });
    },
  );

  test.each(SETS)('%s · holds no secret · only the names of those that do', (set) => {
    expect(of(set).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const role of ROLES) {
      const { env } = podOf(of(set), role).containers[0];
      const secret = env.filter(({ name }) => /_(KEYS?|TOKEN|PASSWORD|SECRET)$/.test(name));
      expect(secret.filter(({ value }) => value !== undefined)).toEqual([]);
    }
  });

  test('each role · is probed on its own port · with HTTPS where it serves it', () => {
    for (const role of ROLES) {
      const [container] = podOf(of('mtls-ingress'), role).containers;
      const scheme = role === 'api' ? 'HTTPS' : 'HTTP';
      for (const probe of ['startupProbe', 'livenessProbe'])
        expect(container[probe]).toMatchObject({ httpGet: { path: '/livez', port: role, scheme } });
      expect(container['readinessProbe']).toMatchObject({ httpGet: { path: '/readyz', port: role, scheme } });
      expect(container['ports']).toEqual([{ name: role, containerPort: role === 'api' ? 8080 : 8081 }]);
    }
  });

  test('the end of a pod · is awaited longer · than the process takes at most', async () => {
    const objects = await render('minimal', { 'config.SHUTDOWN_GRACE_MS': 90_500 });
    expect(podOf(objects, 'api')['terminationGracePeriodSeconds']).toBe(101);
    expect(podOf(of('minimal'), 'worker')['terminationGracePeriodSeconds']).toBe(40);
  });

  test('a rollout · never has fewer pods than before · and a drained node takes one at a time', () => {
    for (const role of ROLES) {
      const { spec } = find(of('minimal'), 'Deployment', role);
      expect(spec['strategy']).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
      expect(find(of('minimal'), 'PodDisruptionBudget', role).spec).toMatchObject({ maxUnavailable: 1 });
    }
  });

  test('workload identity · of the webhook · marks the workers’ pods and their account alone', () => {
    const template = (role: Role) =>
      find(of('workload-identity'), 'Deployment', role).spec['template'] as { metadata: { labels: object } };
    const use = 'azure.workload.identity/use';
    expect(template('worker').metadata.labels).toHaveProperty([use], 'true');
    expect(template('api').metadata.labels).not.toHaveProperty([use]);
    expect(find(of('workload-identity'), 'ServiceAccount', 'worker').metadata).toMatchObject({
      annotations: { 'azure.workload.identity/client-id': 'b3a1d9e2-0c47-4f6a-8a55-71d2e6c90f18' },
    });
  });

  test('workload identity · of the chart · mounts a token for Entra and names it', () => {
    const pod = podOf(of('many-tenants'), 'worker');
    const token = pod.volumes.find(({ name }) => name === 'entra');
    expect(token?.projected?.sources).toEqual([
      {
        serviceAccountToken: {
          audience: 'api://AzureADTokenExchange',
          expirationSeconds: 3600,
          path: 'azure-identity-token',
        },
      },
    ]);
    const [{ env, volumeMounts }] = pod.containers;
    const { mountPath = '' } = volumeMounts.find(({ name }) => name === 'entra') ?? {};
    expect(env).toContainEqual({ name: 'AZURE_FEDERATED_TOKEN_FILE', value: `${mountPath}/azure-identity-token` });
    expect(podOf(of('many-tenants'), 'api').volumes.map(({ name }) => name)).not.toContain('entra');
  });

  test('the network · leads from the gateway and Prometheus to the API · and from Prometheus alone to the workers', () => {
    const peers = (role: Role) => {
      const { spec } = find(of('scaling-monitoring'), 'NetworkPolicy', role);
      return JSON.stringify(spec['ingress']).match(/gateways|monitoring/g);
    };
    expect(peers('api')).toEqual(['gateways', 'monitoring']);
    expect(peers('worker')).toEqual(['monitoring']);
  });

  test('callers are named and scrapes are not · the API · is reached by the callers alone', async () => {
    const from = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'gateways' } } }];
    const objects = await render('minimal', { 'networkPolicy.apiFrom': from });
    expect(find(objects, 'NetworkPolicy', 'api').spec['ingress']).toEqual([{ ports: [{ port: 'api' }], from }]);
  });

  test('annotations of a Deployment · stand there · and not on its pods', async () => {
    const annotations = { 'reloader.stakater.com/auto': 'true' };
    const { metadata, spec } = find(await render('minimal', { 'api.annotations': annotations }), 'Deployment', 'api');
    expect(metadata).toMatchObject({ annotations });
    expect(spec['template']).not.toHaveProperty('metadata.annotations');
  });

  test('DNS · is reached on the port of its Service and on that of OpenShift’s pods', () => {
    for (const role of ROLES) {
      const [dns] = find(of('minimal'), 'NetworkPolicy', role).spec['egress'] as [object];
      const ports = [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ port, protocol })));
      expect(dns).toEqual({ ports });
    }
  });

  test('a load balancer of the cloud · is told no protocol · by which Azure’s would probe a path that is not there', async () => {
    const portOf = (objects: KubernetesObject[]) => (find(objects, 'Service').spec['ports'] as [object])[0];
    expect(portOf(of('minimal'))).toHaveProperty('appProtocol', 'http');
    expect(portOf(await render('minimal', { 'service.type': 'LoadBalancer' }))).not.toHaveProperty('appProtocol');
  });

  test('names that look like numbers, with dots, and too long a tag · stay names that Kubernetes takes', async () => {
    const changes = {
      'image.tag': `${'1'.repeat(62)}-rc`,
      'image.pullSecrets': ['1e5'],
      'serviceAccount.workerName': '0123',
      'worker.priorityClassName': 'on',
    };
    const numbered = await render('minimal', { ...changes, nameOverride: '77', fullnameOverride: 'on' });
    expect(findSchemaFaults(numbered)).toEqual([]);
    expect(find(numbered, 'Deployment', 'worker').metadata.labels).toMatchObject({
      'app.kubernetes.io/name': '77',
      'app.kubernetes.io/version': '1'.repeat(62),
    });
    const pod = podOf(numbered, 'worker');
    expect(pod).toMatchObject({
      serviceAccountName: '0123',
      imagePullSecrets: [{ name: '1e5' }],
      priorityClassName: 'on',
    });
    const { spec } = find(await renderValues(readChart('ci/minimal.yaml'), 'r.123'), 'Deployment', 'api');
    expect(spec).toMatchObject({ selector: { matchLabels: { 'app.kubernetes.io/instance': 'r.123' } } });
    const { metadata } = find(await renderValues(readChart('ci/minimal.yaml'), 'r.123'), 'Service');
    expect(metadata.name).toBe('r-123-runstate-bridge-api');
  });

  test('a release that is called a number · has labels that are texts', async () => {
    const values = { ...readChart('ci/scaling-monitoring.yaml'), fullnameOverride: 'bridge' };
    expect(findSchemaFaults(await renderValues(values, '123'))).toEqual([]);
  });

  test('below a path · the ways in · lead there', async () => {
    expect(JSON.stringify(find(of('mtls-ingress'), 'Ingress').spec)).toMatch(/"\/bios\/v1".*"\/bios\/dashboard"/);
    const route = find(await render('workload-identity', { 'config.PUBLIC_BASE_PATH': '/bios/' }), 'HTTPRoute');
    expect(JSON.stringify(route.spec)).toContain('"/bios/v1"');
  });

  test('Grafana’s dashboard · is rendered · as the file has it', () => {
    const { data } = find(of('scaling-monitoring'), 'ConfigMap') as unknown as { data: Record<string, string> };
    const dashboard = readFileSync('observability/grafana/dashboards/runstate-bridge.json', 'utf8');
    expect(JSON.parse(data['runstate-bridge.json'] ?? '')).toEqual(JSON.parse(dashboard));
  });

  test('with KEDA · the Deployments · say no number that would be taken back', () => {
    for (const role of ROLES) {
      expect(find(of('scaling-monitoring'), 'Deployment', role).spec).not.toHaveProperty('replicas');
      expect(find(of('scaling-monitoring'), 'ScaledObject', role).spec).toMatchObject({
        scaleTargetRef: { name: find(of('scaling-monitoring'), 'Deployment', role).metadata.name },
      });
    }
  });
});
