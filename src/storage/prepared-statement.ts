import type { QueryResultRow } from 'pg'
import type { Prisma } from '../../prisma/client/client.ts'
import type { Database } from './postgres.ts'

/** Runs one statement. @throws database errors of pg, as they are */
export type PreparedStatement<Parameters, Row> = (
  database: Pick<Database, 'pool' | 'namesStatements'>,
  parameters: Parameters,
) => Promise<Row[]>

/**
 * Prepares a statement of the login, of the refresh or of `/me`. Its text is put together once and goes to pg directly:
 * on these paths Prisma's client costs more than pg itself (docs/decisions/0026-hot-path.md).
 * @param name names it on each connection, so that PostgreSQL parses and plans it once per connection
 * @param write returns the text; in it, `parameter('ttl')` stands for the value of that name
 */
export function prepareStatement<Parameters extends object, Row extends QueryResultRow>(
  name: string,
  write: (parameter: (name: keyof Parameters) => symbol) => Prisma.Sql,
): PreparedStatement<Parameters, Row> {
  const placeholders = new Map<unknown, keyof Parameters>()
  const { strings, values } = write((parameter) => {
    const placeholder = Symbol(String(parameter))
    placeholders.set(placeholder, parameter)
    return placeholder
  })
  const parameters = values.map((value) => {
    const parameter = placeholders.get(value)
    if (parameter === undefined) throw new Error(`The statement ${name} holds a value that is no parameter.`)
    return parameter
  })
  const numbered = [...new Set(parameters)]
  const [first = '', ...rest] = strings
  const text = parameters.reduce<string>(
    (before, parameter, i) => `${before}$${numbered.indexOf(parameter) + 1}${rest[i]}`,
    first,
  )
  return async ({ pool, namesStatements }, given) => {
    const values = numbered.map((parameter) => given[parameter])
    const { rows } = await pool.query<Row>({ ...(namesStatements && { name }), text, values })
    return rows
  }
}
