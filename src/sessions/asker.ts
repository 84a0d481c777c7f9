import { invalidToken, readBearer } from '../http/bearer.ts'
import { InvalidToken, verifyAccessToken } from '../tokens/access-token.ts'
import type { SigningKeys } from '../tokens/signing-keys.ts'
import type { Asker } from './session.ts'

/**
 * Who asks, by the access token in `Authorization`. Whether the session still lives is for the statement that
 * follows to say.
 * @throws {Problem} token-missing, token-invalid
 */
export function readAsker(keys: SigningKeys, authorization: string | undefined): Asker {
  const token = readBearer(authorization)
  try {
    const { sid, sub, client_id } = verifyAccessToken(keys, token)
    return { sessionId: sid, userId: sub, siteId: client_id }
  } catch (error) {
    if (error instanceof InvalidToken) throw invalidToken()
    throw error
  }
}
