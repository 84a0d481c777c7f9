import { isState } from './login.ts'

/** What a code of the OpenID Connect door carries: the three values that the guide's own finish takes one by one. */
export interface CodeParts {
  readonly state: string
  readonly provider: string
  /** The provider's. */
  readonly code: string
}

/** Characters of a state. */
const stateLength = 43

/**
 * The code that a standard client gets (RFC 6749 §4.1.2). It is opaque to the client and needs no store of its own, because
 * it carries what the browser brings to the guide's own finish.
 */
export function writeCode({ state, provider, code }: CodeParts): string {
  return state + Buffer.from(`${provider} ${code}`).toString('base64url')
}

/** The parts of a code; undefined where it is none of ours. Nothing in it is trusted: finish compares each part. */
export function readCode(text: string): CodeParts | undefined {
  const [state, rest] = [text.slice(0, stateLength), text.slice(stateLength)]
  const bytes = Buffer.from(rest, 'base64url')
  // Only the one spelling that writeCode gives: Buffer.from() skips what is no base64url.
  if (!isState(state) || bytes.toString('base64url') !== rest) return undefined
  const [provider = '', ...code] = bytes.toString().split(' ')
  return code.length === 0 ? undefined : { state, provider, code: code.join(' ') }
}
