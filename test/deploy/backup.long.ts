import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import type { Test } from 'tap'
import t from 'tap'
import { migrate } from '../../src/storage/migrate.ts'
import { readGuide } from '../docs/guide.ts'
import { openTestDatabase, withName } from '../support/database.ts'
import type { FlowService } from '../support/login-flow.ts'
import { logIn, post, text } from '../support/login-flow.ts'
import { emptyFolder } from '../support/npm-start.ts'
import { end } from '../support/process.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis, withoutRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'
import { systemPostgres, withoutSystemPostgres } from '../support/system-postgres.ts'

// The commands of the page "Backup and restore", run as they stand there: what a restore must give back is that people who
// were logged in go on without noticing.

const { requests: commands } = await readGuide('en', 'backup')
const command = (name: string) => commands.get(name) ?? `echo the page has no command ${name}; exit 1`

const refresh = async (service: FlowService, token: string) =>
  await post(service, '/api/v1/oauth/refresh/', { refresh_token: token })

/** A cluster with an archive, and a service on it that can be started again elsewhere with the same secret keys. */
async function stage(t: Test) {
  const postgres = systemPostgres(t)
  postgres.shell('initdb --pgdata=live --username=postgres --auth=trust --no-sync; mkdir archive')
  const archive = join(postgres.folder, 'archive')
  const live = await postgres.serve('live', {
    archive_mode: 'on',
    archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f`,
  })
  await migrate(live.url)
  const database = openTestDatabase(t, { url: live.url, poolMax: 2 })
  await registerSite({ ...database, url: live.url }, redirectUrl)
  const same = { redis: await testRedis(t), doubles: await startDoubles(t), folder: await emptyFolder(t) }
  const serve = (databaseUrl: string) => startProcess(t, { ...same, databaseUrl })
  return { postgres, archive, live, serve }
}

async function query(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ value: unknown }>(sql)
  await client.end()
  return rows[0]?.value
}

const skip = withoutRedis || withoutSystemPostgres

t.test('a dump is restored, and people go on with their sessions', { skip }, async (t) => {
  const { postgres, live, serve } = await stage(t)
  const service = await serve(live.url)
  const [kept, used] = [await logIn(service), await logIn(service, 'mail')]
  postgres.shell(command('dump'), { DATABASE_URL: live.url })
  const later = await logIn(service, 'google')
  const newer = text(await refresh(service, used.refreshToken), 'refresh_token')
  await end(service.started.child, 'SIGTERM')

  const restored = withName(live.url, 'auth_movies_restored')
  postgres.shell(command('restore'), { ADMIN_URL: live.url, RESTORED_URL: restored })
  t.strictSame(await migrate(restored), [], 'nothing is left to migrate')
  const again = await serve(restored)
  t.equal((await refresh(again, kept.refreshToken)).status, 200, 'who was logged in goes on')
  t.equal((await refresh(again, later.refreshToken)).status, 400, 'who logged in later logs in again')
  t.equal((await refresh(again, newer)).status, 400, 'and so does whose token is newer than the backup')
  const metrics = await (await fetch(`${again.managementUrl}/metrics`)).text()
  t.match(metrics, /refresh_total\{outcome="ahead"\} 1/)
  await logIn(again)
})

t.test('an archive of the WAL gives back a moment', { skip }, async (t) => {
  const { postgres, archive, live, serve } = await stage(t)
  postgres.shell(command('base'), { REPLICATION_URL: live.url })
  const service = await serve(live.url)
  const before = await logIn(service)
  await wait(1_100)
  const until = String(await query(live.url, 'SELECT clock_timestamp()::text AS value'))
  await wait(1_100)
  const after = await logIn(service, 'mail')
  await end(service.started.child, 'SIGTERM')
  await query(live.url, 'SELECT pg_switch_wal()::text AS value')
  // A server that stops waits until its archive is complete.
  await live.stop()

  postgres.shell(command('recover'), { ARCHIVE: archive, UNTIL: until })
  const restored = await postgres.serve('data', {})
  const again = await serve(restored.url)
  t.equal((await refresh(again, before.refreshToken)).status, 200, 'who logged in after the copy goes on')
  t.equal((await refresh(again, after.refreshToken)).status, 400, 'what came after that moment is gone')
  await logIn(again)
})
