import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import { testDatabase } from '../support/database.ts'
import type { FlowService } from '../support/login-flow.ts'
import { finish, get, loginToFinish, post, start, text } from '../support/login-flow.ts'
import { startNginx, withoutNginx } from '../support/nginx.ts'
import { emptyFolder, freePorts } from '../support/npm-start.ts'
import { startOpenLoad } from '../support/open-load.ts'
import { end, eventually } from '../support/process.ts'
import type { ProcessService } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { publicUrl, redirectUrl, registerSite, startDoubles } from '../support/service.ts'
import { makeNextVersion, nextVersion } from './next-version.ts'

// A rollout as a Deployment does it, under load: a new replica is ready before an old one is asked to stop, one after the
// other, while a migration is applied and both kinds of signing keys rotate. Replicas read the keys every two seconds in place
// of every 48, and the times that a new key waits are as many times shorter.

/** Milliseconds for which a site keeps the public keys: in place of five minutes. */
const jwksCache = 5_000

/** Seconds after which a new key signs, in place of seven minutes: longer than the cache and two readings together. */
const activatesIn = 10

const run = promisify(execFile)

/** Two replicas of this version, nginx with room for a third, and the version that replaces them. */
async function stage(t: Test) {
  const database = await testDatabase(t)
  await registerSite(database, redirectUrl)
  const doubles = await startDoubles(t)
  const folder = await emptyFolder(t)
  const redis = await testRedis(t)
  const env = {
    DRAIN_DELAY: '2',
    RATE_LIMIT: 'off',
    TRUST_PROXY: '1',
    NODE_OPTIONS: `--import=${new URL('../support/fast-timers.ts', import.meta.url).href}`,
  }
  const ports = [await freePorts(), await freePorts(), await freePorts()] as const
  const launch = (at: 0 | 1 | 2, root?: string) =>
    startProcess(t, {
      databaseUrl: database.url,
      redis,
      doubles,
      folder,
      env,
      ports: ports[at],
      ...(root !== undefined && { root }),
    })
  const nginx = await startNginx(
    t,
    ports.map(({ PORT }) => PORT),
  )
  /** Runs a command of a version beside the replicas. */
  const command = async (root: string, ...args: string[]) => {
    const { stdout } = await run(process.execPath, [join(root, 'src/cli.ts'), ...args], {
      cwd: folder,
      env: { NODE_ENV: 'development', DATABASE_URL: database.url },
    })
    const answer: unknown = JSON.parse(stdout)
    return answer
  }
  const service: FlowService = { url: nginx.url, doubles, config: { publicUrl } }
  return { database, service, launch, command, next: await makeNextVersion(t) }
}

/** A site that checks each access token by its cached public keys alone, and never asks for a key that it does not know. */
function verifyingSite(service: FlowService) {
  let cache: { readonly at: number; readonly key: Promise<JWTVerifyGetKey> } | undefined
  const kids = { access: new Set<string>(), refresh: new Set<string>() }
  const fetchKeys = async () => {
    const { status, text: body } = await get(service, '/.well-known/jwks.json')
    if (status !== 200) throw new Error(`jwks: ${status}`)
    return createLocalJWKSet(JSON.parse(body))
  }
  return {
    kids,
    async check(pair: { readonly access: string; readonly refresh: string }): Promise<void> {
      if (cache === undefined || performance.now() - cache.at > jwksCache)
        cache = { at: performance.now(), key: fetchKeys() }
      await jwtVerify(pair.access, await cache.key, { issuer: publicUrl, typ: 'at+jwt' })
      kids.access.add(decodeProtectedHeader(pair.access).kid ?? '')
      kids.refresh.add(decodeProtectedHeader(pair.refresh).kid ?? '')
    },
  }
}

/** What sites and visitors do; the tokens of every login are used until the end of the rollout. */
function requestsOf(service: FlowService, site: ReturnType<typeof verifyingSite>) {
  const sessions: { access: string; refresh: string }[] = []
  const renew = async (refresh_token: string) => {
    const answer = await post(service, '/api/v1/oauth/refresh/', { refresh_token })
    const pair = { access: text(answer, 'access_token'), refresh: text(answer, 'refresh_token') }
    await site.check(pair)
    sessions.push(pair)
  }
  const use = async () => {
    const pair = sessions.shift()
    if (pair === undefined) return
    await site.check(pair)
    const me = await get(service, '/api/v1/me/', { authorization: `Bearer ${pair.access}` })
    if (me.status !== 200) throw new Error(`me: ${me.status} ${me.text}`)
    await renew(pair.refresh)
  }
  const logIn = async () => {
    const answer = await finish(service, await loginToFinish(service))
    const pair = { access: text(answer, 'access_token'), refresh: text(answer, 'refresh_token') }
    await site.check(pair)
    sessions.push(pair)
  }
  return { sessions, renew, requests: [logIn, use, () => start(service, 'mail'), use] }
}

t.test(
  'no request fails and no token is invalid while a rollout, a migration and a rotation of keys go on',
  { skip: withoutRedis || withoutNginx, timeout: 180_000 },
  async (t) => {
    const { database, service, launch, command, next } = await stage(t)
    const old = [await launch(0), await launch(1)] as const
    const site = verifyingSite(service)
    const { sessions, renew, requests } = requestsOf(service, site)
    const traffic = startOpenLoad(requests, 40)
    await eventually(() => {
      if (sessions.length < 10) throw new Error(`no load: ${traffic.failures.join()}`)
    })

    for (const kind of ['access', 'refresh']) await command(process.cwd(), 'keys', 'rotate', kind)
    await database.pool.query(
      `UPDATE signing_keys SET activates_at = now() + $1 * interval '1 second' WHERE activates_at > now()`,
      [activatesIn],
    )
    t.strictSame(await command(next.root, 'migrate'), { applied: [next.migration] })
    t.strictSame(traffic.failures, [], 'the old version works on the new schema')

    const fresh: ProcessService[] = []
    for (const [turn, replica] of old.entries()) {
      fresh.push(await launch(turn === 0 ? 2 : 0, next.root))
      await end(replica.started.child, 'SIGTERM')
      t.equal(replica.started.child.exitCode, 0, `replica ${turn + 1} stopped`)
      t.strictSame(traffic.failures, [], `replica ${turn + 1} is replaced`)
    }
    await eventually(() => {
      if (site.kids.access.size < 2 || site.kids.refresh.size < 2)
        throw new Error('the new keys do not sign yet')
    }, 20_000)
    await wait(1_000)
    const sent = await traffic.stop()

    t.strictSame(traffic.failures, [])
    t.equal(site.kids.access.size, 2, 'both access keys signed')
    t.equal(site.kids.refresh.size, 2, 'both refresh keys signed')
    t.ok(sent > 300, `${sent} sent`)
    const left = sessions.splice(0)
    t.ok(left.length > 50, `${left.length} sessions live`)
    for (const { refresh } of left) await renew(refresh)
    for (const { started } of fresh) t.match(started.output(), `"version":"${nextVersion}"`)
    for (const { started } of [...old, ...fresh])
      t.notMatch(started.output(), /"level":"(error|fatal)"/, 'no replica met an error')
  },
)
