import { createHash, randomBytes } from 'node:crypto'
import type { CryptoKey, JSONWebKeySet } from 'jose'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { toJson } from './provider-rules.ts'

/** A way to make an ID token invalid (OpenID Connect Core §3.1.3.7). */
export type IdTokenSpoiling =
  | 'absent'
  | 'garbage'
  | 'wrong-aud'
  | 'wrong-iss'
  | 'wrong-nonce'
  | 'no-nonce'
  | 'wrong-azp'
  | 'two-aud-no-azp'
  | 'wrong-at-hash'
  | 'expired'
  | 'no-exp'
  | 'issued-in-future'
  | 'no-sub'
  | 'other-sub'
  | 'unknown-kid'
  | 'bad-signature'
  | 'alg-none'
  | 'alg-hs256'

/** The algorithms with which a double can sign. */
export type Signature = 'RS256' | 'ES256' | 'EdDSA'

/** The claims of an ID token; a bigint is a number of any length. */
export type Claims = Readonly<Record<string, unknown>>

interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

/** A provider's signing keys: two are published, and the first one signs. */
export class IdTokenKeys {
  #algorithm: Signature = 'RS256'
  // Generated at the first use: an RSA key takes a while, and many tests never need one.
  #made: Promise<readonly [SigningKey, SigningKey]> | undefined

  get #keys() {
    return (this.#made ??= makePair(this.#algorithm))
  }

  /** What signs now. */
  get algorithm(): Signature {
    return this.#algorithm
  }

  /** Replaces both keys: a client must fetch the new ones (but not for every unknown `kid`). */
  rotate(algorithm: Signature = this.#algorithm): void {
    this.#algorithm = algorithm
    this.#made = undefined
  }

  /** The response of the JWKS endpoint (RFC 7517 §5). */
  async jwks(): Promise<JSONWebKeySet> {
    const keys = await this.#keys
    return {
      keys: await Promise.all(
        keys.map(async ({ kid, publicKey }) => ({
          ...(await exportJWK(publicKey)),
          kid,
          use: 'sig',
          alg: this.#algorithm,
        })),
      ),
    }
  }

  /**
   * Signs the claims, or makes an invalid token.
   * @param secret the client secret, which signs `alg-hs256`: a token that anybody with the secret could make
   */
  async sign(claims: Claims, secret: string, spoiling?: IdTokenSpoiling): Promise<string | undefined> {
    const [key] = await this.#keys
    const payload = spoilClaims(claims, spoiling)
    switch (spoiling) {
      case 'absent':
        return undefined
      case 'garbage':
        return 'not.a.token'
      case 'alg-none':
        return `${encoded({ alg: 'none' })}.${encoded(payload)}.`
      case 'alg-hs256':
        return new CompactSign(Buffer.from(toJson(payload)))
          .setProtectedHeader({ alg: 'HS256', kid: key.kid, typ: 'JWT' })
          .sign(new TextEncoder().encode(secret || 'no secret'))
      case 'unknown-kid':
      case 'bad-signature': {
        const stranger = await makeKey(this.#algorithm)
        const kid = spoiling === 'unknown-kid' ? stranger.kid : key.kid
        return this.#signed(payload, { ...stranger, kid })
      }
      default:
        return this.#signed(payload, key)
    }
  }

  #signed(payload: Claims, { kid, privateKey }: SigningKey): Promise<string> {
    return new CompactSign(Buffer.from(toJson(payload)))
      .setProtectedHeader({ alg: this.#algorithm, kid, typ: 'JWT' })
      .sign(privateKey)
  }
}

function encoded(value: unknown): string {
  return Buffer.from(toJson(value)).toString('base64url')
}

/** The left half of the token's hash, by the hash of the signature (OpenID Connect Core §3.1.3.6). */
export function accessTokenHash(accessToken: string, algorithm: Signature = 'RS256'): string {
  const digest = createHash(algorithm === 'EdDSA' ? 'sha512' : 'sha256')
    .update(accessToken)
    .digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

function spoilClaims(claims: Claims, spoiling: IdTokenSpoiling | undefined): Claims {
  const now = Math.floor(Date.now() / 1000)
  const stranger = '999999999999-stranger.apps.googleusercontent.com'
  const changes: Partial<Record<IdTokenSpoiling, Record<string, unknown>>> = {
    'wrong-aud': { aud: stranger, azp: stranger },
    'wrong-iss': { iss: 'https://accounts.example' },
    'wrong-nonce': { nonce: 'of-another-login' },
    'no-nonce': { nonce: undefined },
    'wrong-azp': { azp: stranger },
    'two-aud-no-azp': { aud: [claims['aud'], stranger], azp: undefined },
    'wrong-at-hash': { at_hash: accessTokenHash('another') },
    expired: { iat: now - 7200, exp: now - 3600 },
    'no-exp': { exp: undefined },
    'issued-in-future': { iat: now + 86_400, exp: now + 90_000 },
    'no-sub': { sub: undefined },
    'other-sub': { sub: '100000000000000000001' },
  }
  return { ...claims, ...(spoiling && changes[spoiling]) }
}

async function makePair(algorithm: Signature): Promise<readonly [SigningKey, SigningKey]> {
  return Promise.all([makeKey(algorithm), makeKey(algorithm)])
}

async function makeKey(algorithm: Signature): Promise<SigningKey> {
  return { kid: randomBytes(20).toString('hex'), ...(await generateKeyPair(algorithm)) }
}
