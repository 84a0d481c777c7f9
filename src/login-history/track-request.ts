import type { About } from '../http/access-log.ts'
import { Problem } from '../problems/problem.ts'
import type { ProblemName } from '../problems/table.ts'
import type { Step } from './entry.ts'
import type { ProgressBeginning } from './progress.ts'
import { LoginProgress } from './progress.ts'
import type { LoginHistory } from './store.ts'

/**
 * Runs one request of a login and records, at its end, how far it got.
 * @param about is told which provider and site the request concerns
 */
export type TrackRequest = <T>(
  beginning: ProgressBeginning,
  work: (progress: LoginProgress) => Promise<T>,
  about: Pick<About, 'provider' | 'site'>,
) => Promise<T>

/** Who hears of it. */
export interface TrackOptions {
  readonly history: LoginHistory
  /** The Problem of an error that is none itself. */
  readonly translate: (error: unknown) => Problem | undefined
  /** For the metrics: how long after the step before, or after the request came in. */
  readonly onStep: (provider: string, step: Step, seconds: number) => void
}

/** The type of the problem that a failed request is answered with: a bug is `internal-error`, as in its answer. */
export function problemTypeOf(error: unknown, translate: TrackOptions['translate']): ProblemName {
  return (error instanceof Problem ? error : translate(error))?.type ?? 'internal-error'
}

/** @see LoginProgress */
export function trackRequests({ history, translate, onStep }: TrackOptions): TrackRequest {
  const record = (ended: ReturnType<LoginProgress['end']>, about: Pick<About, 'site'>) => {
    if (ended === undefined) return
    const { siteId, entry } = ended
    about.site = siteId
    history.record(siteId, entry)
    let before = entry.at
    for (const [step, at] of entry.steps) {
      onStep(entry.provider, step, (at - before) / 1000)
      before = at
    }
  }
  return async (beginning, work, about) => {
    about.provider = beginning.provider
    const progress = new LoginProgress(beginning)
    try {
      const result = await work(progress)
      record(progress.end(), about)
      return result
    } catch (error) {
      record(progress.end(problemTypeOf(error, translate)), about)
      throw error
    }
  }
}
