import type { PersonalFields } from '../sessions/session.ts'

/** The scopes that this service knows (OpenID Connect Core §5.4): `openid` asks for an ID token. */
export const knownScopes = ['openid', 'profile', 'email'] as const
export type KnownScope = (typeof knownScopes)[number]

/** What a login grants where its request names no scope that is known: the least that a login is good for. */
const usualScope = 'profile email'

/**
 * The scope that is granted: what is known of what was asked for, in the order of `knownScopes`; the rest is ignored
 * (RFC 6749 §3.3).
 */
export function grantedScope(asked = ''): string {
  const names = new Set(asked.split(' '))
  return knownScopes.filter((name) => names.has(name)).join(' ') || usualScope
}

/** Whether a granted scope has this name; null, the scope of the guide's own requests, has every one. */
export function hasScope(scope: string | null | undefined, name: KnownScope): boolean {
  return scope === null || scope === undefined || scope.split(' ').includes(name)
}

/** A person as far as a scope lets a site know them: what it does not grant is null, as if the provider did not tell. */
export function seenThrough(scope: string | null | undefined, person: PersonalFields): PersonalFields {
  const [profile, email] = [hasScope(scope, 'profile'), hasScope(scope, 'email')]
  return {
    name: profile ? person.name : null,
    login: profile ? person.login : null,
    email: email ? person.email : null,
    emailVerified: email ? person.emailVerified : null,
  }
}

/**
 * The standard claims about a person (OpenID Connect Core §5.1) that a scope grants; a claim whose value nobody knows is
 * left out (§5.3.2).
 */
export function standardClaims(scope: string | null | undefined, person: PersonalFields) {
  const { name, login, email, emailVerified } = seenThrough(scope, person)
  return {
    ...(name !== null && { name }),
    ...(login !== null && { preferred_username: login }),
    ...(email !== null && { email }),
    ...(email !== null && emailVerified !== null && { email_verified: emailVerified }),
  }
}
