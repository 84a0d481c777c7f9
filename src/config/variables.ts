import { distance } from 'fastest-levenshtein'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { ProviderDeclaration } from '../providers/settings.ts'
import { variablesOf } from '../providers/settings.ts'

const seconds = (minimum: number, maximum: number, fallback: number, meaning: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description: `${meaning} (seconds)` })

const port = (fallback: number, meaning: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description: meaning })

const text = (meaning: string) => Type.Optional(Type.String({ minLength: 1, description: meaning }))

/**
 * Every environment variable that is not a provider's own: its meaning, unit, bounds and default. The schema
 * validates; `.env.example` and docs/operators list the same rows (a test holds them equal).
 */
export const Variables = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({
      description: 'development: embedded defaults on loopback. Anything else, or nothing: strict mode',
    }),
  ),
  HOST: text(
    'Address for both ports; default :: (every address of both families, of IPv4 alone where there is no IPv6), in development 127.0.0.1',
  ),
  PORT: port(3000, 'The public port'),
  MANAGEMENT_HOST: text('Address for the management port; default that of HOST'),
  MANAGEMENT_PORT: port(9464, 'Health, metrics and the admin API; never routed from outside'),
  PUBLIC_URL: text(
    'The origin under which browsers and sites reach the service, without a path; https in strict mode',
  ),
  DATABASE_URL: text('PostgreSQL 15 or newer: postgresql://USER:PASSWORD@HOST:5432/NAME'),
  DATABASE_DIRECT_URL: text('For migrations, where DATABASE_URL leads through a pooler'),
  DATABASE_POOL_MAX: Type.Integer({
    minimum: 1,
    maximum: 500,
    default: 10,
    description: 'Connections of one process to PostgreSQL',
  }),
  DATABASE_POOLER: Type.Optional(
    Type.Literal('transaction', {
      description: 'Behind PgBouncer in transaction mode: no named statements, no session locks',
    }),
  ),
  REDIS_URL: text(
    'redis:// or rediss://, several comma-separated for Redis Cluster, or redis+sentinel://HOST:PORT,HOST:PORT/NAME',
  ),
  REDIS_PREFIX: Type.String({
    pattern: '^[\\w:.-]{0,64}$',
    default: 'auth-movies:',
    description: 'Before every key in Redis',
  }),
  SECRET_KEYS: text('base64 of 32 random bytes each, comma-separated, newest first: seals the signing keys'),
  ADMIN_TOKENS: text('NAME:SHA-256-OF-TOKEN, comma-separated; made by `admin-token NAME`'),
  TRUST_PROXY: text(
    'Proxies whose X-Forwarded-For counts: a number of hops, or addresses and CIDR ranges, comma-separated',
  ),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'fatal, error, warn, info, debug, trace or silent' },
  ),
  LOGIN_TTL: seconds(1, 3600, 600, 'From the start of a login to the return from the provider'),
  ACCESS_TOKEN_TTL: seconds(1, 3600, 900, 'Life of an access token'),
  REFRESH_TOKEN_TTL: seconds(1, 31_536_000, 2_592_000, 'A session ends when it is unused for so long'),
  REFRESH_GRACE: seconds(0, 60, 10, 'For so long the previous refresh token gets the same answer again'),
  SESSION_MAX_AGE: seconds(1, 63_072_000, 15_552_000, 'A session ends after so long, whatever its use'),
  DRAIN_DELAY: seconds(0, 300, 0, 'Between SIGTERM and closing the port, for balancers to notice'),
  TOKEN_ALG: Type.Union([Type.Literal('EdDSA'), Type.Literal('ES256')], {
    default: 'EdDSA',
    description: 'Algorithm of new access keys: EdDSA, or ES256 for libraries that need it',
  }),
  RATE_LIMIT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'off: no rate limits, for benchmarks only',
  }),
  SANDBOX_PORT: port(3001, 'Sandbox and demo site (development only); the next free one where it is taken'),
  HTTPS_PROXY: text('Proxy for requests to providers'),
  NO_PROXY: text('Hosts that are reached without it'),
})

/** The environment after trimming, defaults and conversion. */
export type Variables = Static<typeof Variables>

/** An environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The environment without blanks around its values, and without empty ones. Trimming is worth a warning only where
 * the variable is ours: a line end is what a mounted secret often brings along. Whatever else nobody can see in a value
 * of ours goes to `problems`, a sentence each.
 */
export function trimmed(env: Environment, declarations: readonly ProviderDeclaration[], problems: string[]) {
  const values: Record<string, string> = {}
  const warnings: string[] = []
  const own = new Set(declarations.flatMap(variablesOf))
  const ours = (name: string) => Object.hasOwn(Variables.properties, name) || own.has(name)
  for (const [name, raw] of Object.entries(env)) {
    const value = raw?.trim()
    if (value === undefined || value === '') continue
    if (value !== raw && ours(name))
      warnings.push(`${name}: blanks or line ends around the value were removed.`)
    const flaw = ours(name) ? flawOf(value) : undefined
    if (flaw !== undefined) problems.push(`${name} ${flaw.says}`)
    if (flaw?.mended !== '') values[name] = flaw?.mended ?? value
  }
  return { values, warnings: [...warnings, ...misspelt(values, declarations)] }
}

/** Names that other programs give a meaning to, although one letter would make them ours. */
const foreign = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'POST', 'HOSTS', 'PORTS'])

/**
 * A sentence for each name that is so near to a name of ours that it is probably meant: nothing reads it, and
 * nothing else would tell. Where the right name is set as well, the other one is somebody else's.
 */
function misspelt(values: Environment, declarations: readonly ProviderDeclaration[]): string[] {
  const ours = [...Object.keys(Variables.properties), ...declarations.flatMap(variablesOf)]
  const missing = ours.filter((name) => values[name] === undefined)
  return Object.keys(values).flatMap((name) => {
    if (ours.includes(name) || foreign.has(name.toUpperCase())) return []
    const meant = missing.find((one) => isNear(name.toUpperCase(), one))
    return meant === undefined ? [] : [`${name} is read by nothing: is ${meant} meant?`]
  })
}

/** In a long name two slips of the pen, in a short one a single slip, and none that makes another word of it (SORT). */
function isNear(name: string, other: string): boolean {
  const letters = (word: string) => word.split('').toSorted().join('')
  const apart = distance(name, other)
  if (other.length >= 8) return apart <= 2
  // Two letters that changed places (PROT) are two slips to Levenshtein.
  const exchanged = apart === 2 && letters(name) === letters(other)
  return exchanged || apart === 0 || (apart === 1 && name.length !== other.length)
}

/**
 * Defaults, then strings to numbers. What fits nothing is named in `problems`, without its value (it may be a
 * secret), and its default is used to find what else is wrong.
 */
export function convert(values: Environment, problems: string[]): Variables {
  const candidate = Object.fromEntries(
    Object.entries(Variables.properties).flatMap(([name, schema]) => {
      const value = values[name]
      if (value === undefined) return []
      // Digits alone: "0x10" and "1e3" are numbers to JavaScript, and slips of the pen to an operator.
      const converted = Type.IsInteger(schema) && /^\d+$/.test(value) ? Number(value) : value
      if (Value.Check(schema, converted)) return [[name, converted]]
      problems.push(`${name} must be ${expectation(schema)}.`)
      return []
    }),
  )
  return Value.Parse(Variables, Value.Default(Variables, candidate))
}

function expectation(schema: object): string {
  if ('minimum' in schema && 'maximum' in schema)
    return `a whole number from ${String(schema.minimum)} to ${String(schema.maximum)}`
  if ('anyOf' in schema && Array.isArray(schema.anyOf))
    return `one of ${schema.anyOf.map((option: { const: string }) => option.const).join(', ')}`
  if ('const' in schema) return `"${String(schema.const)}", or left out`
  return 'of the documented form'
}

/** What is wrong with the value of a variable, whichever it is, and what it is without that. */
export interface Flaw {
  /** The rest of a sentence that begins with the name of the variable. */
  readonly says: string
  /** To look for what else is wrong. */
  readonly mended: string
}

const quoted = /^(?:"(?<a>.*)"|'(?<b>.*)'|“(?<c>.*)”|«(?<d>.*)»)$/su

/** Controls, joiners, marks of direction, fillers, and every blank but the usual one. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]|(?! )\p{Zs}/gu

/**
 * Finds what an operator cannot see or does not mean: quotation marks that a shell would remove and
 * `docker run --env-file` keeps, line breaks, and characters such as U+200B that came along with a copied value.
 * Such a value would be noticed only when somebody logs in. A line may end after a comma.
 */
export function flawOf(value: string): Flaw | undefined {
  const groups = quoted.exec(value)?.groups
  if (groups !== undefined)
    return {
      says: 'has quotation marks around its value, which `docker run --env-file` keeps: remove them.',
      mended: (groups.a ?? groups.b ?? groups.c ?? groups.d ?? '').trim(),
    }
  if (value.replace(/\s*,\s*/gu, ',').search(unseen) < 0) return undefined
  return {
    says: 'has a line break or a character that cannot be seen (such as U+200B) inside its value: type it anew, or copy it without.',
    mended: value.replace(unseen, ''),
  }
}
