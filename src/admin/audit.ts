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
 * Writes an audit line: who (the token's name) did what to whom. Like every line of a request it has the request id.
 * It is written at every LOG_LEVEL except `silent`.
 */
export function audit(request: FastifyRequest, done: AuditedAction): void {
  if (request.log.level === 'silent') return
  request.log.child({}, { level: 'info' }).info({ audit: true, actor: request.adminName, ...done }, 'audit')
}

/**
 * Makes a change and writes its audit line. A refused change changed nothing and gets no line; one that failed on the
 * way may have been made in part or whole, and its line has `outcome: unknown`.
 * @param describe further fields of the line, from the result of the change; undefined (no line) where it changed nothing
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
