import { randomBytes } from 'node:crypto'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { testDatabase } from '../support/database.ts'
import { readResponse } from '../support/login-flow.ts'
import { adminToken, startTestManagement } from '../support/management.ts'
import { emptyFolder, freePorts, run } from '../support/npm-start.ts'
import { end, eventually } from '../support/process.ts'
import { registerSite } from '../support/service.ts'

t.test('a change that failed on the way gets an audit line with the outcome "unknown"', async (t) => {
  const { admin, audited, service } = await startTestManagement(t, { deadlines })
  const holder = await service.database.pool.connect()
  await holder.query('BEGIN; LOCK TABLE sites IN ACCESS EXCLUSIVE MODE')
  const answer = await admin('PATCH', `sites/${service.site.id}`, { body: { disabled: true } })
  await holder.query('ROLLBACK')
  holder.release()
  t.equal(answer.status, 503)
  t.match(audited(), [
    { action: 'site.change', site: service.site.id, actor: 'tester', outcome: 'unknown', requestId: /./ },
  ])
})

t.test('the process serves the admin API and writes audit lines at every level except silent', async (t) => {
  const database = await testDatabase(t)
  const site = await registerSite(database, 'https://client.example/')
  const { token, entry } = adminToken('ops')
  const secretKey = randomBytes(32).toString('base64')
  for (const level of ['info', 'error', 'silent']) {
    const started = run(t, 'src/main.ts', {
      folder: await emptyFolder(t),
      ports: await freePorts(),
      env: {
        NODE_ENV: 'development',
        LOG_LEVEL: level,
        DATABASE_URL: database.url,
        SECRET_KEYS: secretKey,
        ADMIN_TOKENS: entry,
        YANDEX_CLIENT_ID: 'id',
        YANDEX_CLIENT_SECRET: 'secret',
      },
    })
    const origin = `http://127.0.0.1:${started.ports.MANAGEMENT_PORT}`
    await eventually(async () => {
      if (!(await fetch(`${origin}/health/ready`)).ok) throw new Error('not ready')
    }, 30_000)
    const headers = { authorization: `Bearer ${token}`, 'x-request-id': `at-${level}` }
    const rotate = `${origin}/api/v1/admin/sites/${site.id}/secrets/`
    const rotated = await readResponse(await fetch(rotate, { method: 'POST', headers }))
    t.equal(rotated.status, 201)
    await end(started.child, 'SIGTERM')
    await started.ended
    const lines = started
      .output()
      .split('\n')
      .filter((line) => line.includes('"audit":true'))
    t.equal(lines.length, level === 'silent' ? 0 : 1, level)
    if (level !== 'silent')
      t.match(JSON.parse(lines[0] ?? ''), {
        level: 'info',
        actor: 'ops',
        action: 'site.rotate-secret',
        site: site.id,
        requestId: `at-${level}`,
      })
    for (const secret of [token, String(rotated.json.secret)])
      t.notOk(started.output().includes(secret) || started.errors().includes(secret))
  }
})
