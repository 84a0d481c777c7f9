import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Test } from 'tap'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { startService } from '../../src/service.ts'
import { testDatabase } from '../support/database.ts'
import { get, loginToFinish } from '../support/login-flow.ts'
import { eventually, freePort } from '../support/process.ts'
import type { ProcessService } from '../support/process-service.ts'
import { withoutRedis } from '../support/redis.ts'
import { redirectUrl } from '../support/service.ts'
import { startHeldProcess } from './held-profiles.ts'

/** A keep-alive connection, and everything that was received on it. */
async function connection(t: Test, url: string) {
  const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => void socket.destroy())
  socket.on('error', () => {})
  let received = ''
  socket.setEncoding('utf8').on('data', (chunk) => (received += String(chunk)))
  await once(socket, 'connect')
  return {
    socket,
    send: (text: string) => void socket.write(text),
    /** How many answers have come so far. */
    answers: (count: number) =>
      eventually(() => {
        const heads = received.match(/HTTP\/1\.1 \d{3}[^]*?\r\n\r\n/g) ?? []
        if (heads.length < count) throw new Error(`${heads.length} answers: ${received}`)
        return heads
      }),
    closed: once(socket, 'close'),
  }
}

const question = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

const form = (path: string, fields: Readonly<Record<string, string>>) => {
  const body = new URLSearchParams(fields).toString()
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

const untilStopping = ({ started }: ProcessService) =>
  eventually(() => {
    if (!/"stopping"/.test(started.output())) throw new Error('not stopping')
  })

const lines = ({ started }: ProcessService): Record<string, unknown>[] =>
  started
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

t.test(
  'at SIGTERM a running request gets its response, then the process ends with 0',
  { skip: withoutRedis },
  async (t) => {
    const { service, toProfile, exchanged } = await startHeldProcess(t)
    const kept = await connection(t, service.url)
    kept.send(question('/api/v1/oauth/providers/'))
    t.notMatch((await kept.answers(1))[0], /^connection: close/im)
    toProfile.pause()
    kept.send(form('/api/v1/oauth/authorize/', await loginToFinish(service)))
    await exchanged()
    service.started.child.kill('SIGTERM')
    await untilStopping(service)
    toProfile.resume()
    const [, answer] = await kept.answers(2)
    const from = performance.now()
    t.match(answer, /^HTTP\/1\.1 200 /)
    t.match(answer, /^connection: close/im)
    t.equal(await service.started.ended, 0)
    t.ok(performance.now() - from < 1_000, 'within a second of its last answer')
    t.match(
      lines(service)[0],
      {
        msg: 'starting',
        version: /^\d+\.\d+\.\d+$/,
        commit: 'unknown',
        mode: 'development',
        port: Number(new URL(service.url).port),
        providers: providers.map(({ name }) => name),
        database: 'postgresql',
        logins: 'redis',
        rateLimit: true,
        accessTokenTtl: 900,
      },
      'what it runs on',
    )
    const ends = lines(service).filter(({ msg }) => msg === 'stopping' || msg === 'stopped')
    t.match(ends, [
      { msg: 'stopping', drainDelay: 0 },
      { msg: 'stopped', ms: Number },
    ])
  },
)

t.test('half-sent requests on both ports do not delay a stop', { skip: withoutRedis }, async (t) => {
  const { service } = await startHeldProcess(t)
  const halves = {
    'nothing at all': '',
    'half the headers': 'GET /api/v1/oauth/providers/ HTTP/1.1\r\nHost: local',
    'half a body': form('/api/v1/oauth/authorize-url/', { provider: 'yandex' }).slice(0, -3),
    'half the headers of a second request': `${question('/problems/')}GET /problems/ HTTP/1.1\r\nHo`,
    'half the body of a second request': question('/problems/') + form('/nowhere', { a: 'b' }).slice(0, -1),
  }
  const open = []
  for (const url of [service.url, service.managementUrl])
    for (const [name, text] of Object.entries(halves)) {
      const one = await connection(t, url)
      one.send(text)
      if (/second/.test(name)) await one.answers(1)
      open.push(one)
    }
  await get(service, '/api/v1/oauth/providers/')
  const from = performance.now()
  service.started.child.kill('SIGTERM')
  t.equal(await service.started.ended, 0)
  t.ok(performance.now() - from < 1_000, `${performance.now() - from} ms`)
  await Promise.all(open.map(({ closed }) => closed))
})

t.test(
  'a request whose rest arrives only after SIGTERM still gets its response',
  { skip: withoutRedis },
  async (t) => {
    const { service } = await startHeldProcess(t)
    const request = form('/api/v1/oauth/authorize-url/', {
      provider: 'yandex',
      client_redirect_url: redirectUrl,
    })
    const slow = await connection(t, service.url)
    slow.send(request.slice(0, -5))
    await get(service, '/api/v1/oauth/providers/')
    service.started.child.kill('SIGTERM')
    await untilStopping(service)
    slow.send(request.slice(-5))
    const [answer] = await slow.answers(1)
    t.match(answer, /^HTTP\/1\.1 200 /)
    t.match(answer, /^connection: close/im)
    t.equal(await service.started.ended, 0)
  },
)

t.test(
  'while it drains, every response of both ports closes its connection',
  { skip: withoutRedis },
  async (t) => {
    const { service } = await startHeldProcess(t, { DRAIN_DELAY: '2' })
    const kept = await connection(t, service.url)
    kept.send(question('/api/v1/oauth/providers/'))
    await kept.answers(1)
    service.started.child.kill('SIGTERM')
    await untilStopping(service)
    kept.send(question('/api/v1/oauth/providers/'))
    t.match((await kept.answers(2))[1], /^connection: close/im, 'a connection of before')
    await kept.closed
    for (const [url, path, status] of [
      [service.url, '/api/v1/oauth/providers/', 200],
      [service.url, '/nowhere', 404],
      [service.url, '/%', 404],
      [service.url, '/api/v1/oauth/callback/yandex?state=a&state=b', 400],
      [service.managementUrl, '/health/ready', 503],
      [service.managementUrl, '/metrics', 200],
    ] as const) {
      const one = await connection(t, url)
      one.send(question(path))
      const [answer = ''] = await one.answers(1)
      t.match(answer, `HTTP/1.1 ${status} `, path)
      t.match(answer, /^connection: close/im, path)
      await one.closed
    }
    t.equal(await service.started.ended, 0)
  },
)

t.test('a finish whose caller is gone ends before the process', { skip: withoutRedis }, async (t) => {
  const { database, service, toProfile, exchanged } = await startHeldProcess(t)
  toProfile.delay(700)
  const caller = await connection(t, service.url)
  caller.send(form('/api/v1/oauth/authorize/', await loginToFinish(service)))
  await exchanged()
  caller.socket.resetAndDestroy()
  service.started.child.kill('SIGTERM')
  t.equal(await service.started.ended, 0)
  t.equal(await database.prisma.session.count(), 1, 'the session is open')
})

t.test('a process whose log is not read ends at SIGTERM', { skip: withoutRedis }, async (t) => {
  const { service } = await startHeldProcess(t)
  const { child } = service.started
  const metrics = await get({ url: service.managementUrl }, '/metrics')
  t.match(metrics.text, /^log_lines_dropped_total 0$/m)
  child.stdout?.pause()
  const headers = { 'x-request-id': 'x'.repeat(64) }
  // More than the pipe and its reader hold, together about 300 kB.
  for (let n = 0; n < 20; n++)
    await Promise.all(Array.from({ length: 100 }, () => get(service, '/nowhere', headers)))
  const from = performance.now()
  child.kill('SIGTERM')
  // Not `ended`, which waits for the end of a pipe that is not read.
  if (child.exitCode === null) await once(child, 'exit')
  t.equal(child.exitCode, 0)
  t.ok(performance.now() - from < 2_000, `${performance.now() - from} ms`)
})

t.test(
  'requests get responses without a reader of the log, and the process ends with 0',
  { skip: withoutRedis },
  async (t) => {
    const { service } = await startHeldProcess(t)
    const { child } = service.started
    child.stdout?.destroy()
    for (let n = 0; n < 20; n++) t.equal((await get(service, '/nowhere')).status, 404)
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    t.equal(child.exitCode, 0)
  },
)

t.test('what cannot be closed is reported, and the rest is closed', async (t) => {
  const database = await testDatabase(t)
  const [port, managementPort] = [await freePort(), await freePort()]
  const service = await startService({
    NODE_ENV: 'development',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    SECRET_KEYS: Buffer.from(Array.from({ length: 32 }, (_, n) => n)).toString('base64'),
    PORT: String(port),
    MANAGEMENT_PORT: String(managementPort),
    YANDEX_CLIENT_ID: 'id',
    YANDEX_CLIENT_SECRET: 'secret',
  })
  const told = t.capture(service.log, 'error')
  // A pool can be ended only once, so that closing it again fails.
  await service.database.pool.end()
  await t.rejects(service.close(), /^Not closed: database\.$/)
  t.match(told(), [{ args: [{ err: Error }, 'closing failed: database'] }])
  for (const one of [port, managementPort]) await t.rejects(fetch(`http://127.0.0.1:${one}/`))
})
