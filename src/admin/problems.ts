import type { Translate } from '../http/error-handler.ts'
import { problemResponses } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { SiteErrorKind } from '../sites/site-error.ts'
import { SiteError } from '../sites/site-error.ts'
import { isTransient } from '../storage/database-errors.ts'

/** The failures that a route of the admin API documents: its own, and those that any of them may have. */
export function adminFailures(...names: ProblemName[]): Record<number, object> {
  return problemResponses('admin-token-required', 'rate-limited', ...names)
}

/** What a route with a query may answer besides. */
export const queryFailures: ProblemName[] = ['invalid-parameter', 'repeated-parameter']

/** What a route with a JSON body may answer besides. */
export const jsonFailures: ProblemName[] = [
  'malformed-request',
  'missing-parameter',
  'invalid-parameter',
  'repeated-parameter',
  'body-too-large',
  'unsupported-media-type',
]

const siteProblems = {
  invalid: 'site-invalid',
  conflict: 'site-conflict',
  'not-found': 'site-not-found',
} as const satisfies Record<SiteErrorKind, ProblemName>

/** A refused change of a site, and a change that lost against another, as problems; the rest by the service's own. */
export function adminTranslate(service: Translate): Translate {
  return (error) => {
    if (error instanceof SiteError)
      return new Problem(siteProblems[error.kind], {
        // The problem's text goes on after it.
        values: { reason: error.message.replace(/\.$/, '') },
        cause: error,
      })
    const known = service(error)
    if (known !== undefined) return known
    return isTransient(error)
      ? new Problem('dependency-unavailable', { retryAfter: 1, cause: error })
      : undefined
  }
}
