import type { FastifyRequest } from 'fastify'
import { Problem } from '../problems/problem.ts'
import { SiteError } from '../sites/site.ts'

/** What was done to whom: ids and what an operator set. No secret, and nothing personal. */
export interface AuditedAction {
  readonly action: string
  readonly site?: string
  readonly user?: string
  readonly session?: string
  readonly [detail: string]: unknown
}

/**
 * Writes an audit line: who (the token's name), what, on whom; the request id stands on every line of a request.
 * It is written at every LOG_LEVEL but `silent`.
 */
export function audit(request: FastifyRequest, done: AuditedAction): void {
  if (request.log.level === 'silent') return
  request.log.child({}, { level: 'info' }).info({ audit: true, actor: request.adminName, ...done }, 'audit')
}

/**
 * Makes a change and writes its line. A refused change is none; one that failed on the way may have happened in part
 * or whole, and its line says so.
 * @param describe the line, from what the change gave; undefined where it changed nothing
 */
export async function audited<Result>(
  request: FastifyRequest,
  attempt: AuditedAction,
  change: () => Promise<Result>,
  describe: (result: Result) => Readonly<Record<string, unknown>> | undefined = () => ({}),
): Promise<Result> {
  let result: Result
  try {
    result = await change()
  } catch (error) {
    const refused = error instanceof Problem || error instanceof SiteError
    if (!refused) audit(request, { ...attempt, outcome: 'unknown' })
    throw error
  }
  const details = describe(result)
  if (details !== undefined) audit(request, { ...attempt, ...details })
  return result
}
