import { Problem } from '../http/problem.ts'
import type { ProblemName } from '../http/problems.ts'
import { CallbackRefusal } from './callback.ts'
import type { LoginHistory } from './history.ts'
import type { Step } from './login-entry.ts'
import type { TrailBeginning } from './trail.ts'
import { Trail } from './trail.ts'

/** Runs one request of a login and records, at its end, how far it got. */
export type FollowRequest = <T>(beginning: TrailBeginning, work: (trail: Trail) => Promise<T>) => Promise<T>

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
  const record = (ended: ReturnType<Trail['end']>) => {
    if (ended === undefined) return
    const { siteId, entry } = ended
    history.record(siteId, entry)
    let before = entry.at
    for (const [step, at] of entry.steps) {
      onStep(entry.provider, step, (at - before) / 1000)
      before = at
    }
  }
  return async (beginning, work) => {
    const trail = new Trail(beginning)
    try {
      const result = await work(trail)
      record(trail.end())
      return result
    } catch (error) {
      record(trail.end(problemTypeOf(error, translate)))
      throw error
    }
  }
}
