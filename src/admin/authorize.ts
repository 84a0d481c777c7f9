import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { network } from '../http/client-ip.ts'
import { createLimitBucket } from '../http/limit-bucket.ts'
import { Problem } from '../problems/problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the admin token of the request; '' outside the admin API. */
    adminName: string
  }
}

/** Requests per minute and network without a valid token. */
export const maxWrongTokens = 30

/** The tokens that give access to the admin API. */
export interface AdminTokens {
  /** SHA-256 of each token in hex → its name. */
  readonly tokens: ReadonlyMap<string, string>
  readonly rateLimit: boolean
}

/**
 * Makes the check of `Authorization: Bearer` (RFC 6750 §2.1). A missing token, a wrong one and a site's own credentials
 * get the same error response, before anything else of the request is read. Only refused requests count, so that a
 * request with a valid token is never limited.
 * @returns a function that gives the name of the token, or throws a Problem: admin-token-required, or rate-limited
 *   after too many of those
 */
export function authorizer({ tokens, rateLimit }: AdminTokens): (request: FastifyRequest) => Promise<string> {
  const tokenDigests = [...tokens].map(([digest, name]) => ({ digest: Buffer.from(digest, 'hex'), name }))
  const who = 'wrong-admin-tokens'
  const wrongTokens = createLimitBucket(undefined, '', { name: who, limit: maxWrongTokens, who })
  return async (request) => {
    const token = /^bearer +([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const given = createHash('sha256')
      .update(token ?? '')
      .digest()
    // All are compared, so that the time does not reveal which token was hit.
    const [found] = tokenDigests.filter(({ digest }) => timingSafeEqual(digest, given))
    if (token !== undefined && found !== undefined) return found.name
    if (rateLimit) await wrongTokens.count(network(request.ip))
    throw new Problem('admin-token-required', {
      headers: { 'www-authenticate': 'Bearer realm="auth-movies-admin"' },
    })
  }
}
