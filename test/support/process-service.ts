import type { Test } from 'tap'
import { envOf } from '../../sandbox/doubles/index.ts'
import type { Environment } from '../../src/config/variables.ts'
import type { FlowService } from './login-flow.ts'
import type { Started } from './npm-start.ts'
import { emptyFolder, freePorts, run } from './npm-start.ts'
import { eventually } from './process.ts'
import type { TestService } from './service.ts'
import { publicUrl } from './service.ts'

/** The service as a separate process, which can be killed and halted. */
export interface ProcessService extends FlowService {
  readonly started: Started
  /** Where health and metrics are. */
  readonly managementUrl: string
}

/** What a process needs. */
export interface ProcessOptions {
  readonly databaseUrl: string
  readonly redis: { readonly url: string; readonly prefix: string }
  readonly doubles: TestService['doubles']
  /** Overrides all other variables. */
  readonly env?: Environment
  /** The working folder, a new one by default. Processes with the same folder have the same secret keys. */
  readonly folder?: string
  /** `src/main.ts` by default. */
  readonly entry?: 'sandbox/start.ts' | 'src/main.ts'
  /** The ports, for a process that replaces another one. */
  readonly ports?: Started['ports']
  /** A folder with another version of the code, the repository by default. */
  readonly root?: string
}

/** Runs the service until it is ready; killed when `test` ends. */
export async function startProcess(
  test: Pick<Test, 'teardown'>,
  { databaseUrl, redis, doubles, env, folder, ports, root, entry = 'src/main.ts' }: ProcessOptions,
): Promise<ProcessService> {
  const started = run(test, entry, {
    folder: folder ?? (await emptyFolder(test)),
    ports: ports ?? (await freePorts()),
    root,
    env: {
      NODE_ENV: 'development',
      PUBLIC_URL: publicUrl,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      REDIS_PREFIX: redis.prefix,
      ...envOf(doubles),
      ...env,
    },
  })
  const managementUrl = `http://127.0.0.1:${started.ports.MANAGEMENT_PORT}`
  await eventually(async () => {
    if (started.child.exitCode !== null) return
    const { status } = await fetch(`${managementUrl}/health/ready`)
    if (status !== 200) throw new Error(`ready: ${status}`)
  }, 30_000)
  if (started.child.exitCode !== null) throw new Error(started.errors())
  return {
    started,
    url: `http://127.0.0.1:${started.ports.PORT}`,
    managementUrl,
    doubles,
    config: { publicUrl },
  }
}

/** The status of the liveness probe, and how long it took in milliseconds. */
export async function liveness({ managementUrl }: ProcessService): Promise<{ status: number; took: number }> {
  const from = performance.now()
  const { status } = await fetch(`${managementUrl}/health/live`)
  return { status, took: performance.now() - from }
}
