import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { KeySeal } from './key-seal.ts'
import type { PublicJwk } from './public-jwk.ts'
import { isPublicJwk } from './public-jwk.ts'

/** `access`: a key pair whose public part sites read. `refresh`: a symmetric key, nobody's business but ours. */
export type KeyKind = 'access' | 'refresh'

/** The algorithm of an access key; a refresh key is always HS256. */
export type TokenAlg = 'EdDSA' | 'ES256'

/** A key as the table holds it, its times apart. */
export interface StoredKey {
  readonly kid: string
  readonly kind: string
  readonly alg: string
  readonly publicJwk: unknown
  /** Empty for a revoked key: its secret is gone for good. */
  readonly sealedSecret: Buffer
}

/** A key that can sign and verify. */
export type KeyMaterial =
  | {
      readonly kind: 'access'
      readonly kid: string
      readonly alg: TokenAlg
      /** PKCS#8 and SPKI in PEM, as fast-jwt takes them. */
      readonly privatePem: string
      readonly publicPem: string
      readonly publicJwk: PublicJwk
    }
  | { readonly kind: 'refresh'; readonly kid: string; readonly alg: 'HS256'; readonly secret: Buffer }

/** A key of the table cannot be used. The message names it, and what to do, in a sentence. */
export class UnusableKey extends Error {
  override readonly name = 'UnusableKey'
  readonly kid: string

  constructor(kid: string, message: string) {
    super(message)
    this.kid = kid
  }
}

/** One error that says what each of these says, so that whoever has to act learns of all keys at once; none of none. */
export function allUnusable(errors: readonly UnusableKey[]): UnusableKey | undefined {
  const [first] = errors
  return first && new UnusableKey(first.kid, errors.map(({ message }) => message).join(' '))
}

/** The kid is hexadecimal: on a command line it can never be taken for an option. */
export function generateKey(kind: KeyKind, alg: TokenAlg, seal: KeySeal): StoredKey {
  const kid = randomBytes(12).toString('hex')
  const store = (usedAlg: string, publicJwk: PublicJwk | null, secret: Buffer): StoredKey => ({
    kid,
    kind,
    alg: usedAlg,
    publicJwk,
    sealedSecret: seal.seal(secret, label(kid, kind)),
  })
  if (kind === 'refresh') return store('HS256', null, randomBytes(32))
  const { privateKey } =
    alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return store(alg, publicJwkOf(pem, kid, alg), Buffer.from(pem))
}

/**
 * Opens a stored key and checks that it is whole: what the JWKS would show is the public part of what signs.
 * @throws {UnusableKey}
 */
export function openKey(stored: StoredKey, seal: KeySeal): KeyMaterial {
  const { kid, kind, alg, publicJwk } = stored
  const secret = seal.open(stored.sealedSecret, label(kid, kind))
  if (secret === undefined)
    throw new UnusableKey(
      kid,
      `The ${kind} key ${kid} was sealed under none of the SECRET_KEYS: add the entry that is missing, or revoke the key by \`keys revoke ${kid}\`.`,
    )
  if (kind === 'refresh' && alg === 'HS256') return { kind, kid, alg, secret }
  if (kind === 'access' && (alg === 'EdDSA' || alg === 'ES256')) {
    const privatePem = secret.toString()
    const own = publicJwkOf(privatePem, kid, alg)
    if (!isPublicJwk(publicJwk) || !isDeepStrictEqual(own, publicJwk))
      throw new UnusableKey(kid, `The access key ${kid} has a public part that is not its own: revoke it.`)
    const publicPem = createPublicKey(privatePem).export({ format: 'pem', type: 'spki' }).toString()
    return { kind, kid, alg, privatePem, publicPem, publicJwk }
  }
  throw new UnusableKey(kid, `The key ${kid} is of a kind and algorithm unknown to this version.`)
}

/** Seals an opened or stored secret anew, under the newest entry. @throws {UnusableKey} */
export function resealKey(stored: StoredKey, seal: KeySeal): Buffer {
  const secret = seal.open(stored.sealedSecret, label(stored.kid, stored.kind))
  if (secret === undefined)
    throw new UnusableKey(
      stored.kid,
      `The ${stored.kind} key ${stored.kid} was sealed under none of the SECRET_KEYS: nothing was changed.`,
    )
  return seal.seal(secret, label(stored.kid, stored.kind))
}

function label(kid: string, kind: string): string {
  return `${kind}:${kid}`
}

function publicJwkOf(privatePem: string, kid: string, alg: TokenAlg): PublicJwk {
  const { kty, crv, x, y } = createPublicKey(createPrivateKey(privatePem)).export({ format: 'jwk' })
  const jwk: unknown = { kty, crv, x, ...(y !== undefined && { y }), kid, use: 'sig', alg }
  if (!isPublicJwk(jwk)) throw new UnusableKey(kid, `The access key ${kid} is not of the algorithm ${alg}.`)
  return jwk
}
