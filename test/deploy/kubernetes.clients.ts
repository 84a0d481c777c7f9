import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import { providers } from '../../plugins/index.ts'
import { readConfig } from '../../src/config/config.ts'
import { environmentVariables } from '../docs/variables.ts'
import type { Resource } from '../support/kubernetes.ts'
import { releases, render, validate } from '../support/kubernetes.ts'
import { skipWithout, workFolder } from '../support/tools.ts'

// The manifests as `kubectl apply -k` would send them.

const folder = fileURLToPath(new URL('../../deploy/kubernetes', import.meta.url))
const overlays = ['production', 'local', 'demo'] as const
const skip = skipWithout('go', 'python')

const Container = Type.Object({
  name: Type.String(),
  image: Type.String(),
  command: Type.Optional(Type.Array(Type.String())),
  env: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
  envFrom: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Object({ name: Type.String() })))),
  ports: Type.Optional(Type.Array(Type.Object({ name: Type.String(), containerPort: Type.Number() }))),
})
const Workload = Type.Object({
  spec: Type.Object({
    replicas: Type.Optional(Type.Number()),
    strategy: Type.Optional(Type.Unknown()),
    template: Type.Object({
      spec: Type.Object({
        terminationGracePeriodSeconds: Type.Optional(Type.Number()),
        initContainers: Type.Optional(Type.Array(Container)),
        containers: Type.Array(Container),
      }),
    }),
  }),
})
const Data = Type.Object({ data: Type.Record(Type.String(), Type.String()) })

function one(resources: readonly Resource[], kind: string, name = 'auth-movies'): Resource {
  const found = resources.find((resource) => resource.kind === kind && resource.metadata.name === name)
  if (found === undefined) throw new Error(`There is no ${kind} ${name}.`)
  return found
}

const variablesOf = (resources: readonly Resource[]) => {
  const map = resources.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && /^auth-movies-[a-z0-9]{10}$/.test(metadata.name),
  )
  return map === undefined ? {} : Value.Parse(Data, map).data
}

/** Both ways in from the internet, and everything else: a cluster has either. */
async function withGateway(test: Test): Promise<string> {
  const work = join(await workFolder(test, 'gateway'), 'overlay')
  await mkdir(work)
  // Paths below node_modules/.cache/clients, where the work folder is.
  const up = '../../../../../deploy/kubernetes'
  await writeFile(
    join(work, 'kustomization.yaml'),
    `resources: [${up}/base]\ncomponents: [${up}/components/gateway-api]\n`,
  )
  return work
}

t.test('every overlay is valid for the oldest and the newest release of Kubernetes', { skip }, async (t) => {
  for (const path of [
    ...overlays.map((overlay) => join(folder, 'overlays', overlay)),
    await withGateway(t),
  ]) {
    const resources = await render(path)
    t.ok(resources.length >= 3)
    for (const release of releases) await t.resolves(validate(resources, release), `${path}, ${release}`)
  }
  const misspelt = (await render(await withGateway(t))).map((resource) => ({
    ...resource,
    spec: { ...(typeof resource.spec === 'object' && resource.spec), unknownMember: 1 },
  }))
  const fault = await validate(misspelt, releases[0] ?? '').catch(String)
  for (const kind of ['Deployment', 'NetworkPolicy', 'HTTPRoute'])
    t.match(fault, new RegExp(`^${kind} .*unknownMember`, 'm'), 'an unknown member is seen')
})

for (const overlay of ['production', 'local'] as const)
  t.test(`${overlay}: the Deployment is what the guide promises`, { skip }, async (t) => {
    const resources = await render(join(folder, 'overlays', overlay))
    const deployment = one(resources, 'Deployment')
    const { spec } = Value.Parse(Workload, deployment)
    const pod = spec.template.spec
    t.equal(spec.replicas, undefined, 'the autoscaler owns the number of replicas')
    t.match(spec.strategy, { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } })
    t.match(one(resources, 'HorizontalPodAutoscaler'), {
      spec: { minReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'auth-movies' } },
    })
    t.match(one(resources, 'PodDisruptionBudget'), { spec: { maxUnavailable: 1 } })
    t.match(one(resources, 'ServiceAccount'), { automountServiceAccountToken: false })
    t.match(deployment, {
      spec: {
        template: {
          spec: {
            serviceAccountName: 'auth-movies',
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: { runAsNonRoot: true, runAsUser: 10001 },
            topologySpreadConstraints: [
              { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1 },
              { topologyKey: 'kubernetes.io/hostname', maxSkew: 1 },
            ],
            initContainers: [{ name: 'migrate', command: ['node', 'src/cli.ts', 'migrate'] }],
            containers: [
              {
                startupProbe: { httpGet: { path: '/health/ready', port: 'management' } },
                livenessProbe: { httpGet: { path: '/health/live', port: 'management' } },
                readinessProbe: { httpGet: { path: '/health/ready', port: 'management' } },
              },
            ],
          },
        },
      },
    })
    const [service, ...others] = pod.containers
    t.strictSame(others, [])
    t.equal(service?.command, undefined, 'the command of the image: no shell stands before it')
    t.match(service?.ports, [
      { name: 'http', containerPort: 3000 },
      { name: 'management', containerPort: 9464 },
    ])
    const drain = Number(variablesOf(resources).DRAIN_DELAY)
    t.ok(drain > 0 && (pod.terminationGracePeriodSeconds ?? 30) > drain + 15, 'time for what runs')
    t.equal(service?.image.split(':').at(-1), manifest.version)
    t.ok(pod.initContainers?.every(({ image }) => image === service?.image))
    const sources = service?.envFrom?.flatMap((source) => Object.entries(source)) ?? []
    t.match(Object.fromEntries(sources), {
      secretRef: { name: 'auth-movies' },
      configMapRef: { name: /^auth-movies-[a-z0-9]{10}$/ },
    })
    t.notOk(
      sources.some(([, { name }]) => name === 'auth-movies-migrate'),
      'only migrations get the role that owns the tables',
    )
  })

for (const overlay of overlays)
  t.test(`${overlay}: every pod keeps to the Pod Security Standard "restricted"`, { skip }, async (t) => {
    const resources = await render(join(folder, 'overlays', overlay))
    const namespace = resources.find(({ kind }) => kind === 'Namespace')
    t.match(namespace, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } })
    for (const { metadata, kind } of resources)
      if (kind !== 'Namespace') t.equal(metadata.namespace, namespace?.metadata.name)
    const pods = resources.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
    t.ok(pods.length > 0)
    for (const pod of pods) {
      t.match(pod, {
        spec: {
          template: {
            spec: {
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
            },
          },
        },
      })
      const { containers, initContainers = [] } = Value.Parse(Workload, pod).spec.template.spec
      for (const container of [...containers, ...initContainers])
        t.match(container, {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { requests: { cpu: String, memory: String }, limits: { memory: String } },
        })
    }
  })

t.test('the rules and the dashboard of deploy/monitoring/ come along', { skip }, async (t) => {
  const resources = await render(join(folder, 'overlays/production'))
  const rules: unknown = parse(await readFile(join(folder, '../monitoring/rules.yaml'), 'utf8'))
  t.strictSame(one(resources, 'PrometheusRule').spec, rules, 'else: node scripts/prometheus-rule.ts')
  const dashboard = await readFile(join(folder, '../monitoring/dashboard.json'), 'utf8')
  t.match(one(resources, 'ConfigMap', 'auth-movies-dashboard'), {
    metadata: { labels: { grafana_dashboard: '1' } },
    data: { 'dashboard.json': dashboard },
  })
})

t.test(
  'the network lets in the ingress and Prometheus, and out to what the service needs',
  { skip },
  async (t) => {
    const resources = await render(join(folder, 'overlays/production'))
    const policies = resources.filter(({ kind }) => kind === 'NetworkPolicy')
    t.strictSame(policies.map(({ metadata }) => metadata.name).toSorted(), [
      'auth-movies',
      'auth-movies-from-ingress',
      'auth-movies-from-monitoring',
    ])
    const Egress = Type.Object({
      spec: Type.Object({
        ingress: Type.Array(Type.Unknown()),
        egress: Type.Array(Type.Object({ ports: Type.Array(Type.Object({ port: Type.Number() })) })),
      }),
    })
    const { spec } = Value.Parse(Egress, one(resources, 'NetworkPolicy'))
    t.strictSame(spec.ingress, [])
    t.strictSame(
      spec.egress.map(({ ports }) => ports.map(({ port }) => port)),
      [[53, 53], [5432, 6379], [443]],
    )
    const from = (namespace: string, port: string) => ({
      spec: {
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }],
            ports: [{ port }],
          },
        ],
      },
    })
    t.match(one(resources, 'NetworkPolicy', 'auth-movies-from-ingress'), from('ingress-nginx', 'http'))
    t.match(one(resources, 'NetworkPolicy', 'auth-movies-from-monitoring'), from('monitoring', 'management'))
    const published = resources.filter(({ kind }) => kind === 'Ingress' || kind === 'HTTPRoute')
    for (const route of published)
      t.notMatch(JSON.stringify(route), /management|9464/, 'never routed from outside')
  },
)

for (const overlay of overlays)
  t.test(`${overlay}: every variable exists, and none that is required is missing`, { skip }, async (t) => {
    const resources = await render(join(folder, 'overlays', overlay))
    const known = new Set(environmentVariables(providers).map(({ name }) => name))
    const fixed = variablesOf(resources)
    const deployment = resources.find(
      ({ kind, metadata }) => kind === 'Deployment' && /auth/.test(metadata.name),
    )
    const { containers } = Value.Parse(Workload, deployment).spec.template.spec
    const named = [
      ...Object.keys(fixed),
      ...containers.flatMap(({ env = [] }) => env.map(({ name }) => name)),
    ]
    for (const name of named) t.ok(known.has(name), name)
    if (overlay === 'demo') {
      t.strictSame(named, ['HOST'], 'no store, no key, no provider: the sandbox refuses to start beside any')
      t.notMatch(JSON.stringify(resources), /DATABASE_URL|REDIS_URL|secretRef|envFrom/)
      t.ok(containers.every(({ image }) => image.startsWith('localhost/auth-movies-demo:')))
      return
    }
    // The Secret that the guide makes has the rest.
    const secret = {
      DATABASE_URL: 'postgresql://auth_movies:secret@postgres:5432/auth_movies',
      SECRET_KEYS: randomBytes(32).toString('base64'),
      YANDEX_CLIENT_ID: 'id',
      YANDEX_CLIENT_SECRET: 'secret',
      ...(fixed.REDIS_URL === undefined && { REDIS_URL: 'redis://redis:6379' }),
    }
    t.strictSame(readConfig({ ...fixed, ...secret }, providers).warnings, [])
    t.throws(() => readConfig(fixed, providers), /DATABASE_URL is missing/, 'no secret is in a ConfigMap')
    t.notOk(resources.some(({ kind }) => kind === 'Secret'))
    t.notMatch(JSON.stringify(resources), /auth-movies-demo|sandbox/, 'nothing of the demo')
  })
