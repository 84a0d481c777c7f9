import { randomBytes } from 'node:crypto'
import { Pool } from 'undici'

/** The result of one run. */
export interface Result {
  readonly kind: Kind
  readonly name: string
  readonly perSecond: number
  /** Milliseconds of a whole login, or of one refresh. */
  readonly p50: number
  readonly p99: number
}

type Kind = 'login' | 'refresh'

const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Runs logins (start, callback, finish) or refreshes for some seconds, `concurrency` at a time. */
export async function measure({
  kind,
  name,
  url,
  seconds,
  concurrency,
}: {
  kind: Kind
  name: string
  url: string
  seconds: number
  concurrency: number
}): Promise<Result> {
  const pool = new Pool(url, { connections: concurrency })
  const times: number[] = []
  const begins = performance.now() + 2_000
  const ends = begins + seconds * 1000
  const worker = async () => {
    let refreshToken = kind === 'refresh' ? await login(pool) : ''
    while (performance.now() < ends) {
      const before = performance.now()
      refreshToken = kind === 'login' ? await login(pool) : await refresh(pool, refreshToken)
      const now = performance.now()
      // The first two seconds only warm up.
      if (before >= begins && now <= ends) times.push(now - before)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  await pool.close()
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.floor(times.length * part)] ?? Number.NaN
  return { kind, name, perSecond: times.length / seconds, p50: at(0.5), p99: at(0.99) }
}

async function login(pool: Pool): Promise<string> {
  const started = await post(pool, '/api/v1/oauth/authorize-url/', {
    provider: 'yandex',
    client_redirect_url: 'https://site.example/return',
  })
  const state = started.state ?? ''
  const code = randomBytes(8).toString('hex')
  const back = await pool.request({
    method: 'GET',
    path: `/api/v1/oauth/callback/yandex?state=${state}&code=${code}`,
  })
  await back.body.dump()
  if (back.statusCode !== 303) throw new Error(`callback: ${back.statusCode}`)
  const tokens = await post(pool, '/api/v1/oauth/authorize/', { provider: 'yandex', state, code })
  return tokens.refresh_token ?? ''
}

async function refresh(pool: Pool, refreshToken: string): Promise<string> {
  return (await post(pool, '/api/v1/oauth/refresh/', { refresh_token: refreshToken })).refresh_token ?? ''
}

async function post(
  pool: Pool,
  path: string,
  fields: Record<string, string>,
): Promise<Record<string, string>> {
  const body = new URLSearchParams(fields).toString()
  const answer = await pool.request({ method: 'POST', path, headers: form, body })
  const json: unknown = await answer.body.json()
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${JSON.stringify(json)}`)
  return Object.fromEntries(Object.entries(Object(json)).map(([name, value]) => [name, String(value)]))
}
