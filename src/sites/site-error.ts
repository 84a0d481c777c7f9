import { OperatorError } from '../operator-error.ts'

/** Why a site cannot be changed as asked. */
export type SiteErrorKind = 'invalid' | 'conflict' | 'not-found'

/** A change of a site that was refused; nothing has changed. The message is one sentence for an operator. */
export class SiteError extends OperatorError {
  override readonly name = 'SiteError'
  readonly kind: SiteErrorKind

  constructor(kind: SiteErrorKind, sentence: string) {
    super(sentence)
    this.kind = kind
  }
}
