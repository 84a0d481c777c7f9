import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { end, eventually, findProgram, freePort } from './process.ts'

const program = findProgram('prometheus')

/** For `t.test(name, { skip: withoutPrometheus }, …)`: false if Prometheus is installed, otherwise the reason. */
export const withoutPrometheus = program === undefined ? 'prometheus is not installed' : false

/** A series and its value at the time of a query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

/** A running Prometheus. */
export interface Prometheus {
  readonly url: string
  /** The result of a query. @throws {Error} with Prometheus' own words where the query is wrong */
  query(expression: string): Promise<Sample[]>
  /** The labels of all alerts that fire now. */
  firing(): Promise<Readonly<Record<string, string>>[]>
  /** A member of a response of its API, by its path. */
  ask(path: string): Promise<unknown>
}

/**
 * Starts Prometheus as an operator would, but scrapes twice and evaluates four times per second. It ends when `test` ends.
 * @param targets host and port of each replica's management port
 * @param rules the text of a file of rules
 */
export async function startPrometheus(
  test: Pick<Test, 'teardown'>,
  { targets, rules }: { readonly targets: readonly string[]; readonly rules: string },
): Promise<Prometheus> {
  if (program === undefined) throw new Error('prometheus is not installed.')
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-prometheus-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  await writeFile(join(folder, 'rules.yaml'), rules)
  await writeFile(
    join(folder, 'prometheus.yaml'),
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '250ms' },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'auth-movies', static_configs: [{ targets }] }],
    }),
  )
  const child = spawn(
    program,
    [
      `--config.file=${folder}/prometheus.yaml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  test.teardown(() => end(child, 'SIGTERM'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => (errors += String(chunk)))
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) return
    const { status } = await fetch(`${url}/-/ready`)
    if (status !== 200) throw new Error(`ready: ${status}`)
  }, 30_000)
  if (child.exitCode !== null) throw new Error(errors)
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}`)
    const json: unknown = await response.json()
    const { status, data, error } = Object(json)
    if (status !== 'success') throw new Error(`${path}: ${String(error)}`)
    return data
  }
  return {
    url,
    ask,
    async query(expression) {
      const { result } = Object(await ask(`query?query=${encodeURIComponent(expression)}`))
      return result.map(({ metric, value }: { metric: Sample['metric']; value: [number, string] }) => ({
        metric,
        value: Number(value[1]),
      }))
    },
    async firing() {
      const { alerts } = Object(await ask('alerts'))
      return alerts
        .filter(({ state }: { state: string }) => state === 'firing')
        .map(({ labels }: { labels: Record<string, string> }) => labels)
    },
  }
}
