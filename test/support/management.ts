import { createHash, randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type t from 'tap'
import { createHealth } from '../../src/health.ts'
import { createManagement } from '../../src/management.ts'
import { loginsTried } from '../../src/redis-start-check.ts'
import type { Answer } from './login-flow.ts'
import { readResponse } from './login-flow.ts'
import type { TestService, TestServiceOptions } from './service.ts'
import { startTestService } from './service.ts'

type Test = Pick<typeof t, 'teardown'>

/** What a test may change in a request to the admin API. */
export interface AdminRequest {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** null sends no token. */
  readonly token?: string | null
}

/** The public service and its management server, as main.ts starts them. */
export interface TestManagement {
  /** The URL where the management server listens. */
  readonly url: string
  readonly service: TestService
  /** The token named `tester`. */
  readonly token: string
  /** Sends a request to the admin API: `admin('POST', 'sites/', { body })`. */
  readonly admin: (method: string, path: string, request?: AdminRequest) => Promise<Answer>
  /** The audit lines since the last call. */
  readonly audited: () => Readonly<Record<string, unknown>>[]
}

/** A token and its entry for ADMIN_TOKENS. */
export function adminToken(name: string): { readonly token: string; readonly entry: string } {
  const token = randomBytes(32).toString('base64url')
  return { token, entry: `${name}:${createHash('sha256').update(token).digest('hex')}` }
}

/** Starts both servers; they stop when `test` ends. */
export async function startTestManagement(
  test: Test,
  options: TestServiceOptions = {},
): Promise<TestManagement> {
  const { token, entry } = adminToken('tester')
  const env = { ADMIN_TOKENS: `${adminToken('other').entry},${entry}`, ...options.env }
  const service = await startTestService(test, { ...options, env })
  const { config, database, keys, metrics, managed, redis } = service
  const health = createHealth({
    build: config.build,
    database,
    keys,
    metrics,
    registry: managed.providers,
    ...(redis && { tryRedis: loginsTried(redis, config.redis.prefix) }),
  })
  const manager = await createManagement(config, { database, metrics, health, ...managed })
  test.teardown(() => manager.close())
  await manager.listen({ host: '127.0.0.1', port: 0 })
  const { port } = manager.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  let seen = 0
  return {
    url,
    service,
    token,
    async admin(method, path, { body, headers, token: own = token } = {}) {
      const response = await fetch(`${url}/api/v1/admin/${path}`, {
        method,
        headers: {
          ...(own !== null && { authorization: `Bearer ${own}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      return readResponse(response)
    },
    audited() {
      const lines = service.log.slice(seen).map((line): Record<string, unknown> => JSON.parse(line))
      seen = service.log.length
      return lines.filter(({ audit }) => audit === true)
    },
  }
}
