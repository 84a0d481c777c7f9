import { createPrivateKey, createPublicKey, generateKeyPair, randomBytes } from 'node:crypto'
import { isDeepStrictEqual, promisify } from 'node:util'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../operator-error.ts'
import type { KeySeal } from './seal.ts'

/**
 * `access`: a key pair whose public part sites read. `refresh`: a symmetric key that never leaves the service. `id`: a key
 * pair of ID tokens.
 */
export type KeyKind = 'access' | 'refresh' | 'id'

/** The algorithm of an access key; a refresh key is always HS256. */
export type TokenAlg = 'EdDSA' | 'ES256'

/** The algorithms of ID tokens, among which a site chooses; the first is what every client knows (OpenID Connect Core §15.1). */
export const idTokenAlgs = ['RS256', 'ES256', 'EdDSA'] as const
export type IdTokenAlg = (typeof idTokenAlgs)[number]

/** Whether this is the name of an algorithm of ID tokens. */
export const isIdTokenAlg = (alg: string): alg is IdTokenAlg => idTokenAlgs.some((one) => one === alg)

const someText = Type.String({ minLength: 1 })
const jwkMembers = { kid: someText, use: Type.Literal('sig') }

/**
 * A public signing key as the JWKS shows it (RFC 7517 §4; RFC 7518 §6; RFC 8037 §2 for OKP): these members and no others,
 * so that no private member of a stored key can be published.
 */
const PublicJwk = Type.Union([
  Type.Object(
    {
      kty: Type.Literal('OKP'),
      crv: Type.Literal('Ed25519'),
      alg: Type.Literal('EdDSA'),
      ...jwkMembers,
      x: someText,
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      kty: Type.Literal('EC'),
      crv: Type.Literal('P-256'),
      alg: Type.Literal('ES256'),
      ...jwkMembers,
      x: someText,
      y: someText,
    },
    { additionalProperties: false },
  ),
  Type.Object(
    { kty: Type.Literal('RSA'), alg: Type.Literal('RS256'), ...jwkMembers, n: someText, e: someText },
    { additionalProperties: false },
  ),
])
export type PublicJwk = Static<typeof PublicJwk>

const jwkValidator = Compile(PublicJwk)

/** A key as the table holds it, without its times. */
export interface StoredKey {
  readonly kid: string
  readonly kind: string
  readonly alg: string
  readonly publicJwk: unknown
  /** Empty for a revoked key: its secret is gone for good. */
  readonly sealedSecret: Buffer
}

/** The two halves of a key pair. */
interface KeyPair {
  readonly kid: string
  /** PKCS#8 and SPKI in PEM, as fast-jwt takes them. */
  readonly privatePem: string
  readonly publicPem: string
  readonly publicJwk: PublicJwk
}

/** A key that can sign and verify. */
export type KeyMaterial =
  | (KeyPair & { readonly kind: 'access'; readonly alg: TokenAlg })
  | (KeyPair & { readonly kind: 'id'; readonly alg: IdTokenAlg })
  | { readonly kind: 'refresh'; readonly kid: string; readonly alg: 'HS256'; readonly secret: Buffer }

/** A stored key cannot be used. The message names it and says in one sentence what to do. */
export class UnusableKey extends OperatorError {
  override readonly name = 'UnusableKey'
  readonly kid: string

  constructor(kid: string, message: string) {
    super(message)
    this.kid = kid
  }
}

/** Joins errors into one with all their messages, so that the operator learns of all keys at once; undefined if there are none. */
export function joinUnusable(errors: readonly UnusableKey[]): UnusableKey | undefined {
  const [first] = errors
  return first && new UnusableKey(first.kid, errors.map(({ message }) => message).join(' '))
}

/**
 * Makes a new key. Its kid is hexadecimal, so that a command line can never take it for an option.
 * @param alg of a key pair; a refresh key is HS256 whatever it says
 */
export async function generateKey(kind: KeyKind, alg: IdTokenAlg, seal: KeySeal): Promise<StoredKey> {
  const kid = randomBytes(12).toString('hex')
  const store = (usedAlg: string, publicJwk: PublicJwk | null, secret: Buffer): StoredKey => ({
    kid,
    kind,
    alg: usedAlg,
    publicJwk,
    sealedSecret: seal.seal(secret, label(kid, kind)),
  })
  if (kind === 'refresh') return store('HS256', null, randomBytes(32))
  const pem = await pairs[alg]()
  return store(alg, publicJwkOf(pem, kid, alg), Buffer.from(pem))
}

const generate = promisify(generateKeyPair)
const publicKeyEncoding = { format: 'pem', type: 'spki' } as const
const privateKeyEncoding = { format: 'pem', type: 'pkcs8' } as const

/** Makes the private half of a pair, off the event loop: an RSA key takes a tenth of a second. */
const pairs: Readonly<Record<IdTokenAlg, () => Promise<string>>> = {
  RS256: async () =>
    (await generate('rsa', { modulusLength: 2048, publicKeyEncoding, privateKeyEncoding })).privateKey,
  ES256: async () =>
    (await generate('ec', { namedCurve: 'P-256', publicKeyEncoding, privateKeyEncoding })).privateKey,
  EdDSA: async () => (await generate('ed25519', { publicKeyEncoding, privateKeyEncoding })).privateKey,
}

/**
 * Opens a stored key and checks that the public part, which the JWKS shows, belongs to the private part, which signs.
 * @throws {UnusableKey}
 */
export function openKey(stored: StoredKey, seal: KeySeal): KeyMaterial {
  const { kid, kind, alg } = stored
  const remedy = `add the entry that is missing, or revoke the key by \`keys revoke ${kid}\``
  const secret = unsealed(stored, seal, remedy)
  if (kind === 'refresh' && alg === 'HS256') return { kind, kid, alg, secret }
  if (kind === 'access' && (alg === 'EdDSA' || alg === 'ES256'))
    return { kind, alg, ...openPair(stored, secret, alg) }
  if (kind === 'id' && isIdTokenAlg(alg)) return { kind, alg, ...openPair(stored, secret, alg) }
  throw new UnusableKey(kid, `The key ${kid} is of a kind and algorithm unknown to this version.`)
}

function openPair({ kid, kind, publicJwk }: StoredKey, secret: Buffer, alg: IdTokenAlg): KeyPair {
  const privatePem = secret.toString()
  const own = publicJwkOf(privatePem, kid, alg)
  if (!jwkValidator.Check(publicJwk) || !isDeepStrictEqual(own, publicJwk))
    throw new UnusableKey(kid, `The ${kind} key ${kid} has a public part that is not its own: revoke it.`)
  const publicPem = createPublicKey(privatePem).export({ format: 'pem', type: 'spki' }).toString()
  return { kid, privatePem, publicPem, publicJwk }
}

/** Seals the secret of a stored key again, under the newest entry of SECRET_KEYS. @throws {UnusableKey} */
export function resealKey(stored: StoredKey, seal: KeySeal): Buffer {
  const secret = unsealed(stored, seal, 'nothing was changed')
  return seal.seal(secret, label(stored.kid, stored.kind))
}

/** @param then the end of the sentence for the operator where no entry opens it */
function unsealed({ kid, kind, sealedSecret }: StoredKey, seal: KeySeal, then: string): Buffer {
  const secret = seal.open(sealedSecret, label(kid, kind))
  if (secret !== undefined) return secret
  throw new UnusableKey(kid, `The ${kind} key ${kid} was sealed under none of the SECRET_KEYS: ${then}.`)
}

function label(kid: string, kind: string): string {
  return `${kind}:${kid}`
}

function publicJwkOf(privatePem: string, kid: string, alg: IdTokenAlg): PublicJwk {
  const { kty, crv, x, y, n, e } = createPublicKey(createPrivateKey(privatePem)).export({ format: 'jwk' })
  const members = { kty, crv, x, y, n, e, kid, use: 'sig', alg }
  const jwk: unknown = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
  if (!jwkValidator.Check(jwk)) throw new UnusableKey(kid, `The key ${kid} is not of the algorithm ${alg}.`)
  return jwk
}
