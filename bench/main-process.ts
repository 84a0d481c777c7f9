import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { end, eventually, freePort } from '../test/support/process.ts'
import { providerVariables } from './config.ts'
import type { Program } from './program.ts'
import type { Environment } from './servers.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** The service as an operator starts it, and how many milliseconds passed from there to its first answered request. */
export type MainProcess = Program & { readonly startedWithin: number }

/**
 * Starts `src/main.ts` on servers that are there, with a database of this version's schema.
 * @param execArgv for Node itself
 */
export async function startMain(
  environment: Environment,
  execArgv: readonly string[] = [],
): Promise<MainProcess> {
  const port = await freePort()
  const from = performance.now()
  const child = spawn(process.execPath, [...execArgv, main], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'development',
      PORT: String(port),
      MANAGEMENT_PORT: String(await freePort()),
      DATABASE_URL: environment.BENCH_DATABASE_URL,
      REDIS_URL: environment.BENCH_REDIS_URL,
      SECRET_KEYS: environment.BENCH_SECRET_KEY,
      ...providerVariables(environment.BENCH_PROVIDER_URL),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) return
    await firstRequest(url)
  }, 30_000)
  if (child.exitCode !== null) throw new Error('The service has ended.')
  const startedWithin = performance.now() - from
  return { ...programOf(child, url), startedWithin }
}

async function firstRequest(url: string): Promise<void> {
  const { status } = await fetch(`${url}/api/v1/oauth/authorize-url/`, {
    method: 'POST',
    body: new URLSearchParams({ provider: 'yandex', client_redirect_url: 'https://site.example/return' }),
  })
  if (status !== 200) throw new Error(`start: ${status}`)
}

/** What the bench's own programs answer, of a process that knows nothing of the bench: as Linux counts it. */
function programOf(child: ChildProcess, url: string): Program {
  const pid = child.pid ?? 0
  return {
    url,
    pid,
    // Its main thread alone; where CPU is compared, the bench's own programs are measured.
    cpu: async () => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000,
    memory: async () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    end: () => end(child, 'SIGTERM'),
  }
}
