import type { KeyObject } from 'node:crypto'
import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyMaterial } from '../../src/keys/material.ts'
import { openKey } from '../../src/keys/material.ts'
import { createKeySeal } from '../../src/keys/seal.ts'
import { readKeys } from '../../src/keys/store.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** How a valid token is changed into a forged one: members are replaced, `null` removes one. */
export interface Recipe {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  /** The signature: `own`, `stranger`, `none`, or `hmac:` and its key: empty, publicPem, newline+publicPem, jwkJson. */
  readonly sign: string
}

type AccessKey = Extract<KeyMaterial, { kind: 'access' }>

/** Another key of the same kind, whose signatures must be rejected. */
export const stranger = generateKeyPairSync('ed25519')

/** The service's own key pair, opened with its own secret. */
export async function ownAccessKey(
  database: Pick<Database, 'pool'>,
  secretKeys: readonly Buffer[],
): Promise<AccessKey> {
  const { keys } = await readKeys(database.pool)
  const row = keys.find(({ kind }) => kind === 'access')
  if (row === undefined) throw new Error('there is no access key')
  const material = openKey(row, createKeySeal(secretKeys))
  if (material.kind !== 'access') throw new Error('not an access key')
  return material
}

/** Builds the forged token that a recipe describes from a valid one. */
export function forge(token: string, recipe: Recipe, own: AccessKey): string {
  const [header = '', claims = ''] = token.split('.')
  const signed = [changed(header, recipe.header), changed(claims, recipe.claims)].join('.')
  return `${signed}.${signature(signed, recipe.sign, own)}`
}

function changed(part: string, members: Readonly<Record<string, unknown>> = {}): string {
  const json: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
  const merged = Object.entries({ ...(json as object), ...members }).filter(([, value]) => value !== null)
  return Buffer.from(JSON.stringify(Object.fromEntries(merged))).toString('base64url')
}

function signature(signed: string, how: string, own: AccessKey): string {
  const by = (key: KeyObject) => sign(null, Buffer.from(signed), key).toString('base64url')
  if (how === 'own') return by(createPrivateKey(own.privatePem))
  if (how === 'stranger') return by(stranger.privateKey)
  if (how === 'none') return ''
  const hmacKeys: Readonly<Record<string, string>> = {
    'hmac:empty': '',
    'hmac:publicPem': own.publicPem,
    'hmac:newline+publicPem': `\n${own.publicPem}`,
    'hmac:trimmed publicPem': own.publicPem.trim(),
    'hmac:jwkJson': JSON.stringify(own.publicJwk),
  }
  const key = hmacKeys[how]
  if (key === undefined) throw new Error(`unknown recipe ${how}`)
  return createHmac('sha256', key).update(signed).digest('base64url')
}
