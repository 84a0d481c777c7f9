import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { openSession } from '../../src/sessions/open-session.ts'
import { endOwnSession, listOwnSessions } from '../../src/sessions/own-sessions.ts'
import { rotateSession } from '../../src/sessions/rotate-session.ts'
import { sweepSessions } from '../../src/sessions/sweep.ts'
import type { Database } from '../../src/storage/postgres.ts'
import { profileOf } from '../../src/users/me.ts'
import type { ModelSession, SessionModel } from './session-model.ts'
import { limits } from './session-model.ts'
import { login } from './test-sessions.ts'

/** A step that makes the same change in model and database and compares their outcomes. */
export type Command = fc.AsyncCommand<SessionModel, Database>

const command = (
  text: string,
  run: Command['run'],
  check: (model: Readonly<SessionModel>) => boolean = () => true,
) => ({
  check,
  run,
  toString: () => text,
})
const hasSessions = (model: Readonly<SessionModel>) => model.sessions.length > 0
/** The two sites of every history. */
export const site = (number: number) => `site-${number}`

function pick(model: SessionModel, index: number): ModelSession {
  const session = model.sessions[index % model.sessions.length]
  assert(session)
  return session
}

async function bearerOf(database: Database, { id }: ModelSession) {
  const { userId, siteId } = await database.prisma.session.findUniqueOrThrow({ where: { id } })
  return { sessionId: id, userId, siteId }
}

/** Every row must be as in the model, and there must be no other. */
export async function compare(model: SessionModel, { pool }: Database): Promise<void> {
  const { rows } = await pool.query<{ id: string; generation: number; revoked: boolean; left: number }>(
    `SELECT id, generation, revoked_at IS NOT NULL AS revoked, extract(epoch FROM expires_at - now())::float8 AS left
     FROM sessions`,
  )
  const real = new Map(rows.map(({ id, ...row }) => [id, row]))
  assert.equal(real.size, model.sessions.length)
  for (const { id, generation, revokedAt, expiresAt } of model.sessions) {
    const row = real.get(id)
    assert(row)
    assert.deepEqual([row.generation, row.revoked], [generation, revokedAt !== null])
    // Real time passes too, a little.
    assert(Math.abs(row.left - (expiresAt - model.now)) < 30, `${row.left} s are left`)
  }
}

const small = fc.nat(1)
const any = fc.nat(5)
const logins: fc.Arbitrary<Command> = fc.tuple(small, small).map(([person, at]) =>
  command(`login(${person}, ${at})`, async (model, database) => {
    const { profile } = login()
    const outcome = await openSession(
      database,
      login({ ...limits, siteId: site(at), profile: { ...profile, subject: `person-${person}` } }),
    )
    if (model.disabledSites.has(at)) assert.equal(outcome.kind, 'site-gone')
    else if (model.disabledPeople.has(person)) assert.equal(outcome.kind, 'disabled')
    else {
      assert(outcome.kind === 'opened')
      model.login(outcome.sessionId, person, at)
    }
  }),
)

const refreshes: fc.Arbitrary<Command> = fc
  .record({
    index: any,
    behind: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 1, 2, -1),
    authenticated: fc.constantFrom(null, null, null, null, 0, 1),
    grace: fc.constantFrom(limits.grace, limits.grace, 0),
  })
  .map(({ index, behind, authenticated, grace }) =>
    command(
      `refresh(${index}, -${behind}, ${authenticated}, ${grace})`,
      async (model, database) => {
        const session = pick(model, index)
        const generation = Math.max(0, session.generation - behind)
        const outcome = await rotateSession(database, {
          sessionId: session.id,
          generation,
          authenticatedSite: authenticated === null ? null : site(authenticated),
          refreshKid: 'kid-1',
          ttl: limits.ttl,
          grace,
        })
        const said =
          outcome.kind === 'refused'
            ? outcome.reason
            : !('session' in outcome)
              ? outcome.kind
              : `granted ${outcome.session.generation}`
        assert.equal(said, model.refresh(session, generation, authenticated, grace))
        await compare(model, database)
      },
      hasSessions,
    ),
  )

const waits: fc.Arbitrary<Command> = fc.constantFrom(4, 4, 4, 8, 400, 800, 800, 2_000).map((seconds) =>
  command(`wait(${seconds})`, async (model, { pool }) => {
    model.now += seconds
    await pool.query(
      `UPDATE sessions SET created_at = created_at - d, rotated_at = rotated_at - d, expires_at = expires_at - d,
           ends_at = ends_at - d, revoked_at = revoked_at - d
         FROM (SELECT $1::int * interval '1 second' AS d) AS step`,
      [seconds],
    )
  }),
)

const ends: fc.Arbitrary<Command> = fc.tuple(any, any).map(([asking, ended]) =>
  command(
    `end(${asking}, ${ended})`,
    async (model, database) => {
      const bearer = pick(model, asking)
      const target = pick(model, ended)
      const said = await endOwnSession(database, await bearerOf(database, bearer), target.id)
      assert.equal(said, model.end(bearer, target))
      await compare(model, database)
    },
    hasSessions,
  ),
)

const questions: fc.Arbitrary<Command> = any.map((index) =>
  command(
    `ask(${index})`,
    async (model, database) => {
      const session = pick(model, index)
      const bearer = await bearerOf(database, session)
      const profile = await profileOf(database, bearer)
      assert.equal(profile !== undefined, model.living(session))
      const listed = await listOwnSessions(database, bearer)
      const own = model.sessions.filter(
        (other) => other.person === session.person && other.site === session.site && model.living(other),
      )
      const expected = model.living(session) ? own.map(({ id }) => id).toSorted() : undefined
      assert.deepEqual(listed?.map(({ id }) => id).toSorted(), expected)
    },
    hasSessions,
  ),
)

const switches: fc.Arbitrary<Command> = fc
  .tuple(fc.constantFrom('person', 'site', 'secret'), small, fc.constantFrom(true, false, false, false))
  .map(([what, number, on]) =>
    command(`${what}(${number}, ${on})`, async (model, { prisma }) => {
      const disabledAt = on ? new Date() : null
      const set =
        what === 'person'
          ? model.disabledPeople
          : what === 'site'
            ? model.disabledSites
            : model.demandingSites
      if (on) set.add(number)
      else set.delete(number)
      if (what === 'person') {
        const identities = { some: { subject: `person-${number}` } }
        // Before the first login there is nobody to disable.
        const { count } = await prisma.user.updateMany({ where: { identities }, data: { disabledAt } })
        if (count === 0) set.delete(number)
      } else
        await prisma.site.update({
          where: { id: site(number) },
          data: what === 'site' ? { disabledAt } : { requireSecret: on },
        })
    }),
  )

const sweeps: fc.Arbitrary<Command> = small.map(() =>
  command('sweep()', async (model, database) => {
    assert.equal(await sweepSessions(database, { keep: limits.keep, pageSize: 2 }), model.sweep())
    await compare(model, database)
  }),
)

/** Steps of random histories, the common ones more often. */
export const steps: readonly fc.Arbitrary<Command>[] = [
  logins,
  ...Array.from({ length: 8 }, () => refreshes),
  ...Array.from({ length: 3 }, () => waits),
  ends,
  questions,
  switches,
  sweeps,
]
