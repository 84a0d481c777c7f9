import type { Static } from 'typebox'
import { Type } from 'typebox'

/** The steps of a login, in their order. */
export const steps = [
  'started',
  'sent_to_provider',
  'came_back',
  'claimed',
  'exchanged',
  'profile',
  'session',
] as const
export type Step = (typeof steps)[number]

/** By what the site's backend proved itself (RFC 6749 §2.3, RFC 7636); where it sent both, by its secret. */
export const proofs = ['secret', 'challenge', 'none'] as const
export type Proof = (typeof proofs)[number]

/**
 * What the history stores of one request of a login. No state, code or token, no name, login, email or IP address: the
 * site may read it. Times are milliseconds since the epoch. The member names are those of the records in Redis, which
 * replicas of another version read.
 */
export const LoginEntry = Type.Object({
  /** The id of the login; absent where a start failed, which makes no login. */
  login: Type.Optional(Type.String()),
  provider: Type.String(),
  request: Type.Union([Type.Literal('start'), Type.Literal('callback'), Type.Literal('finish')]),
  requestId: Type.String(),
  at: Type.Number(),
  /** How long the request took, milliseconds. */
  ms: Type.Number(),
  steps: Type.Array(Type.Tuple([Type.Enum([...steps]), Type.Number()])),
  /** The type of the problem with which the request was answered; absent where it succeeded. */
  problem: Type.Optional(Type.String()),
  /** Absent in callbacks, which are the browser's, and where the request failed before. */
  proof: Type.Optional(Type.Enum([...proofs])),
  /** The start of this login, which is so known even after the start's own entry was pushed out. */
  start: Type.Optional(Type.Object({ at: Type.Number(), requestId: Type.Optional(Type.String()) })),
})
export type LoginEntry = Static<typeof LoginEntry>
