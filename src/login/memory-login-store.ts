import type { AuthorizationResponse, Login } from './login.ts'
import type { Claim, LoginStore } from './login-store.ts'
import { claimedTtl } from './login-store.ts'

interface Row {
  readonly login: Login
  response?: AuthorizationResponse
  claim?: { readonly token: string; readonly at: Date; readonly failed: boolean }
  /** Tokens of claims that must not win if they still arrive. */
  readonly released: Set<string>
  expiresAt: number
}

/** Records at most, so that a development server that is left running does not grow for ever. */
const capacity = 100_000

/**
 * Logins in the memory of this process, for development: they end with the process, and no other process sees them.
 * Strict mode never uses this store.
 */
export function createMemoryLoginStore(): LoginStore {
  const rows = new Map<string, Row>()

  const living = (state: string): Row | undefined => {
    const row = rows.get(state)
    if (row === undefined || row.expiresAt > Date.now()) return row
    rows.delete(state)
    return undefined
  }

  return {
    async start(state, login, ttlSeconds) {
      for (const [oldest, row] of rows) {
        if (row.expiresAt > Date.now() && rows.size < capacity) break
        rows.delete(oldest)
      }
      rows.set(state, { login, released: new Set(), expiresAt: Date.now() + ttlSeconds * 1000 })
    },
    async find(state) {
      const row = living(state)
      if (row === undefined) return undefined
      const { login, response, claim } = row
      return { login, ...(response && { response }), claimed: claim !== undefined }
    },
    async recordResponse(state, response, codeTtlSeconds) {
      const row = living(state)
      if (row === undefined || row.claim !== undefined) return 'gone'
      if (row.response?.kind === 'code') {
        const same = response.kind === 'code' && response.codeDigest === row.response.codeDigest
        return same ? 'recorded' : 'conflict'
      }
      row.response = response
      if (response.kind === 'code') row.expiresAt = Date.now() + codeTtlSeconds * 1000
      return 'recorded'
    },
    async claim(state, token): Promise<Claim | undefined> {
      const row = living(state)
      if (row === undefined) return undefined
      const now = new Date()
      if (row.claim !== undefined) return { won: false, at: row.claim.at, now, failed: row.claim.failed }
      if (row.released.has(token)) return { won: false, at: now, now, failed: false }
      row.claim = { token, at: now, failed: false }
      row.expiresAt = now.getTime() + claimedTtl * 1000
      return { won: true, at: now, now, failed: false }
    },
    async release(state, token, ttlSeconds) {
      const row = living(state)
      if (row === undefined) return
      if (row.claim?.token === token) {
        delete row.claim
        row.expiresAt = Date.now() + ttlSeconds * 1000
      } else row.released.add(token)
    },
    async fail(state, token) {
      const row = living(state)
      if (row?.claim?.token === token) row.claim = { ...row.claim, failed: true }
    },
  }
}
