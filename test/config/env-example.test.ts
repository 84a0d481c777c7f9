import { readFile } from 'node:fs/promises'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { readConfig } from '../../src/config/config.ts'
import { Variables } from '../../src/config/variables.ts'
import { requiredVariablesOf } from '../../src/providers/settings.ts'
import { environmentVariables } from '../docs/variables.ts'

// `.env.example` has exactly the variables that the code reads, with the same defaults and meanings.

interface Entry {
  readonly name: string
  readonly value: string
  /** Whether the line is not commented out: strict mode requires a value. */
  readonly live: boolean
  /** The comment above it, in one line. */
  readonly comment: string
}

/** Neighbouring assignments share the comment above the first. */
function parse(text: string): Entry[] {
  const entries: Entry[] = []
  for (const block of text.split(/\n{2,}/)) {
    const lines = block.split('\n').filter((line) => line !== '')
    const assignment = /^(#?)([A-Z][A-Z0-9_]*)=(.*)$/
    const comment = lines
      .filter((line) => line.startsWith('# ') && !assignment.test(line))
      .map((line) => line.slice(2))
      .join(' ')
    for (const line of lines) {
      const [, hash, name = '', value = ''] = assignment.exec(line) ?? []
      if (name !== '') entries.push({ name, value, live: hash === '', comment })
    }
  }
  return entries
}

const entries = parse(await readFile(new URL('../../.env.example', import.meta.url), 'utf8'))

await t.test('the file has the names of the schema, each once, with the same defaults', async (t) => {
  const expected = environmentVariables(providers).map(({ name, fallback }) => [name, fallback ?? ''])
  const found = entries.map(({ name, value }) => [name, value])
  t.strictSame(found.toSorted(byName), expected.toSorted(byName))
})

await t.test('each variable has the meaning, bounds and choices of the schema', async (t) => {
  for (const variable of environmentVariables(providers)) {
    const comment = entries.find(({ name }) => name === variable.name)?.comment ?? ''
    t.ok(comment.includes(variable.meaning), `${variable.name}: ${variable.meaning}`)
    for (const word of variable.bounds) t.ok(comment.includes(word), `${variable.name}: ${word}`)
  }
})

await t.test('the variables that are not commented out are those that strict mode requires', async (t) => {
  const live = entries.filter((entry) => entry.live).map(({ name }) => name)
  const clients = providers.flatMap(requiredVariablesOf)
  t.strictSame(
    live.toSorted(),
    ['PUBLIC_URL', 'DATABASE_URL', 'REDIS_URL', 'SECRET_KEYS', ...clients].toSorted(),
  )
})

await t.test('the whole file is a usable configuration, equal to the defaults', async (t) => {
  const given = Object.fromEntries(entries.map(({ name, value }) => [name, value]))
  const filled = {
    PUBLIC_URL: 'https://login.example',
    DATABASE_URL: 'postgresql://service:secret@database.example:5432/login',
    REDIS_URL: 'redis://redis.example',
    SECRET_KEYS: Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('base64'),
    YANDEX_CLIENT_ID: 'id',
    YANDEX_CLIENT_SECRET: 'secret',
  }
  t.strictSame(readConfig({ ...given, ...filled }, providers), readConfig(filled, providers))
  t.throws(
    () => readConfig(given, providers),
    { name: 'ConfigError' },
    'as it lies there it refuses to start',
  )
})

await t.test('every variable of the schema says what it means', async (t) => {
  for (const [name, schema] of Object.entries(Variables.properties))
    t.match(schema, { description: /\S/ }, name)
})

function byName([one = '']: readonly string[], [other = '']: readonly string[]): number {
  return one < other ? -1 : 1
}
