import { createHash, randomBytes } from 'node:crypto'
import type { CryptoKey, JSONWebKeySet, JWTPayload } from 'jose'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'

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

interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

/** Google's signing keys: two are published, and the first one signs. */
export class GoogleKeys {
  // Generated at the first use: an RSA key takes a while, and many tests never use Google.
  #made: Promise<readonly [SigningKey, SigningKey]> | undefined

  get #keys() {
    return (this.#made ??= makePair())
  }

  /** Replaces both keys: a client must fetch the new ones (but not for every unknown `kid`). */
  rotate(): void {
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
          alg: 'RS256',
        })),
      ),
    }
  }

  /**
   * Signs the claims with RS256, or makes an invalid token.
   * @param secret the client secret, which signs `alg-hs256`: a token that anybody with the secret could make
   */
  async sign(claims: JWTPayload, secret: string, spoiling?: IdTokenSpoiling): Promise<string | undefined> {
    const [key] = await this.#keys
    const payload = spoilClaims(claims, spoiling)
    switch (spoiling) {
      case 'absent':
        return undefined
      case 'garbage':
        return 'not.a.token'
      case 'alg-none':
        return new UnsecuredJWT(payload).encode()
      case 'alg-hs256':
        return new SignJWT(payload)
          .setProtectedHeader({ alg: 'HS256', kid: key.kid, typ: 'JWT' })
          .sign(new TextEncoder().encode(secret))
      case 'unknown-kid':
      case 'bad-signature': {
        const stranger = await makeKey()
        const kid = spoiling === 'unknown-kid' ? stranger.kid : key.kid
        return signed(payload, { ...stranger, kid })
      }
      default:
        return signed(payload, key)
    }
  }
}

/** The left half of the token's hash (OpenID Connect Core §3.1.3.6). */
export function accessTokenHash(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url')
}

function signed(payload: JWTPayload, { kid, privateKey }: SigningKey): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(privateKey)
}

function spoilClaims(claims: JWTPayload, spoiling: IdTokenSpoiling | undefined): JWTPayload {
  const now = Math.floor(Date.now() / 1000)
  const stranger = '999999999999-stranger.apps.googleusercontent.com'
  const changes: Partial<Record<IdTokenSpoiling, Record<string, unknown>>> = {
    'wrong-aud': { aud: stranger, azp: stranger },
    'wrong-iss': { iss: 'https://accounts.example' },
    'wrong-nonce': { nonce: 'of-another-login' },
    'no-nonce': { nonce: undefined },
    'wrong-azp': { azp: stranger },
    'two-aud-no-azp': { aud: [claims.aud, stranger], azp: undefined },
    'wrong-at-hash': { at_hash: accessTokenHash('another') },
    expired: { iat: now - 7200, exp: now - 3600 },
    'no-exp': { exp: undefined },
    'issued-in-future': { iat: now + 86_400, exp: now + 90_000 },
    'no-sub': { sub: undefined },
    'other-sub': { sub: '100000000000000000001' },
  }
  return { ...claims, ...(spoiling && changes[spoiling]) }
}

async function makePair(): Promise<readonly [SigningKey, SigningKey]> {
  return Promise.all([makeKey(), makeKey()])
}

async function makeKey(): Promise<SigningKey> {
  return { kid: randomBytes(20).toString('hex'), ...(await generateKeyPair('RS256')) }
}
