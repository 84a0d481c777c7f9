/**
 * A fault that only the site itself can have. The demo site has it on purpose; any other site is told what to do by hand.
 * `lose-session`: its session is gone when the browser comes back. `second-tab`: the same browser begins one more login.
 * `wrong-secret`: it finishes with a secret that is not its own.
 */
export type DemoFault = 'lose-session' | 'second-tab' | 'wrong-secret'

/** What the sandbox plays on a login of the demo site. */
export interface PlayedFault {
  /** The id, which the demo site hands on in its start parameter, so that the provider's double knows it, too. */
  readonly id: string
  readonly demo?: DemoFault
}
