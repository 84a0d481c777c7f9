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

/** Whether a login may be started, or in how many seconds (1 to 60) to ask again. */
export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly retryAfter: number }

/** The limits of a guard; all have defaults. */
export interface GuardOptions {
  /** For the text of its refusals. */
  readonly provider: string
  /** Faults in a row that open the circuit: counted by number, so that it opens at low traffic too. */
  readonly faults?: number
  /** Milliseconds from opening to the first trial. */
  readonly pause?: number
  /** Requests at the provider at once; more are refused, not queued. */
  readonly concurrency?: number
  readonly onStateChange?: (state: GuardState) => void
}

/** One provider's circuit breaker, concurrency cap and 429 back-off: it being down touches no other. */
export interface Guard {
  readonly state: GuardState
  /**
   * Whether a start would be let through now; asking changes nothing. True again as soon as the provider may be tried
   * out: a site that shows no button meanwhile would otherwise never send the login that closes the circuit.
   */
  readonly works: boolean
  /** Asked by every start. With the circuit open and its pause over, one start a pause is let through. */
  admitsStart(): Admission
  /**
   * Runs what talks to the provider.
   * @throws {ProviderFailure} its own, with `codeUnspent`, where `work` was not run; else what `work` threw
   */
  execute<T>(work: () => Promise<T>): Promise<T>
  /** Forgets every failure: the circuit closes and no back-off holds. For whoever knows better, such as the sandbox. */
  reset(): void
}

/** Requests at a provider at once: some 300 logins a second at 300 ms each. */
export const defaultConcurrency = 100

/** Pauses with trials that nobody finished, after which starts are let through again. */
const patience = 6

/** Seconds: for how long to keep off after a 429 without Retry-After. */
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
  onStateChange,
}: GuardOptions): Guard {
  // Neither invalid_grant nor any other answer counts, in either direction: junk codes open nothing.
  const breaker = new ConsecutiveBreaker(faults)
  const circuit = circuitBreaker(handleWhen(isFault), { halfOpenAfter: pause, breaker })
  const cap = bulkhead(concurrency)
  let openUntil = 0
  let backOffUntil = 0
  let trialUntil = 0
  circuit.onBreak(() => {
    openUntil = Date.now() + pause
  })
  circuit.onStateChange((state) => onStateChange?.(states[state]))

  const refusal = (kind: 'unavailable' | 'rate_limited', why: string, until: number) =>
    new ProviderFailure(kind, `${provider}: ${why}`, { codeUnspent: true, retryAfter: secondsUntil(until) })

  /** Until when starts are refused; in the past where they are let through. */
  const startsFrom = (now: number): number => {
    // Whoever takes the trial may never finish it, and a stranger could take each one: after a minute nobody waits.
    if (circuit.state === CircuitState.Closed || now >= openUntil + patience * pause) return backOffUntil
    return Math.max(backOffUntil, openUntil, trialUntil)
  }

  return {
    get state() {
      // cockatiel stays open until somebody calls execute().
      return circuit.state === CircuitState.Open && Date.now() >= openUntil
        ? 'half-open'
        : states[circuit.state]
    },
    get works() {
      const now = Date.now()
      return now >= startsFrom(now)
    },
    admitsStart() {
      const now = Date.now()
      const from = startsFrom(now)
      if (now < from) return { admitted: false, retryAfter: secondsUntil(from) }
      if (circuit.state !== CircuitState.Closed) trialUntil = now + pause
      return { admitted: true }
    },
    async execute(work) {
      if (Date.now() < backOffUntil)
        throw refusal('rate_limited', 'it asked us to come back later', backOffUntil)
      // While one request tries the provider out, cockatiel would let the others wait: we never queue.
      if (circuit.state === CircuitState.HalfOpen)
        throw refusal('unavailable', 'another request is trying it out', Date.now())
      try {
        return await cap.execute(() => circuit.execute(work))
      } catch (error) {
        if (isBrokenCircuitError(error)) throw refusal('unavailable', 'its circuit is open', openUntil)
        if (isBulkheadRejectedError(error))
          throw refusal('unavailable', 'too many requests at once', Date.now())
        if (error instanceof ProviderFailure && error.kind === 'rate_limited')
          backOffUntil = Date.now() + (error.retryAfter ?? defaultBackOff) * 1000
        throw error
      }
    },
    reset() {
      // cockatiel closes its circuit by no other way: isolating it and taking that back ends in `Closed`.
      circuit.isolate().dispose()
      breaker.success()
      openUntil = 0
      backOffUntil = 0
      trialUntil = 0
    },
  }
}

/** What tells that the provider is down; an answer of any kind tells that it is not. */
function isFault(error: unknown): boolean {
  return error instanceof ProviderFailure && (error.kind === 'unavailable' || error.kind === 'timeout')
}

function secondsUntil(time: number): number {
  return Math.min(60, Math.max(1, Math.ceil((time - Date.now()) / 1000)))
}
