import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import type { KeyMaterial, PublicJwk } from './material.ts'

/** What signs the service's own tokens; ID tokens are signed off the event loop, id-key.ts. */
type TokenMaterial = Exclude<KeyMaterial, { readonly kind: 'id' }>

/** One key that signs and verifies, synchronously: the thread pool would double the work. */
export interface SigningKey {
  readonly kid: string
  readonly kind: TokenMaterial['kind']
  /** Absent for a symmetric key. */
  readonly publicJwk?: Exclude<PublicJwk, { readonly kty: 'RSA' }>
  /** A compact JWS (RFC 7515 §7.1) with `alg`, `typ` and `kid` of this key; the claims as they are. */
  sign(claims: object): string
  /**
   * Checks the signature, `alg`, `typ`, `iss` and `aud` of a token and returns its claims. Their types and times are
   * left to the caller.
   * @throws errors of fast-jwt, which may hold parts of the token and must not be logged
   */
  verify(token: string): unknown
  close(): Promise<void>
}

/** `typ` of each kind: RFC 9068 §2.1; a refresh token must never be taken for anything else (RFC 8725 §3.11). */
const typeOf = { access: 'at+jwt', refresh: 'rt+jwt' } as const

/**
 * @fastify/jwt fixes its key at registration, and keys come and go while the service runs. So each key has an instance
 * of its own, on a Fastify that never listens; this costs 12 ms and half a megabyte per key. Passing the key at each
 * call would build a signer each time, which is three times the work of a signature.
 * @param issuer PUBLIC_URL: `iss`, and among `aud`
 */
export async function createSigningKey(material: TokenMaterial, issuer: string): Promise<SigningKey> {
  const { kid, kind, alg } = material
  const secret =
    material.kind === 'access'
      ? { private: material.privatePem, public: material.publicPem }
      : material.secret
  const app = Fastify()
  app.register(fastifyJwt, {
    secret,
    sign: { algorithm: alg, kid, header: { alg, typ: typeOf[kind] } },
    verify: {
      algorithms: [alg],
      checkTyp: typeOf[kind],
      allowedIss: issuer,
      allowedAud: issuer,
      requiredClaims: ['iss', 'aud'],
      // A cache has given one person another's claims before (GHSA-rp9m-7r4c-75qg).
      cache: false,
      // Times are judged by the database's clock, which fast-jwt does not know: see verify-token.ts.
      ignoreExpiration: true,
      ignoreNotBefore: true,
    },
  })
  await app.ready()
  return {
    kid,
    kind,
    ...(material.kind === 'access' && material.publicJwk.kty !== 'RSA' && { publicJwk: material.publicJwk }),
    sign: (claims) => app.jwt.sign(claims),
    verify: (token) => app.jwt.verify(token),
    close: () => app.close(),
  }
}
