import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Client, escapeIdentifier } from 'pg'
import { Pool } from 'undici'
import type { Measured } from './capacity-plan.ts'
import { capacityTables } from './capacity-plan.ts'
import type { Ticket } from './flow.ts'
import { serviceFlow } from './flow.ts'
import type { Program } from './program.ts'
import { startProgram } from './program.ts'
import { startServers } from './servers.ts'

// `npm run capacity`: what a login and a refresh cost each part of an installation. Writes bench/capacity.json and the tables of
// docs/*/capacity.md, which follow from it.

const concurrency = 32
const warmUp = 1_000
const requests = 6_000

/** Clock ticks of Linux's /proc, in microseconds. */
const tick = 10_000

const servers = await startServers()
const environment = await servers.environment()
const admin = new Client({ connectionString: environment.BENCH_DATABASE_URL })
const redis = new Redis(environment.BENCH_REDIS_URL)
try {
  await admin.connect()
  const program = await startProgram({ script: 'service.ts', env: { ...environment } })
  const measured = await measureAll(program)
  await program.end()
  await writeFile('bench/capacity.json', `${JSON.stringify(measured, null, 2)}\n`)
  for (const language of ['en', 'ru'] as const) await writePage(language, measured)
  console.log(capacityTables(measured, 'en'))
} finally {
  redis.disconnect()
  await admin.end()
  await servers.end()
}

async function measureAll(program: Program): Promise<Measured> {
  const pool = new Pool(program.url, { connections: concurrency })
  const flow = serviceFlow()
  let tickets = await run(warmUp, () => flow.login(pool))
  await run(warmUp, (n) => flow.refresh(pool, tickets[n] ?? {}))

  const before = await sizes()
  const login = await measured(program, async () => {
    tickets = await run(requests, () => flow.login(pool))
  })
  const refresh = await measured(program, async () => {
    await run(requests, (n) => flow.refresh(pool, tickets[n] ?? {}))
  })
  const after = await sizes()

  const memory = await usedMemory()
  await run(requests, () => flow.start(pool))
  const bytesOfLogin = ((await usedMemory()) - memory) / requests
  await pool.close()
  return {
    cpu: { login: login.cpu, refresh: refresh.cpu },
    wal: { login: login.wal, refresh: refresh.wal },
    busy: { login: login.busy, refresh: refresh.busy },
    bytes: {
      login: Math.round(bytesOfLogin),
      user: Math.round((after.users + after.identities - before.users - before.identities) / requests),
      session: Math.round((after.sessions - before.sessions) / requests),
    },
  }
}

/** Runs work so many times, some at once. @returns what it returned */
async function run(times: number, work: (number: number) => Promise<Ticket>): Promise<Ticket[]> {
  const results: Ticket[] = []
  let next = 0
  const worker = async () => {
    for (let number = next++; number < times; number = next++) results[number] = await work(number)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return results
}

/** What `requests` requests cost, each. A checkpoint goes before them, so that the log has whole pages as in operation. */
async function measured(program: Program, work: () => Promise<void>) {
  await admin.query('CHECKPOINT')
  const [service, postgresql, redisBefore, wal] = await readings(program)
  const watch = watchConnections()
  await work()
  const busySeconds = await watch.stop()
  const [serviceAfter, postgresqlAfter, redisAfter, walAfter] = await readings(program)
  const each = (from: number, to: number) => Math.round((to - from) / requests)
  return {
    cpu: {
      service: each(service, serviceAfter),
      postgresql: each(postgresql, postgresqlAfter),
      redis: each(redisBefore, redisAfter),
    },
    wal: each(wal, walAfter),
    busy: Number(((busySeconds * 1_000) / requests).toFixed(2)),
  }
}

/** Microseconds of processor time of the service, of PostgreSQL and of Redis, and the position of the log in bytes. */
async function readings(program: Program): Promise<[number, number, number, number]> {
  const { rows } = await admin.query<{ position: string }>(`SELECT pg_current_wal_lsn() - '0/0' AS position`)
  return [await program.cpu(), await postgresCpu(), await redisCpu(), Number(rows[0]?.position)]
}

/** Of the processes that serve the database or write for it. Connections stay open, so none of them ends meanwhile. */
async function postgresCpu(): Promise<number> {
  const { rows } = await admin.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
  )
  const ticks = await Promise.all(
    rows.map(async ({ pid }) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      // Behind the name in parentheses: fields 14 and 15 of proc(5).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(fields[11]) + Number(fields[12])
    }),
  )
  return ticks.reduce((sum, one) => sum + one, 0) * tick
}

async function redisCpu(): Promise<number> {
  const info = await redis.info('cpu')
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return (seconds('used_cpu_sys') + seconds('used_cpu_user')) * 1e6
}

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

/** Samples how many connections are busy. `stop()` returns the seconds for which they were, together. */
function watchConnections() {
  const over = new AbortController()
  const from = performance.now()
  const work = (async () => {
    let [samples, busy] = [0, 0]
    while (!over.signal.aborted) {
      const { rows } = await admin.query<{ busy: string }>(
        `SELECT count(*) AS busy FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()`,
      )
      samples++
      busy += Number(rows[0]?.busy)
      await sleep(25)
    }
    return { samples, busy }
  })()
  return {
    async stop() {
      over.abort()
      const { samples, busy } = await work
      return (busy / samples) * ((performance.now() - from) / 1_000)
    },
  }
}

/** Bytes of the tables with their indexes. */
async function sizes() {
  const of = async (name: string) => {
    const { rows } = await admin.query<{ size: string }>('SELECT pg_total_relation_size($1) AS size', [
      escapeIdentifier(name),
    ])
    return Number(rows[0]?.size)
  }
  return { users: await of('users'), identities: await of('identities'), sessions: await of('sessions') }
}

/** Replaces what is between the two marks of the page. */
async function writePage(language: 'en' | 'ru', measured: Measured): Promise<void> {
  const path = `docs/${language}/capacity.md`
  const page = await readFile(path, 'utf8')
  const marked = /(<!-- measured -->\n\n)[^]*?(\n\n<!-- \/measured -->)/
  if (!marked.test(page)) throw new Error(`${path} has no marks for the tables.`)
  await writeFile(
    path,
    page.replace(
      marked,
      (_all, begin: string, end: string) => begin + capacityTables(measured, language) + end,
    ),
  )
}
