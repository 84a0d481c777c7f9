import type { FastifyReply } from 'fastify'
import type { Answer, Endpoint } from './double.ts'
import type { Fault } from './faults.ts'
import { deliverFault, send } from './faults.ts'

/** Which endpoints of a double do not answer as they should, and for how many requests more. */
export class Misbehaviour {
  readonly #faults = new Map<Endpoint, { readonly what: Fault; left: number }>()
  readonly #answers = new Map<Endpoint, { readonly what: Answer; left: number }>()

  /** Until cleared by `undefined`, or for the next `times` requests. */
  fault(endpoint: Endpoint, fault: Fault | undefined, times = Number.POSITIVE_INFINITY): void {
    put(this.#faults, endpoint, fault, times)
  }

  /** Likewise, with an answer of one's own; goes before a fault. */
  answer(endpoint: Endpoint, answer: Answer | undefined, times = Number.POSITIVE_INFINITY): void {
    put(this.#answers, endpoint, answer, times)
  }

  /** Answers a request as was asked for, or rightly. */
  async reply(
    endpoint: Endpoint | undefined,
    reply: FastifyReply,
    right: () => Promise<Answer>,
  ): Promise<FastifyReply> {
    const answer = take(this.#answers, endpoint)
    if (answer !== undefined) return send(reply, answer)
    const fault = take(this.#faults, endpoint)
    return fault === undefined ? send(reply, await right()) : deliverFault(reply, fault, right)
  }
}

type Counted<T> = Map<Endpoint, { readonly what: T; left: number }>

function put<T>(map: Counted<T>, endpoint: Endpoint, what: T | undefined, left: number): void {
  if (what === undefined) map.delete(endpoint)
  else map.set(endpoint, { what, left })
}

function take<T>(map: Counted<T>, endpoint: Endpoint | undefined): T | undefined {
  const found = endpoint && map.get(endpoint)
  if (!found) return undefined
  found.left -= 1
  if (found.left <= 0) map.delete(endpoint)
  return found.what
}
