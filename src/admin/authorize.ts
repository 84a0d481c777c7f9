import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { network } from '../http/client-ip.ts'
import { Problem } from '../problems/problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the admin token that the request came with; '' everywhere but in the admin API. */
    adminName: string
  }
}

/** Requests a minute from one address that come without a valid token. */
export const wrongTokens = 30

/** Who may ask. */
export interface AdminTokens {
  /** SHA-256 of each token in hex → its name. */
  readonly tokens: ReadonlyMap<string, string>
  readonly rateLimit: boolean
}

/**
 * Makes the check of `Authorization: Bearer`. A missing token, a wrong one and a site's own credentials meet the
 * same answer, before anything else about the request is looked at. Whoever has a right one is never limited: only
 * what is refused counts.
 * @returns gives the token's name
 * @throws {Problem} (what it returns) admin-token-required; rate-limited after too many of those
 */
export function authorizer({ tokens, rateLimit }: AdminTokens): (request: FastifyRequest) => Promise<string> {
  const known = [...tokens].map(([digest, name]) => ({ digest: Buffer.from(digest, 'hex'), name }))
  const limiter = new RateLimiterMemory({ points: wrongTokens, duration: 60 })
  return async (request) => {
    const token = /^bearer +([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const given = createHash('sha256')
      .update(token ?? '')
      .digest()
    // All are compared, so that the time does not tell which one was met.
    const [found] = known.filter(({ digest }) => timingSafeEqual(digest, given))
    if (token !== undefined && found !== undefined) return found.name
    if (rateLimit) await count(limiter, request.ip)
    throw new Problem('admin-token-required', {
      headers: { 'www-authenticate': 'Bearer realm="auth-movies-admin"' },
    })
  }
}

async function count(limiter: RateLimiterMemory, address: string): Promise<void> {
  try {
    await limiter.consume(network(address))
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error
    throw new Problem('rate-limited', {
      values: { who: 'wrong-admin-tokens', limit: String(wrongTokens) },
      retryAfter: Math.max(1, Math.ceil(error.msBeforeNext / 1000)),
    })
  }
}
