import { distance } from 'fastest-levenshtein'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { ProviderDeclaration } from '../providers/settings.ts'
import { longVariablesOf, variablesOf } from '../providers/settings.ts'

const seconds = (minimum: number, maximum: number, fallback: number, meaning: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description: `${meaning} (seconds)` })

const port = (fallback: number, meaning: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description: meaning })

const text = (meaning: string) => Type.Optional(Type.String({ minLength: 1, description: meaning }))

/**
 * Every environment variable except those of the providers: its meaning, unit, bounds and default. The values are
 * validated with this schema; `.env.example` and the page of the reference list the same variables, which tests check.
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
  DATABASE_DIRECT_URL: text(
    'For migrations and commands, where DATABASE_URL leads through a pooler or has a role that does not own the tables',
  ),
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
    description:
      'Algorithm of new access keys: EdDSA, or ES256 for libraries that need it (Spring Security, .NET); holds from the next rotation',
  }),
  COMMIT: Type.Optional(
    Type.String({
      pattern: '^[\\w.-]{1,64}$',
      description:
        'The commit that this was built from, for the first line of the log and /health/ready; the image brings it',
    }),
  ),
  RATE_LIMIT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'off: no rate limits, for benchmarks only',
  }),
  OIDC_PROVIDERS: text(
    'Names of further OpenID providers, comma-separated, each of lower-case letters and digits: corp has the variables CORP_ISSUER and so on',
  ),
  SANDBOX_PORT: port(3001, 'Sandbox and demo site (development only); the next free one where it is taken'),
  HTTPS_PROXY: text('Proxy for requests to providers; https_proxy, HTTP_PROXY and ALL_PROXY are not read'),
  NO_PROXY: text('Hosts that are reached without it'),
})

/** The values of the variables, trimmed and converted, with defaults for those that are not set. */
export type Variables = Static<typeof Variables>

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Trims the values of an environment and leaves out empty ones. Only for the service's own variables is trimming worth a
 * warning: a mounted secret often ends with a line break.
 * @param problems gets a sentence for each value of the service's own variables with something invisible inside
 */
export function trimmed(env: Environment, declarations: readonly ProviderDeclaration[], problems: string[]) {
  const values: Record<string, string> = {}
  const warnings: string[] = []
  const own = new Set(declarations.flatMap(variablesOf))
  const long = new Set(declarations.flatMap(longVariablesOf))
  const ours = (name: string) => Object.hasOwn(Variables.properties, name) || own.has(name)
  for (const [name, raw] of Object.entries(env)) {
    const value = raw?.trim()
    if (value === undefined || value === '') continue
    // A file in PEM ends with a line break.
    if (value !== raw && ours(name) && !long.has(name))
      warnings.push(`${name}: blanks or line ends around the value were removed.`)
    const flaw = ours(name) ? flawOf(long.has(name) ? value.replace(/\r?\n/g, ' ') : value) : undefined
    if (flaw !== undefined) problems.push(`${name} ${flaw.sentence}`)
    if (flaw?.corrected !== '') values[name] = flaw?.corrected ?? value
  }
  return { values, warnings: [...warnings, ...misspelt(values, declarations)] }
}

/** Names that other programs use, and that differ in few letters from names of the service. */
const foreign = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'POST', 'HOSTS', 'PORTS'])

/**
 * Finds names that are probably misspelt names of the service's variables: nothing reads them, and nothing else would
 * report them. Where the right name is set as well, the other one probably belongs to another program.
 * @returns a sentence for each
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

/** Whether two names differ by two typing errors in a long name, or by one in a short name that does not make it another word (SORT). */
function isNear(name: string, other: string): boolean {
  const letters = (word: string) => word.split('').toSorted().join('')
  const apart = distance(name, other)
  if (other.length >= 8) return apart <= 2
  // Two swapped letters (PROT) have a Levenshtein distance of 2.
  const exchanged = apart === 2 && letters(name) === letters(other)
  return exchanged || apart === 0 || (apart === 1 && name.length !== other.length)
}

/**
 * Converts strings to numbers and adds defaults. For a value that does not fit, the default is used, so that the other
 * variables can be checked as well.
 * @param problems gets a sentence, without the value, which may be a secret, for each value that does not fit
 */
export function convert(values: Environment, problems: string[]): Variables {
  const candidate = Object.fromEntries(
    Object.entries(Variables.properties).flatMap(([name, schema]) => {
      const value = values[name]
      if (value === undefined) return []
      // Only digits: "0x10" and "1e3" are numbers in JavaScript, but typing errors here.
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

/** A fault in the value of a variable, and the value without it. */
export interface Flaw {
  /** The rest of a sentence that begins with the name of the variable. */
  readonly sentence: string
  /** The value without the fault, to find what else is wrong. */
  readonly corrected: string
}

const quoted = /^(?:"(?<a>.*)"|'(?<b>.*)'|“(?<c>.*)”|«(?<d>.*)»)$/su

/** Control characters, joiners, direction marks, fillers, and every space except U+0020. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]|(?! )\p{Zs}/gu

/**
 * Finds what an operator cannot see or does not mean: quotation marks, which a shell removes and `docker run --env-file`
 * keeps; line breaks; and characters such as U+200B that were copied with the value. Otherwise such a value would be
 * noticed only when somebody logs in. A line break after a comma is allowed.
 */
export function flawOf(value: string): Flaw | undefined {
  const groups = quoted.exec(value)?.groups
  if (groups !== undefined)
    return {
      sentence: 'has quotation marks around its value, which `docker run --env-file` keeps: remove them.',
      corrected: (groups.a ?? groups.b ?? groups.c ?? groups.d ?? '').trim(),
    }
  if (value.replace(/\s*,\s*/gu, ',').search(unseen) < 0) return undefined
  return {
    sentence:
      'has a line break or a character that cannot be seen (such as U+200B) inside its value: type it anew, or copy it without.',
    corrected: value.replace(unseen, ''),
  }
}
