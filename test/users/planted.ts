import { Redis } from 'ioredis'
import type { Database } from '../../src/storage/postgres.ts'

/** A person whose values must be found nowhere once they are deleted. */
export const planted = {
  id: '777000111222333',
  login: 'planted.login',
  name: 'Подсажена Именем',
  email: 'planted@mail.example',
}

/** The planted values that a text holds: plain, with JSON escapes, in hexadecimal or in base64. */
export function plantedIn(text: string): string[] {
  const lower = text.toLowerCase()
  return Object.values(planted).filter((value) =>
    [value, escape(value), Buffer.from(value).toString('hex'), Buffer.from(value).toString('base64')].some(
      (form) => lower.includes(form.toLowerCase()),
    ),
  )
}

/** A text in ASCII with the escapes of JSON. */
function escape(text: string): string {
  return text.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Every row of every table, all columns as text: what a dump would hold. By table. */
export async function wholeDatabase({ pool }: Database): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const tables = new Map<string, string>()
  for (const { name } of rows) {
    const content = await pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`)
    tables.set(name, content.rows.map(({ row }) => row).join('\n'))
  }
  return tables
}

/** Every key of a Redis with all that it holds, as text. */
export async function wholeRedis(url: string): Promise<ReadonlyMap<string, string>> {
  const redis = new Redis(url)
  const readers: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => redis.getBuffer(key).then(String),
    hash: (key) => redis.hgetallBuffer(key),
    stream: (key) => redis.xrange(key, '-', '+'),
    zset: (key) => redis.zrange(key, '0', '-1'),
    set: (key) => redis.smembers(key),
    list: (key) => redis.lrange(key, 0, -1),
  }
  try {
    const found = new Map<string, string>()
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key)
      const read = readers[type]
      // A key may run out between the two.
      if (read === undefined && type !== 'none') throw new Error(`nobody reads a ${type}`)
      found.set(key, JSON.stringify(await read?.(key)) ?? '')
    }
    return found
  } finally {
    redis.disconnect()
  }
}
