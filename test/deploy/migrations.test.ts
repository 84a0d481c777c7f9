import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'

// Migrations expand the schema, and what a release no longer uses is taken away by a later one: while a roll-out runs, and
// after a roll-back, the version before works on the schema of the version after.

const directory = new URL('../../prisma/migrations/', import.meta.url)

/** What breaks the statements of a version that knows nothing of it. */
const breaking: readonly (readonly [RegExp, string])[] = [
  [/\bDROP (TABLE|COLUMN|VIEW|TYPE)\b/i, 'takes something away'],
  [/\bRENAME\b/i, 'renames something'],
  [/\bALTER COLUMN\s+\S+\s+(SET DATA )?TYPE\b/i, 'changes a type'],
  [/\bSET NOT NULL\b/i, 'demands a value'],
  [/\bADD COLUMN\s+\S+\s+(?!.*\bDEFAULT\b).*\bNOT NULL\b/i, 'adds a column that older versions do not fill'],
  [/\bADD CONSTRAINT\b(?!.*\bNOT VALID\b)/i, 'checks every row under a lock'],
]

/** A migration that takes away what a release before it stopped using says so in its first line. */
const contracts = /^-- Contracts: [^\n]*\b\d+\.\d+\.\d+\b/

function faults(sql: string): string[] {
  if (contracts.test(sql)) return []
  const created = new Set(Array.from(sql.matchAll(/CREATE TABLE "(\w+)"/g), ([, name]) => name))
  return sql
    .split(';')
    .filter((statement) => !created.has(/ALTER TABLE "(\w+)"/.exec(statement)?.[1]))
    .flatMap((statement) => breaking.flatMap(([pattern, why]) => (pattern.test(statement) ? [why] : [])))
}

t.test(
  'every migration only expands the schema, or says which release no longer used the rest',
  async (t) => {
    const names = (await readdir(directory)).filter((name) => /^\d{14}_/.test(name))
    t.ok(names.length >= 3)
    for (const name of names)
      t.strictSame(faults(await readFile(new URL(`${name}/migration.sql`, directory), 'utf8')), [], name)
  },
)

t.test('and what would break the version before is seen', (t) => {
  for (const sql of [
    'ALTER TABLE "sites" DROP COLUMN "name"',
    'ALTER TABLE "sites" RENAME COLUMN "name" TO "title"',
    'ALTER TABLE "sites" ALTER COLUMN "name" TYPE INTEGER',
    'ALTER TABLE "sites" ADD COLUMN "colour" TEXT NOT NULL',
    'ALTER TABLE "sites" ADD CONSTRAINT "named" CHECK ("name" <> \'\')',
  ]) {
    t.equal(faults(sql).length, 1, sql)
    t.strictSame(faults(`-- Contracts: no release since 0.3.0 reads it.\n${sql}`), [])
  }
  t.strictSame(faults('ALTER TABLE "sites" ADD COLUMN "colour" TEXT NOT NULL DEFAULT \'red\''), [])
  t.end()
})
