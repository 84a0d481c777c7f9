import { OperatorError } from '../operator-error.ts'

/** The site cannot be checked at all. The message says why and what to do. */
export class CannotCheck extends OperatorError {
  override readonly name = 'CannotCheck'
}
