/** Why a token was refused, for logs and metrics. */
export type TokenFlaw =
  | 'too-long'
  | 'malformed'
  | 'critical-header'
  | 'unknown-key'
  | 'signature'
  | 'claims'
  | 'expired'

/** A token that is not ours, or not good now. It holds nothing of the token, so it may be logged. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken'
  readonly flaw: TokenFlaw

  constructor(flaw: TokenFlaw) {
    super(`The token was refused: ${flaw}.`)
    this.flaw = flaw
  }
}
