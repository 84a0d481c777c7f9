import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { sweepDeletions } from '../../src/users/deletions.ts'
import type { Answer } from '../support/login-flow.ts'
import { text } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'

const idsOf = ({ json }: Answer) =>
  Array.isArray(json.deletions) ? json.deletions.map(({ id }: { id: string }) => id) : []

t.test('the journal keeps a line for three years, and is read page by page', async (t) => {
  const { admin, service } = await startTestManagement(t)
  const { prisma } = service.database
  const ids: string[] = []
  for (const age of ['3 years 1 minute', '3 years -1 day', '0 days']) {
    const id = uuidv7()
    ids.unshift(id)
    await prisma.$executeRaw`
      INSERT INTO deletions (id, user_id, reason, sessions, deleted_at)
      VALUES (${id}::uuid, ${uuidv7()}::uuid, 'other', 0, now() - ${age}::text::interval)`
  }
  t.strictSame(idsOf(await admin('GET', 'deletions/')), ids)
  const page = await admin('GET', 'deletions?limit=2')
  t.strictSame(idsOf(page), ids.slice(0, 2))
  t.strictSame(idsOf(await admin('GET', `deletions?after=${text(page, 'next')}`)), ids.slice(2))
  t.equal((await admin('GET', 'deletions?after=none')).status, 400)

  t.equal(await sweepDeletions(service.database), 1)
  t.strictSame(idsOf(await admin('GET', 'deletions/')), ids.slice(0, 2))
  t.equal(await sweepDeletions(service.database), 0)
})
