import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'

// The two packages have no types of their own, and those of DefinitelyTyped need all of Express.

/** A profile as the strategy normalises it. */
export interface Profile {
  readonly id: string
  readonly displayName?: string
}

interface Passport {
  use(strategy: object): void
  authenticate(
    name: string,
    options: object,
    done: (error: Error | null, user: Profile | false) => void,
  ): (request: IncomingMessage, response: ServerResponse, next: () => void) => void
}

const require = createRequire(import.meta.url)

export const passport: Passport = require('passport')

export const {
  Strategy,
}: {
  readonly Strategy: new (
    options: Readonly<Record<string, string>>,
    verify: (issuer: string, profile: Profile, done: (error: null, user: Profile) => void) => void,
  ) => object
} = require('passport-openidconnect')
