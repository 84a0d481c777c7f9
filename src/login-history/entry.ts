import type { Static } from 'typebox'
import { Type } from 'typebox'

/** What a login goes through, in this order. */
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

/**
 * What is remembered of one request of a login. No state, code or token, no name, login, email or address: it is
 * shown to the site. Times are milliseconds since the epoch.
 */
export const LoginEntry = Type.Object({
  /** Its id; absent where a start was refused, which makes no login. */
  login: Type.Optional(Type.String()),
  provider: Type.String(),
  request: Type.Union([Type.Literal('start'), Type.Literal('callback'), Type.Literal('finish')]),
  requestId: Type.String(),
  at: Type.Number(),
  /** How long it took, milliseconds. */
  ms: Type.Number(),
  steps: Type.Array(Type.Tuple([Type.Enum([...steps]), Type.Number()])),
  /** The type of the problem that it ended in; absent where it went well. */
  problem: Type.Optional(Type.String()),
  /** The start of this login: it stays known after the start's own entry was pushed out. */
  start: Type.Optional(Type.Object({ at: Type.Number(), requestId: Type.Optional(Type.String()) })),
})
export type LoginEntry = Static<typeof LoginEntry>
