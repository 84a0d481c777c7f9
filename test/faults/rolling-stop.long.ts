import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import t from 'tap'
import { testDatabase } from '../support/database.ts'
import type { FlowService } from '../support/login-flow.ts'
import { finish, get, loginToFinish, post, start, text } from '../support/login-flow.ts'
import { startNginx, withoutNginx } from '../support/nginx.ts'
import { emptyFolder, freePorts } from '../support/npm-start.ts'
import { startOpenLoad } from '../support/open-load.ts'
import type { ProcessService } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { publicUrl, redirectUrl, registerSite, startDoubles } from '../support/service.ts'

/** Seconds: longer than nginx takes to use every kept connection once. */
const drainDelay = 2

/** Two replicas on the same storage, and nginx in front of them. */
async function stage(t: Test) {
  const database = await testDatabase(t)
  await registerSite(database, redirectUrl)
  const options = {
    databaseUrl: database.url,
    redis: await testRedis(t),
    doubles: await startDoubles(t),
    folder: await emptyFolder(t),
    env: { DRAIN_DELAY: String(drainDelay), RATE_LIMIT: 'off', TRUST_PROXY: '1' },
  }
  const ports = [await freePorts(), await freePorts()] as const
  const launch = (replica: 0 | 1) => startProcess(t, { ...options, ports: ports[replica] })
  await launch(1)
  const first = await launch(0)
  const nginx = await startNginx(
    t,
    ports.map(({ PORT }) => PORT),
  )
  const service: FlowService = { url: nginx.url, doubles: options.doubles, config: { publicUrl } }
  return { service, first, restart: () => launch(0), nginx }
}

/** The requests of a site and its visitors, in turn; each throws where its response is not as expected. */
const requests: readonly ((service: FlowService) => Promise<unknown>)[] = [
  (service) => start(service),
  async (service) => {
    const { status } = await get(service, '/api/v1/oauth/providers/')
    if (status !== 200) throw new Error(`providers: ${status}`)
  },
  (service) => start(service, 'mail'),
  async (service) => {
    const answer = await finish(service, await loginToFinish(service))
    const refreshed = await post(service, '/api/v1/oauth/refresh/', {
      refresh_token: text(answer, 'refresh_token'),
    })
    text(refreshed, 'access_token')
  },
]

/** Opens requests on both ports that never end. */
async function halfSent(t: Test, { url, managementUrl }: ProcessService) {
  const halves = [
    '',
    'GET /problems/ HTTP/1.1\r\nHost: local',
    'POST /api/v1/oauth/authorize-url/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf',
    'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHo',
  ]
  for (const address of [url, managementUrl])
    for (const half of halves) {
      const socket = connect(Number(new URL(address).port), '127.0.0.1').on('error', () => {})
      t.teardown(() => void socket.destroy())
      await once(socket, 'connect')
      socket.resume().write(half)
    }
}

/** Stops reading its log, and fills the pipe between. */
async function blockLog({ url, started }: ProcessService) {
  started.child.stdout?.pause()
  for (let n = 0; n < 15; n++)
    await Promise.all(
      Array.from({ length: 100 }, () => get({ url }, '/nowhere', { 'x-request-id': 'x'.repeat(64) })),
    )
}

t.test(
  'no request fails while one of two replicas is stopped and started ten times',
  { skip: withoutRedis || withoutNginx, timeout: 600_000 },
  async (t) => {
    const { service, first, restart, nginx } = await stage(t)
    const traffic = startOpenLoad(
      requests.map((request) => () => request(service)),
      20,
    )
    let replica = first
    for (let stop = 1; stop <= 10; stop++) {
      // Long enough for nginx to find it again.
      await wait(1_500)
      const { child } = replica.started
      const served = replica.started.output().length
      if (stop % 3 !== 1) await halfSent(t, replica)
      if (stop % 3 === 0) await blockLog(replica)
      const asked = performance.now()
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      const took = performance.now() - asked
      t.ok(served > 0, `stop ${stop}: it had its part of the load`)
      t.equal(child.exitCode, 0, `stop ${stop}: exit code`)
      t.ok(took < drainDelay * 1_000 + 1_000, `stop ${stop}: after ${Math.round(took)} ms`)
      t.strictSame(traffic.failures, [], `stop ${stop}: no failures`)
      replica = await restart()
    }
    const sent = await traffic.stop()
    const refused = /connect\(\) failed \(111: /
    const unusual = nginx
      .errors()
      .split('\n')
      .filter((line) => line !== '' && !refused.test(line))
    t.strictSame(unusual, [], 'nginx met nothing but a closed port')
    t.ok(sent > 500, `${sent} sent`)
  },
)
