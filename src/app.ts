import fastifyRedis from '@fastify/redis'
import type { FastifyBaseLogger } from 'fastify'
import type { Cluster, Redis } from 'ioredis'
import { providers } from '../plugins/index.ts'
import type { Config } from './config/config.ts'
import type { Deadlines } from './deadlines.ts'
import { forms } from './http/bodies.ts'
import { docs, favicon } from './http/docs.ts'
import type { Metrics } from './http/metrics.ts'
import { measured } from './http/metrics.ts'
import { openapi } from './http/openapi.ts'
import { createRateLimits, noRateLimits } from './http/rate-limit.ts'
import { createRunningWork } from './http/running-work.ts'
import { createServer } from './http/server.ts'
import type { SigningKeys } from './keys/ring.ts'
import { callbackPage, callbackPath, callbackRoute } from './login/callback-route.ts'
import type { FinishServices } from './login/finish.ts'
import { finishProblems } from './login/finish.ts'
import type { LoginStore } from './login/login-store.ts'
import { createMemoryLoginStore } from './login/memory-login-store.ts'
import { createClaims } from './login/outage-safe-claims.ts'
import { createRedisLoginStore } from './login/redis-login-store.ts'
import { loginRoutes } from './login/routes.ts'
import type { StartServices } from './login/start.ts'
import { createMemoryLoginHistory } from './login-history/memory-store.ts'
import { trackRequests } from './login-history/progress.ts'
import { createRedisLoginHistory } from './login-history/redis-store.ts'
import { siteLoginsRoute } from './login-history/routes.ts'
import { cors } from './openid/cors.ts'
import { openidRoutes } from './openid/routes.ts'
import { codeProblems } from './openid/token.ts'
import { problemPages } from './problems/pages.ts'
import { Problem } from './problems/problem.ts'
import type { ProviderPlugin } from './providers/provider-plugin.ts'
import { createProviderRegistry, providerRoutes } from './providers/registry.ts'
import { findSessionOfLogin, openSession } from './sessions/open-session.ts'
import { ownSessionRoutes } from './sessions/own-sessions.ts'
import { refreshOutcomes } from './sessions/refresh.ts'
import { sessionRoutes } from './sessions/routes.ts'
import { createSites } from './sites/lookup.ts'
import { siteRoutes } from './sites/routes.ts'
import { isDatabaseUnavailable, isTransient } from './storage/database-errors.ts'
import type { Database } from './storage/postgres.ts'
import { StoreUnavailable } from './storage/redis-errors.ts'
import { tokenRoutes } from './tokens/routes.ts'
import { issueTokenPair, TokenPair } from './tokens/token-pair.ts'
import type { Tracing } from './tracing/tracing.ts'
import { profileRoute } from './users/me.ts'

export { providers }

/** Every provider that this service knows, configured or not: the built-in ones, and those that the configuration adds. */
export function providersOf({ openIdProviders }: Pick<Config, 'openIdProviders'>): readonly ProviderPlugin[] {
  return [...providers, ...openIdProviders]
}

/** What the process opened for the app, and closes after it. */
export interface Resources {
  readonly database: Database
  /** Absent in development: logins and limits live in this process then. */
  readonly redis?: Redis | Cluster
  readonly keys: SigningKeys
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
  /** Where logins live between start and finish, in place of Redis or memory: the sandbox hands in one that it can age. */
  readonly logins?: LoginStore
  /** Absent where no variable asks for traces. */
  readonly tracing?: Tracing
  /** Aborted at the beginning of a stop. */
  readonly stopping?: AbortSignal
}

/** Milliseconds. A request that is on its way when the port closes is there by then, and the stop takes no second. */
const lastRequests = 500

const document = {
  title: 'Auth-movies',
  server: 'Where your operator runs the service',
  description:
    'Logs people in to client sites through OAuth providers. Every POST takes a form, urlencoded or multipart; JSON with the same members is read as well.',
  tags: [
    { name: 'Login', description: 'The two requests of a login, and what the browser does between them' },
    {
      name: 'OpenID Connect',
      description: 'The same login for standard clients, which find the rest by discovery',
    },
    { name: 'Sessions', description: 'Refresh, introspection, logout' },
    { name: 'Users', description: 'The person behind an access token' },
    { name: 'Sites', description: 'What the service knows of your own site, and where its logins got to' },
    { name: 'Providers', description: 'What a login button may offer' },
    { name: 'Metadata', description: 'Keys and addresses for JOSE and OAuth libraries' },
  ],
}

/** The public service: which plugins, in which order. */
export async function createApp(config: Config, resources: Resources) {
  const { database, redis, keys, metrics, log, tracing, stopping } = resources
  const { publicUrl, deadlines } = config
  const registry = createProviderRegistry()
  const running = createRunningWork()
  const sites = createSites(database, config.siteKept)
  const limits = config.rateLimit ? createRateLimits(redis, config.redis.prefix) : noRateLimits
  const logins =
    resources.logins ??
    (redis === undefined ? createMemoryLoginStore() : createRedisLoginStore(redis, config.redis.prefix))
  const claims = createClaims(logins, log)
  const history =
    redis === undefined ? createMemoryLoginHistory() : createRedisLoginHistory(redis, config.redis.prefix)
  const track = trackRequests({
    history,
    translate,
    onStep(provider, step, seconds, at) {
      metrics.stepDuration.observe({ provider, step }, seconds)
      tracing?.step(step, { provider, seconds, at })
    },
  })
  const known = providersOf(config)
  const told = { publicUrl, providerTitles: new Map(known.map(({ name, title }) => [name, title])) }
  const callback = { services: { logins, sites, limits }, track, deadlines, ...told }

  const problems = { ...told, origin: publicUrl, page: callbackPage(told) }
  const app = await createServer(config, {
    log,
    translate,
    problems,
    lastRequests,
    ...(stopping && { stopping }),
  })
  // Every request is answered by then, and Redis is still there.
  app.addHook('onClose', async () => {
    await Promise.all([claims.close(), history.flush()])
  })
  await app.register(measured, { metrics })
  if (tracing !== undefined) await app.register(tracing.requests)
  beginAtZero(metrics, [...config.providers.keys()])
  await app.register(forms)
  await app.register(openapi, document)
  app.addSchema(TokenPair)
  // Not closed with the app: QUIT fails while Redis is away, and with it the stop. Who opened it disconnects.
  if (redis !== undefined) await app.register(fastifyRedis, { client: redis })

  for (const { name, plugin } of known) {
    const settings = config.providers.get(name)
    if (settings === undefined) continue
    metrics.breakerState.set({ provider: name }, breakerValue.closed)
    await app.register(plugin, {
      settings,
      registry,
      callbackRoute: (adapter) => callbackRoute(adapter, callback),
      ...(config.proxy && { proxy: config.proxy }),
      timeouts: { connect: deadlines.providerConnect, response: deadlines.providerResponse },
      onHttpRequest({ provider, method, endpoint, result, seconds }) {
        metrics.clientDuration.observe({ provider, endpoint, outcome: String(result) }, seconds)
        tracing?.providerRequest({ provider, method, endpoint, result, seconds })
      },
      onStateChange: (provider, state) => metrics.breakerState.set({ provider }, breakerValue[state]),
    })
  }
  const loginServices: StartServices & FinishServices & { readonly deadlines: Deadlines } = {
    logins,
    claims,
    sites,
    limits,
    providers: registry,
    callbackUrl: (provider) => publicUrl + callbackPath(provider),
    loginTtl: config.loginTtl,
    openSession: (session, signal) => {
      const { refreshTokenTtl: ttl, sessionMaxAge: maxAge } = config
      const refreshKid = keys.active('refresh').kid
      return openSession(database, { ...session, refreshKid, ttl, maxAge }, signal).catch(incomplete)
    },
    sessionOfLogin: (loginHash) => findSessionOfLogin(database, loginHash),
    deadlines,
  }
  await app.register(loginRoutes, {
    services: loginServices,
    issueTokens: (session) => issueTokenPair(keys, session),
    callback,
    track,
    running,
    providerNames: known.map(({ name }) => name),
    providerAccounts: known.flatMap(({ accounts }) => accounts),
    metrics,
  })
  await app.register(siteRoutes, { sites, limits, keys, config })
  await app.register(siteLoginsRoute, { sites, limits, history })
  await app.register(cors, { sites, limits })
  const sessions = { database, keys, sites, limits, config, metrics }
  await app.register(sessionRoutes, sessions)
  await app.register(ownSessionRoutes, { database, keys, limits })
  await app.register(profileRoute, { database, keys, limits })
  await app.register(providerRoutes, { providers: registry })
  await app.register(tokenRoutes, { keys })
  await app.register(openidRoutes, {
    ...sessions,
    services: loginServices,
    sessions,
    problems,
    track,
    running,
  })
  await app.register(problemPages, { publicUrl })
  favicon(app)
  await app.register(docs, { title: document.title })
  // The last hook runs first: a finish whose caller is gone still needs its provider's connections.
  app.addHook('onClose', () => running.ended())
  return { app, providers: registry, sites, history }
}

/**
 * Makes the counters that alerts look at before anything is counted: a counter that first appears with its first event
 * hides that event from Prometheus, which sees no rise.
 */
function beginAtZero(metrics: Metrics, configured: readonly string[]): void {
  const failures = [...finishProblems, ...codeProblems, 'internal-error', 'dependency-unavailable'] as const
  for (const provider of configured) {
    metrics.loginsStarted.inc({ provider }, 0)
    for (const outcome of ['success', ...failures]) metrics.loginsFinished.inc({ provider, outcome }, 0)
  }
  for (const problem of failures) metrics.problems.inc({ problem }, 0)
  for (const outcome of refreshOutcomes) metrics.refreshes.inc({ outcome }, 0)
}

const breakerValue = { closed: 0, 'half-open': 1, open: 2 } as const

/** The code is spent, so the same request again would not help: the caller is told to start anew. */
function incomplete(error: unknown): never {
  throw isTransient(error) ? new Problem('login-incomplete', { retryAfter: 1, cause: error }) : error
}

/** A dependency that does not answer is 503 with a time to come back, wherever it is noticed. */
export function translate(error: unknown): Problem | undefined {
  const away = error instanceof StoreUnavailable || isDatabaseUnavailable(error)
  return away ? new Problem('dependency-unavailable', { retryAfter: 1, cause: error }) : undefined
}
