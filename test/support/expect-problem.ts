import type { Test } from 'tap'
import type { ProblemName } from '../../src/problems/table.ts'
import type { Answer } from './login-flow.ts'

/** The expected problem. The OAuth `error` is written out, so that a test does not read it from the table under test. */
export interface ExpectedProblem {
  readonly status: number
  readonly type: ProblemName
  readonly error: string
  /** The range of Retry-After in whole seconds, both ends included; without it there must be no such header. */
  readonly retryAfter?: readonly [number, number]
}

/**
 * Checks a response of an OAuth endpoint: status, type, `error`, Retry-After, a challenge on each 401 and on nothing else
 * (RFC 6749 §5.2), and `no-store` (§5.1).
 */
export function expectProblem(t: Test, answer: Answer, expected: ExpectedProblem, note = ''): void {
  const { status, type, error, retryAfter } = expected
  const said = `${note} ${type}: ${answer.status} ${answer.text}`
  t.equal(answer.status, status, said)
  t.match(answer.headers.get('content-type'), /^application\/problem\+json/, said)
  t.match(answer.json, { type: `urn:auth-movies:problem:${type}`, status, error }, said)
  t.match(answer.json, { error_description: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, request_id: /./ }, said)
  t.equal(answer.headers.get('cache-control'), 'no-store', said)
  t.equal(answer.headers.get('location'), null, said)
  const challenge = answer.headers.get('www-authenticate')
  if (status === 401) t.match(challenge, /^Basic realm="/, said)
  else t.equal(challenge, null, said)
  const after = answer.headers.get('retry-after')
  if (retryAfter === undefined) t.equal(after, null, said)
  else {
    t.match(after, /^[1-9]\d*$/, said)
    t.ok(Number(after) >= retryAfter[0] && Number(after) <= retryAfter[1], `Retry-After ${after}: ${said}`)
  }
}
