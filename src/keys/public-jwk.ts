import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

const common = {
  kid: Type.String({ minLength: 1 }),
  use: Type.Literal('sig'),
  x: Type.String({ minLength: 1 }),
}

/** A public signing key as the JWKS shows it (RFC 7517 §4; RFC 8037 §2 for OKP): these members and no others. */
export const PublicJwk = Type.Union([
  Type.Object(
    { kty: Type.Literal('OKP'), crv: Type.Literal('Ed25519'), alg: Type.Literal('EdDSA'), ...common },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      kty: Type.Literal('EC'),
      crv: Type.Literal('P-256'),
      alg: Type.Literal('ES256'),
      ...common,
      y: Type.String({ minLength: 1 }),
    },
    { additionalProperties: false },
  ),
])
export type PublicJwk = Static<typeof PublicJwk>

const validator = Compile(PublicJwk)

/** Whether a value is such a key and holds nothing else: no private member can slip through. */
export function isPublicJwk(value: unknown): value is PublicJwk {
  return validator.Check(value)
}
