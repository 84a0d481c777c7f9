import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { codeBlocks, readText, root } from '../docs/markdown.ts'
import { environmentVariables } from '../docs/variables.ts'
import { emptyDatabase } from '../support/database.ts'
import { render } from '../support/kubernetes.ts'
import { skipWithout, workFolder } from '../support/tools.ts'

// The walks of the guides against what they walk through: files, resources, variables and statements.

const kubernetes = await readText('docs/en/kubernetes.md')
const pages = await Promise.all(
  ['kubernetes', 'one-machine', 'upgrade', 'secrets', 'operators'].map((name) =>
    readText(`docs/en/${name}.md`),
  ),
)
const lines = (markdown: string) =>
  codeBlocks(markdown)
    .filter(({ info }) => info === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))

t.test('every file of deploy/ that a guide names exists', (t) => {
  const named = pages.flatMap((page) => Array.from(page.matchAll(/\bdeploy\/[\w./-]*\w/g), ([path]) => path))
  t.ok(named.length > 15)
  for (const path of named) t.ok(existsSync(join(root, path.replace('/mine', '/production'))), path)
  t.end()
})

t.test(
  'the Secrets of the walk hold variables that exist, under the names that the manifests ask for',
  {
    skip: skipWithout('go'),
  },
  async (t) => {
    const known = new Set(environmentVariables(providers).map(({ name }) => name))
    const made = lines(kubernetes).filter((line) => line.includes('create secret generic'))
    t.equal(made.length, 4)
    for (const line of made) {
      const [, namespace = '', secret = ''] = /-n (\S+) create secret generic (\S+)/.exec(line) ?? []
      const resources = await render(
        join(root, 'deploy/kubernetes/overlays', namespace === 'auth-movies' ? 'production' : 'local'),
      )
      t.ok(resources.some(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace))
      t.match(
        JSON.stringify(resources),
        new RegExp(`"(secretRef|secretKeyRef)":\\{[^}]*"name":"${secret}"`),
        secret,
      )
      const variables = Array.from(line.matchAll(/--from-literal=(\w+)=/g), ([, name]) => name ?? '')
      t.ok(variables.length > 0)
      if (secret !== 'postgres') for (const name of variables) t.ok(known.has(name), name)
    }
  },
)

t.test('what the walk asks of the cluster is there by that name', { skip: skipWithout('go') }, async (t) => {
  const asked = lines(kubernetes).flatMap((line) => {
    const found = /-n (\S+) (?:exec|logs|port-forward|rollout \w+) (deployment|service)\/(\S+)/.exec(line)
    return found === null ? [] : [found.slice(1)]
  })
  t.ok(asked.length >= 5)
  const overlays: Readonly<Record<string, string>> = {
    'auth-movies': 'production',
    'auth-movies-local': 'local',
    'auth-movies-demo': 'demo',
  }
  for (const [namespace = '', kind, name] of asked) {
    const resources = await render(join(root, 'deploy/kubernetes/overlays', overlays[namespace] ?? ''))
    t.ok(
      resources.some((resource) => resource.kind.toLowerCase() === kind && resource.metadata.name === name),
      `${namespace}: ${kind}/${name}`,
    )
  }
})

t.test(
  "the patch for an authority of one's own fits the Deployment",
  { skip: skipWithout('go') },
  async (t) => {
    const patch =
      codeBlocks(await readText('docs/en/operators.md')).find(({ info }) => info === 'yaml')?.text ?? ''
    const folder = join(await workFolder(t, 'authorities'), 'overlay')
    await mkdir(folder)
    await writeFile(join(folder, 'patch.yaml'), patch)
    // Paths below node_modules/.cache/clients, where the work folder is.
    const base = '../../../../../deploy/kubernetes/base'
    await writeFile(
      join(folder, 'kustomization.yaml'),
      `resources: [${base}]\npatches: [{ path: patch.yaml }]\n`,
    )
    const deployment = (await render(folder)).find(({ kind }) => kind === 'Deployment')
    const patched = {
      env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/authorities/authorities.pem' }],
      volumeMounts: [{ name: 'authorities', mountPath: '/authorities', readOnly: true }],
      securityContext: { readOnlyRootFilesystem: true },
    }
    t.match(deployment, {
      spec: {
        template: {
          spec: { initContainers: [patched], containers: [patched], volumes: [{ name: 'authorities' }] },
        },
      },
    })
  },
)

t.test('the second role for PostgreSQL may do what the first may', async (t) => {
  const url = new URL(await emptyDatabase(t))
  const owner = new Client({ connectionString: url.href })
  await owner.connect()
  t.teardown(() => owner.end())
  const statement =
    codeBlocks(await readText('docs/en/secrets.md')).find(({ info }) => info === 'sql')?.text ?? ''
  // Roles are of the whole server, which other tests use, too.
  const suffix = url.pathname.slice(1, 20)
  const rename = (sql: string) => sql.replaceAll(/auth_movies(_2)?/g, `$&_${suffix}`)
  await owner.query(rename("CREATE ROLE auth_movies LOGIN PASSWORD 'old'"))
  t.teardown(() => owner.query(rename('DROP OWNED BY auth_movies; DROP ROLE auth_movies_2, auth_movies')))
  await owner.query(rename('CREATE TABLE kept (id INTEGER); GRANT SELECT ON kept TO auth_movies'))
  await owner.query(rename(statement))
  await owner.query(rename('ALTER ROLE auth_movies NOLOGIN'))
  const asRole = async (name: string, password: string) => {
    const other = new URL(url)
    other.username = rename(name)
    other.password = password
    const client = new Client({ connectionString: other.href })
    await client.connect()
    try {
      await client.query('SELECT FROM kept')
    } finally {
      await client.end()
    }
  }
  await t.resolves(asRole('auth_movies_2', 'new'))
  await t.rejects(asRole('auth_movies', 'old'), /not permitted to log in/)
})
