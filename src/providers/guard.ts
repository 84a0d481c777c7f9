import {
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  isBrokenCircuitError,
  isBulkheadRejectedError,
} from 'cockatiel'
import { ProviderFailure } from './provider.ts'

/** What a provider's circuit is doing. */
export type GuardState = 'closed' | 'open' | 'half-open'

/** Whether a login may be started; if not, after how many seconds (1 to 60) to try again. */
export type StartPermission =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly retryAfter: number }

/** The limits of a guard; all have defaults. */
export interface GuardOptions {
  /** Names the provider in error messages. */
  readonly provider: string
  /** Consecutive faults that open the circuit. A number and not a rate, so that it also opens at low traffic. */
  readonly faults?: number
  /** Milliseconds that the circuit stays open before the first trial. */
  readonly pause?: number
  /** Concurrent requests to the provider. Further ones fail at once instead of waiting in a queue. */
  readonly concurrency?: number
  /** Whether it begins open, and stays so until `release`: nothing is known of the provider yet. */
  readonly held?: boolean
  readonly onStateChange?: (state: GuardState) => void
}

/** The circuit breaker, concurrency limit and 429 back-off of one provider, so that its outage affects no other. */
export interface Guard {
  readonly state: GuardState
  /**
   * Whether a start would be allowed now. Reading it changes nothing. True again as soon as a trial is due: a site that hides
   * the button of a provider that does not work would otherwise never send the login that closes the circuit.
   */
  readonly works: boolean
  /** Every start asks this. When the circuit is open and its pause is over, one start per pause is allowed. */
  allowsStart(): StartPermission
  /**
   * Runs a request to the provider.
   * @throws {ProviderFailure} with `codeUnspent` if `work` was not run; otherwise whatever `work` threw
   */
  execute<T>(work: () => Promise<T>): Promise<T>
  /** Ends the hold of a guard that began open; otherwise nothing happens. */
  release(): void
  /** Forgets every failure: closes the circuit and ends the back-off. A hold stays. The sandbox's menu uses it. */
  reset(): void
}

/** Concurrent requests to a provider: enough for about 300 logins per second at 300 ms each. */
export const defaultConcurrency = 100

/** After this many pauses without a finished trial, starts are allowed again. */
const maxTrialPauses = 6

/** Seconds after which a caller may ask again whether a provider is known by now. */
const holdRetry = 10

/** Seconds for which no request is sent after a 429 without Retry-After. */
const defaultBackOff = 5

const states = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
} as const satisfies Record<CircuitState, GuardState>

/** A guard for one provider, closed. */
export function createGuard({
  provider,
  faults = 5,
  pause = 10_000,
  concurrency = defaultConcurrency,
  held = false,
  onStateChange,
}: GuardOptions): Guard {
  // While the circuit is closed, a response other than 5xx that ends in a failure (such as invalid_grant) neither adds to
  // the count of faults nor resets it: junk codes cannot open the circuit. In the half-open state any such response closes
  // the circuit, because it shows that the provider is up.
  const breaker = new ConsecutiveBreaker(faults)
  const circuit = circuitBreaker(handleWhen(isFault), { halfOpenAfter: pause, breaker })
  const cap = bulkhead(concurrency)
  let openUntil = 0
  let backOffUntil = 0
  let trialUntil = 0
  let isHeld = held
  if (isHeld) onStateChange?.('open')
  circuit.onBreak(() => {
    openUntil = Date.now() + pause
  })
  circuit.onStateChange((state) => onStateChange?.(states[state]))

  const notRun = (kind: 'unavailable' | 'rate_limited', why: string, until: number) =>
    new ProviderFailure(kind, `${provider}: ${why}`, { codeUnspent: true, retryAfter: secondsUntil(until) })

  /** The time from which starts are allowed; in the past if they are allowed now. */
  const allowedFrom = (now: number): number => {
    // A login that was allowed as a trial may never be finished, and an attacker could take every trial: do not wait longer.
    if (circuit.state === CircuitState.Closed || now >= openUntil + maxTrialPauses * pause)
      return backOffUntil
    return Math.max(backOffUntil, openUntil, trialUntil)
  }

  return {
    get state() {
      if (isHeld) return 'open'
      // cockatiel reports `open` until execute() is called.
      return circuit.state === CircuitState.Open && Date.now() >= openUntil
        ? 'half-open'
        : states[circuit.state]
    },
    get works() {
      const now = Date.now()
      return !isHeld && now >= allowedFrom(now)
    },
    allowsStart() {
      if (isHeld) return { allowed: false, retryAfter: holdRetry }
      const now = Date.now()
      const from = allowedFrom(now)
      if (now < from) return { allowed: false, retryAfter: secondsUntil(from) }
      if (circuit.state !== CircuitState.Closed) trialUntil = now + pause
      return { allowed: true }
    },
    async execute(work) {
      if (isHeld) throw notRun('unavailable', 'nothing is known of it yet', Date.now() + holdRetry * 1000)
      if (Date.now() < backOffUntil)
        throw notRun('rate_limited', 'it asked us to come back later', backOffUntil)
      // During a trial cockatiel would make the other requests wait. Here no request waits in a queue.
      if (circuit.state === CircuitState.HalfOpen)
        throw notRun('unavailable', 'another request is trying it out', Date.now())
      try {
        return await cap.execute(() => circuit.execute(work))
      } catch (error) {
        if (isBrokenCircuitError(error)) throw notRun('unavailable', 'its circuit is open', openUntil)
        if (isBulkheadRejectedError(error))
          throw notRun('unavailable', 'too many requests at once', Date.now())
        if (error instanceof ProviderFailure && error.kind === 'rate_limited')
          backOffUntil = Date.now() + (error.retryAfter ?? defaultBackOff) * 1000
        throw error
      }
    },
    release() {
      if (!isHeld) return
      isHeld = false
      onStateChange?.('closed')
    },
    reset() {
      if (isHeld) return
      // The only way to close a circuit of cockatiel: isolate it, then undo that, which ends in `Closed`.
      circuit.isolate().dispose()
      breaker.success()
      openUntil = 0
      backOffUntil = 0
      trialUntil = 0
    },
  }
}

/** Whether a failure shows that the provider is down. A response that is not a 5xx shows that it is up. */
function isFault(error: unknown): boolean {
  return error instanceof ProviderFailure && (error.kind === 'unavailable' || error.kind === 'timeout')
}

function secondsUntil(time: number): number {
  return Math.min(60, Math.max(1, Math.ceil((time - Date.now()) / 1000)))
}
