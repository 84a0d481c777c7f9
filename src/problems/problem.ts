import type { ProblemName } from './table.ts'
import { problems } from './table.ts'

/** What a problem may add to its row of the table. */
export interface ProblemOptions {
  /** Values for the `{placeholders}` of its texts. Never a secret, a code or a state. */
  readonly values?: Readonly<Record<string, string>>
  /** Whole seconds, at least 1: `Retry-After`. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Replaces the OAuth error of the row, where one problem has several. */
  readonly error?: string
  /** For the log only: details for the operator that the caller does not see. */
  readonly log?: Readonly<Record<string, string>>
  /** For the log only. */
  readonly cause?: unknown
}

/**
 * A failure that a caller is told about: it names its row in the table of problems, and the error handler turns it into
 * application/problem+json (RFC 9457). Every other error that reaches the error handler unrecognised is `internal-error`.
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
