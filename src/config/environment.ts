import { distance } from 'fastest-levenshtein'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { ProviderDeclaration } from '../providers/settings.ts'
import { variablesOf } from '../providers/settings.ts'
import { flawOf } from './flawed-value.ts'
import { Variables } from './variables.ts'

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
