import type { SignKeyObjectInput } from 'node:crypto'
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { compactVerify } from 'jose'
import type { IdTokenAlg, KeyMaterial, PublicJwk } from './material.ts'

/**
 * A key of ID tokens. It signs in the thread pool: an RSA signature takes as long as twenty of Ed25519, and the event loop
 * must not wait for it.
 */
export interface IdKey {
  readonly kind: 'id'
  readonly kid: string
  readonly alg: IdTokenAlg
  readonly publicJwk: PublicJwk
  /** A compact JWS (RFC 7515 §7.1), `typ` JWT; the claims as they are. */
  sign(claims: object): Promise<string>
  /**
   * The claims of a token that this key signed; their types and times are left to the caller.
   * @returns undefined for any other token
   */
  verify(token: string): Promise<unknown>
  close(): Promise<void>
}

const signInPool = promisify<string | null, Buffer, SignKeyObjectInput, Buffer>(sign)

/** A key of ID tokens from what is stored. */
export function createIdKey({
  kid,
  alg,
  privatePem,
  publicPem,
  publicJwk,
}: Extract<KeyMaterial, { readonly kind: 'id' }>): IdKey {
  // ES256 has its two numbers side by side (RFC 7518 §3.4), not in DER; other algorithms ignore the option.
  const privateKey = { key: createPrivateKey(privatePem), dsaEncoding: 'ieee-p1363' } as const
  const publicKey = createPublicKey(publicPem)
  const header = encoded({ alg, typ: 'JWT', kid })
  // Ed25519 hashes by itself.
  const digest = alg === 'EdDSA' ? null : 'sha256'
  return {
    kind: 'id',
    kid,
    alg,
    publicJwk,
    async sign(claims) {
      const signed = `${header}.${encoded(claims)}`
      const signature = await signInPool(digest, Buffer.from(signed), privateKey)
      return `${signed}.${signature.toString('base64url')}`
    },
    async verify(token) {
      try {
        const { payload } = await compactVerify(token, publicKey, { algorithms: [alg] })
        return JSON.parse(new TextDecoder().decode(payload))
      } catch {
        return undefined
      }
    },
    close: async () => {},
  }
}

function encoded(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}
