import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import manifest from '../../package.json' with { type: 'json' }
import { productionPackages } from '../../scripts/production-packages.ts'
import { emptyDatabase } from '../support/database.ts'
import { imageBuilder, withoutBuildah } from '../support/image.ts'
import { end, eventually, freePort } from '../support/process.ts'
import { testRedis } from '../support/redis.ts'
import { runTool } from '../support/tools.ts'

// The image, built by buildah from the Dockerfile as it is (but from a base made here, as no registry of images is
// needed then), looked into, and run on real PostgreSQL and Redis.

const commit = 'a1b2c3d4'

const Inspected = Type.Object({
  Docker: Type.Object({
    config: Type.Object({
      User: Type.String(),
      Env: Type.Array(Type.String()),
      Cmd: Type.Array(Type.String()),
      Labels: Type.Record(Type.String(), Type.String()),
      Healthcheck: Type.Object({ Test: Type.Array(Type.String()) }),
    }),
  }),
})

t.test('the image is built, holds the service alone, and serves', { skip: withoutBuildah }, async (t) => {
  const builder = await imageBuilder(t, commit)
  const image = await builder.build()
  const { config } = Value.Parse(Inspected, await builder.inspect(image)).Docker

  await t.test('it says what it is', async (t) => {
    t.equal(config.User, '10001:10001')
    t.strictSame(config.Cmd, ['node', '--max-semi-space-size=8', 'src/main.ts'])
    t.match(config.Labels, {
      'org.opencontainers.image.version': manifest.version,
      'org.opencontainers.image.revision': commit,
      'org.opencontainers.image.licenses': 'MIT',
    })
    t.ok(config.Env.includes('NODE_ENV=production'))
  })

  await t.test('it holds nothing but the service', async (t) => {
    const inside = await builder.container(image)
    const look = async (...command: string[]) => {
      const [program, ...args] = [...inside, ...command]
      return (await runTool(program ?? '', args)).split('\n').filter((line) => line !== '')
    }
    t.strictSame(await look('ls', '/app'), ['node_modules', 'package.json', 'plugins', 'prisma', 'src'])
    t.strictSame(await look('ls', '/usr/local/bin'), ['node'])
    t.strictSame(await look('ls', '/usr/local/lib/node_modules').catch(() => 'gone'), 'gone')
    const manifests = await look('find', '/app/node_modules', '-maxdepth', '3', '-name', 'package.json')
    const packages = manifests
      .map((path) => path.slice('/app/'.length, -'/package.json'.length))
      .filter((path) => /^node_modules\/(@[^/]+\/)?[^/@]+$/.test(path))
    const expected = productionPackages().map(({ path }) => path)
    t.strictSame(
      packages.filter((path) => !/^node_modules\/[^@]+\//.test(path)).toSorted(),
      expected.filter((path) => path.lastIndexOf('node_modules/') === 0).toSorted(),
    )
    t.strictSame(await look('id', '-u'), ['10001'])
    const writable = ['/', '-xdev', '!', '-type', 'l', '(', '-user', '10001', '-o', '-perm', '-0002', ')']
    const kernel = ['/proc', '/sys', '/dev'].flatMap((path) => ['!', '-path', `${path}*`])
    t.strictSame(
      (await look('find', ...writable, ...kernel)).filter((path) => path !== '/tmp'),
      [],
      'its user can write nowhere',
    )
  })

  await t.test('it migrates, serves, is healthy, and stops', async (t) => {
    const redis = await testRedis(t)
    const [port, managementPort] = [await freePort(), await freePort()]
    const env = {
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
    const [program, ...args] = await builder.container(image, env)
    t.match(await runTool(program, [...args, 'node', 'src/cli.ts', 'migrate']), /"applied"/)
    const service = spawn(program, [...args, ...config.Cmd], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => killed(service))
    let log = ''
    service.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
    await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${managementPort}/health/ready`)
      t.match(await answer.json(), { ready: true, version: manifest.version, commit })
    }, 30_000)
    t.match(JSON.parse(log.split('\n', 1)[0] ?? ''), { msg: 'starting', version: manifest.version, commit })

    const [kind, ...check] = config.Healthcheck.Test
    t.equal(kind, 'CMD')
    await runTool(program, [...args, ...check])
    await t.rejects(
      runTool(program, [...args, 'env', 'MANAGEMENT_PORT=9', ...check]),
      'the health check can fail',
    )

    process.kill(nodeBelow(service.pid ?? 0), 'SIGTERM')
    if (service.exitCode === null) await once(service, 'exit')
    t.equal(service.exitCode, 0)
    t.match(log, /"msg":"stopped"/)
  })

  await t.test('the demo shows its site, with the sandbox behind it', async (t) => {
    const demo = await builder.build('demo')
    const [port, managementPort, sandboxPort] = [await freePort(), await freePort(), await freePort()]
    const [program, ...args] = await builder.container(demo, {
      PORT: String(port),
      MANAGEMENT_PORT: String(managementPort),
      SANDBOX_PORT: String(sandboxPort),
      LOG_LEVEL: 'silent',
    })
    const running = spawn(program, [...args, 'node', 'sandbox/start.ts'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => killed(running))
    let said = ''
    running.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const shop = await eventually(() => {
      const address =
        /http:\/\/127\.0\.0\.1:\d+\/demo\S*/.exec(said)?.[0] ?? /^ {4}(http\S+)$/m.exec(said)?.[1]
      if (address === undefined) throw new Error(said)
      return address
    }, 60_000)
    t.equal((await fetch(shop)).status, 200, shop)
  })
})

/** The process of Node that runs below this one, in the container. */
function nodeBelow(pid: number): number {
  const name = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0', 1)[0] ?? ''
  if (name.endsWith('node')) return pid
  // Any thread of a program in Go may have started it.
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' '))
    .filter((word) => word !== '')
  if (children[0] === undefined) throw new Error(`${name} (${pid}) runs no Node.`)
  return nodeBelow(Number(children[0]))
}

/** Ends what runs in a container, for a test that failed before it stopped it. */
async function killed(container: ChildProcess): Promise<void> {
  if (container.exitCode === null) process.kill(nodeBelow(container.pid ?? 0), 'SIGKILL')
  await end(container, 'SIGKILL')
}
