import { Type } from 'typebox'
import { Problem } from '../http/problem.ts'
import type { CallbackRequest } from './callback.ts'

/** Longest `code` that is taken, in characters. */
const longestCode = 4096

/** Our own parameters, for the documents; a provider may add whatever it likes (Google sends five more). */
export const callbackParameters = Type.Object({
  state: Type.String({ minLength: 1, maxLength: 512 }),
  code: Type.Optional(Type.String({ minLength: 1, maxLength: longestCode })),
  error: Type.Optional(Type.String({ minLength: 1 })),
  error_description: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String({ maxLength: 512 })),
})

/** What came to the callback; without a state that is told once, no login is known. */
export type CallbackParameters = Omit<CallbackRequest, 'state' | 'address'> & {
  readonly state: string | undefined
  /** The provider's words, for the log alone. */
  readonly description?: string
  /** Every state and code that came, also where several did: none of them may stand in the log. */
  readonly sent: readonly string[]
}

/**
 * Reads what the provider sent (RFC 6749 §4.1.2). No schema refuses it: whoever brings it is a person, to whom the
 * site must be able to say what happened wherever the login is known. An empty parameter counts as omitted (§3.1).
 * What contradicts itself becomes `fault`: it is no answer, but the login that it belongs to may be found.
 * @param sent the query or the form body: texts, and lists of them where a name came more than once
 */
export function readCallback(sent: unknown): CallbackParameters {
  const entries: [string, unknown][] = Object.entries(Object(sent))
  const texts = new Map(
    entries.map(([name, value]) => [name, [value].flat().filter((one) => typeof one === 'string')]),
  )
  const all = (name: string): readonly string[] => texts.get(name)?.filter((value) => value !== '') ?? []
  const single = (name: string): string | undefined => {
    const [value, ...more] = all(name)
    return more.length === 0 ? value : undefined
  }
  const errors = new Set(all('error'))
  const [error] = errors
  const [description] = all('error_description')
  const code = single('code')
  const fault = faultOf(all, error)
  return {
    state: single('state'),
    // The exchange may need one of the rest; what came twice is as good as none.
    parameters: Object.fromEntries([...texts.keys()].map((name) => [name, single(name)])),
    ...(code !== undefined && { code }),
    // Several that differ: whatever they say, the provider failed.
    ...(error !== undefined && { error: errors.size === 1 ? error : 'server_error' }),
    // Joined, several issuers equal none; an empty one is none of a provider's either (RFC 9207 §2.4).
    ...(texts.has('iss') && { iss: texts.get('iss')?.join(' ') ?? '' }),
    ...(description !== undefined && { description }),
    sent: [...all('state'), ...all('code')],
    ...(fault !== undefined && { fault }),
  }
}

/** An answer is one code or an error, never both and never neither. */
function faultOf(all: (name: string) => readonly string[], error: string | undefined): Problem | undefined {
  const parameter = ['state', 'code'].find((name) => all(name).length > 1)
  if (parameter !== undefined) return new Problem('repeated-parameter', { values: { parameter } })
  const [code] = all('code')
  if (code !== undefined && error !== undefined)
    return new Problem('invalid-parameter', { values: { parameter: 'error', rule: 'beside-code' } })
  if (code !== undefined && code.length > longestCode)
    return new Problem('invalid-parameter', { values: { parameter: 'code', rule: 'too-long' } })
  // What came was no UTF-8 (readQuery): it could neither be passed on as it was, nor ever be traded (RFC 6749 A.11).
  if (code?.includes('\ufffd'))
    return new Problem('invalid-parameter', { values: { parameter: 'code', rule: 'format' } })
  if (code === undefined && error === undefined)
    return new Problem('missing-parameter', { values: { parameter: 'code', where: 'callback' } })
  return undefined
}

/**
 * What a person is told who came back without a state, so that no login and no site is known: the provider's own
 * refusal, where it sent one, else which parameter is missing.
 * @param provider its name, for the texts
 */
export function withoutState(
  { error, fault }: Pick<CallbackParameters, 'error' | 'fault'>,
  provider: string,
): Problem {
  if (error === undefined && fault?.type === 'repeated-parameter') return fault
  if (error === undefined)
    return new Problem('missing-parameter', { values: { parameter: 'state', where: 'callback' } })
  const values = { provider }
  return new Problem(error === 'access_denied' ? 'access-denied' : 'provider-declined', { values })
}
