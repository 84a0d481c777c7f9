import type { ProblemName } from './table.ts'
import { problems } from './table.ts'

/** What a problem may add to the row of the table that it names. */
export interface ProblemOptions {
  /** Values for the `{placeholders}` of the row's detail. Never a secret, a code or a state. */
  readonly values?: Readonly<Record<string, string>>
  /** Whole seconds, at least 1: `Retry-After`. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
  /** In place of the row's OAuth error, where a row serves several. */
  readonly error?: string
  /** For the log alone: what an operator is told beyond what the caller is. */
  readonly log?: Readonly<Record<string, string>>
  /** For the log alone. */
  readonly cause?: unknown
}

/**
 * A failure that a caller meets: it names its row in the table of problems and is turned into
 * application/problem+json (RFC 9457) at the edge. Everything else that is thrown becomes `internal-error`.
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly type: ProblemName
  readonly status: number
  readonly options: ProblemOptions

  constructor(type: ProblemName, options: ProblemOptions = {}) {
    super(type, { cause: options.cause })
    this.type = type
    this.status = problems[type].status
    this.options = options
  }
}
