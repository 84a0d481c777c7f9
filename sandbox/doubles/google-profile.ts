import type { DoublePerson } from './double.ts'

/** A person's claims, as the scopes give them; a name of one word has no family name. */
export function profile(person: DoublePerson, scopes: readonly string[]): Record<string, unknown> {
  const [givenName = '', ...rest] = person.name.split(' ')
  return {
    sub: person.id,
    ...(scopes.includes('profile') && {
      name: person.name,
      given_name: givenName,
      family_name: rest.length === 0 ? undefined : rest.join(' '),
      picture: 'https://lh3.googleusercontent.example/a/picture=s96-c',
    }),
    ...(scopes.includes('email') &&
      person.email !== null && { email: person.email, email_verified: person.emailVerified }),
    hd: person.workspace ?? undefined,
  }
}
