import * as fc from 'fast-check'
import t from 'tap'
import type { Database } from '../../src/storage/postgres.ts'
import { testDatabase } from '../support/database.ts'
import { SessionModel } from './session-model.ts'
import { compare, site, steps } from './session-steps.ts'

async function twoSites({ pool, prisma }: Database) {
  await pool.query('TRUNCATE sites, users CASCADE')
  for (const number of [0, 1])
    await prisma.site.create({ data: { id: site(number), name: site(number), providers: ['alpha'] } })
}

t.test(
  'in random histories the SQL agrees with the model, and the sweep deletes no living session',
  async (t) => {
    const database = await testDatabase(t)
    let done = 0
    const counted = steps.map((arbitrary) =>
      arbitrary.map((step) => ({
        ...step,
        async run(model: SessionModel, real: Database) {
          done += 1
          await step.run(model, real)
        },
      })),
    )
    await fc.assert(
      fc.asyncProperty(fc.commands(counted, { maxCommands: 80, size: 'max' }), async (history) => {
        await twoSites(database)
        const model = new SessionModel()
        await fc.asyncModelRun(() => ({ model, real: database }), history)
        await compare(model, database)
      }),
      { numRuns: 100, interruptAfterTimeLimit: 60_000 },
    )
    t.ok(done > 2_000, `${done} steps`)
  },
)
