import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { emptyDatabase } from '../support/database.ts'
import { end, eventually, freePort } from '../support/process.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'

// The image without a container engine: what the Dockerfile copies, with the packages of `npm ci --omit=dev
// --omit=optional` by the lockfile, must be enough for strict mode on real PostgreSQL and Redis.

const root = fileURLToPath(new URL('../..', import.meta.url))
const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8')
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
const copied = Array.from(
  lastStage.matchAll(/^COPY (?!--from)(\S+) (\S+)$/gm),
  ([, source = '', target]) => ({
    source,
    target: target === './' ? source : (target ?? ''),
  }),
)
const command = Value.Parse(Type.Array(Type.String()), JSON.parse(/^CMD (.*)$/m.exec(lastStage)?.[1] ?? ''))

const Lockfile = Type.Object({
  packages: Type.Record(
    Type.String(),
    Type.Object({
      dev: Type.Optional(Type.Boolean()),
      optional: Type.Optional(Type.Boolean()),
      devOptional: Type.Optional(Type.Boolean()),
    }),
  ),
})

await t.test('the last stage copies the service and nothing else', async (t) => {
  t.strictSame(
    copied.map(({ source }) => source),
    ['package.json', 'prisma/migrations', 'plugins', 'src'],
  )
  t.match(lastStage, /^USER 10001:10001$/m)
  t.match(lastStage, /^ENV NODE_ENV=production$/m)
  t.match(lastStage, /^STOPSIGNAL SIGTERM$/m)
  t.equal(command[0], 'node', 'no shell and no npm between the signal and the service')
})

await t.test('.dockerignore lets through every path that is copied, and no other', async (t) => {
  const ignore = await readFile(join(root, '.dockerignore'), 'utf8')
  const allowed = ignore.split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
  const sources = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, words = '']) =>
    words.split(' '),
  ).flat()
  for (const source of sources) t.ok(allowed.includes(source.split('/', 1)[0] ?? ''), source)
  for (const path of allowed)
    t.ok(
      sources.some((source) => source.split('/', 1)[0] === path),
      path,
    )
})

await t.test("the image's files migrate, serve and stop", { skip: withoutRedis }, async (t) => {
  const image = await assemble(t)
  const redis = await testRedis(t)
  const [port, managementPort] = [await freePort(), await freePort()]
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    MANAGEMENT_PORT: String(managementPort),
    PUBLIC_URL: 'https://login.example',
    DATABASE_URL: await emptyDatabase(t),
    REDIS_URL: redis.url,
    REDIS_PREFIX: redis.prefix,
    SECRET_KEYS: randomBytes(32).toString('base64'),
    YANDEX_CLIENT_ID: 'id',
    YANDEX_CLIENT_SECRET: 'secret',
  }
  const run = (args: readonly string[]) => {
    const child = spawn(process.execPath, args, { cwd: image, env, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => end(child, 'SIGKILL'))
    return { child, said: collect(child) }
  }

  const early = run(command.slice(1))
  t.equal(await exitCode(early.child), 1)
  t.match(
    early.said.text,
    /run `node src\/cli\.ts migrate` first/,
    'before the migration it says what is missing',
  )

  const migration = run(['src/cli.ts', 'migrate'])
  t.equal(await exitCode(migration.child), 0, migration.said.text)

  const service = run(command.slice(1))
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${managementPort}/health/ready`)
    if (answer.status !== 200) throw new Error(service.said.text)
  }, 30_000)
  const documentation = await fetch(`http://127.0.0.1:${port}/docs/`)
  t.equal(documentation.status, 200, 'its packages have their files')
  t.notMatch(service.said.text, /Warning/, 'Node has nothing to say either')
  service.child.kill('SIGTERM')
  t.equal(await exitCode(service.child), 0, service.said.text)
})

/** A folder that holds what the image does; packages are links, which makes the test quick. */
async function assemble(test: Pick<typeof t, 'teardown'>): Promise<string> {
  const image = await mkdtemp(join(tmpdir(), 'auth-movies-image-'))
  test.teardown(() => rm(image, { recursive: true, force: true }))
  for (const { source, target } of [...copied, { source: 'prisma/client', target: 'prisma/client' }])
    await cp(join(root, source), join(image, target), { recursive: true })
  const { packages } = Value.Parse(
    Lockfile,
    JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')),
  )
  const kept = Object.entries(packages).filter(
    ([path, { dev, optional, devOptional }]) =>
      /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) &&
      dev !== true &&
      optional !== true &&
      devOptional !== true,
  )
  for (const [path] of kept) {
    await mkdir(dirname(join(image, path)), { recursive: true })
    await symlink(join(root, path), join(image, path))
  }
  return image
}

function collect(child: ChildProcess): { readonly text: string } {
  const said = { text: '' }
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (said.text += chunk.toString()))
  return said
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}
