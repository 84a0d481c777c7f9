import type { About } from '../http/answered-line.ts'
import { Problem } from '../http/problem.ts'
import type { ProblemName } from '../http/problems.ts'
import { CallbackRefusal } from './callback.ts'
import type { LoginHistory } from './history.ts'
import type { Step } from './login-entry.ts'
import type { TrailBeginning } from './trail.ts'
import { Trail } from './trail.ts'

/**
 * Runs one request of a login and records, at its end, how far it got.
 * @param about is told which provider and site the request concerns
 */
export type FollowRequest = <T>(
  beginning: TrailBeginning,
  work: (trail: Trail) => Promise<T>,
  about: Pick<About, 'provider' | 'site'>,
) => Promise<T>

/** Who hears of it. */
export interface FollowOptions {
  readonly history: LoginHistory
  /** The Problem of an error that is none itself. */
  readonly translate: (error: unknown) => Problem | undefined
  /** For the metrics: how long after the step before, or after the request came in. */
  readonly onStep: (provider: string, step: Step, seconds: number) => void
}

/** The type of the problem that a failed request is answered with: a bug is `internal-error`, as in its answer. */
export function problemTypeOf(error: unknown, translate: FollowOptions['translate']): ProblemName {
  const told = error instanceof CallbackRefusal ? error.problem : error
  return (told instanceof Problem ? told : translate(told))?.type ?? 'internal-error'
}

/** @see Trail */
export function followRequests({ history, translate, onStep }: FollowOptions): FollowRequest {
  const record = (ended: ReturnType<Trail['end']>, about: Pick<About, 'site'>) => {
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
    const trail = new Trail(beginning)
    try {
      const result = await work(trail)
      record(trail.end(), about)
      return result
    } catch (error) {
      record(trail.end(problemTypeOf(error, translate)), about)
      throw error
    }
  }
}
